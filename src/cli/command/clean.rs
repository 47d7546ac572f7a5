//! `clean`: delete what can be made again. project.toml, the recipes and envbuild.lock stay.

use super::{World, status::size};
use crate::{
    base::fs,
    cli::{Exit, args::CleanArgs, project, ui},
    store::Store,
};

pub(in crate::cli) fn clean(world: &World, args: &CleanArgs) -> miette::Result<Exit> {
    let root = project::find(&world.global)?;
    let store = Store::at(&root);
    let all = !(args.packages || args.environments || args.packs || args.state);
    let mut folders = Vec::new();
    if all || args.packages {
        folders.push(root.join("output"));
    }
    if all || args.packs {
        folders.push(root.join("dist"));
    }
    if all || args.environments {
        folders.push(store.prefixes());
    }
    if all || args.state {
        folders.extend(store.all_but_prefixes()?);
    }
    folders.retain(|it| it.exists());
    // Nothing that a run works on is taken away under it.
    let lock = if args.dry_run || !store.root().exists() { None } else { Some(store.try_lock()?) };
    let mut freed = 0;
    for folder in &folders {
        let bytes = size(folder);
        freed += bytes;
        if !args.dry_run {
            if folder.is_dir() { fs::remove_dir_all(folder)? } else { fs::remove_file(folder)? }
        }
        if !world.global.quiet {
            let shown = folder.strip_prefix(&root).unwrap_or(folder);
            let verb = if args.dry_run { "would delete" } else { "deleted" };
            ui::note(&format!("{verb} {} ({})", shown.display(), ui::bytes(bytes)));
        }
    }
    drop(lock);
    if !world.global.quiet {
        ui::note(&if folders.is_empty() { "nothing to delete".to_owned() } else { ui::bytes(freed) });
    }
    Ok(Exit::Success)
}
