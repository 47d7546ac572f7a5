//! `clean`: delete what can be made again. project.toml, the recipes and envbuild.lock stay.

use std::path::{Path, PathBuf};

use super::World;
use crate::{
    base::{fs, users_of},
    channel::LocalChannel,
    cli::{Exit, args::CleanArgs, project, ui},
    store::Store,
};

pub(in crate::cli) fn clean(world: &World, args: &CleanArgs) -> miette::Result<Exit> {
    let root = project::find(&world.global)?;
    let store = Store::at(&root);
    // Nothing that a run works on is taken away under it.
    let lock = if args.dry_run || !store.root().exists() { None } else { Some(store.try_lock()?) };
    let mut folders = folders(&root, &store, args)?;
    let mut kept = Vec::new();
    let users = users_of(&folders);
    folders.retain(|it| match users.get(it) {
        Some(user) => {
            kept.push((it.clone(), format!("in use by process {} ({})", user.process, user.name)));
            false
        }
        None => true,
    });
    let mut freed = 0;
    for folder in &folders {
        let bytes = fs::size(folder);
        freed += bytes;
        if !args.dry_run {
            if folder.ends_with("output") { LocalChannel::at(folder).delete()? } else { fs::remove(folder)? }
        }
        if !world.global.quiet {
            let shown = folder.strip_prefix(&root).unwrap_or(folder);
            let verb = if args.dry_run { "would delete" } else { "deleted" };
            ui::note(&format!("{verb} {} ({})", shown.display(), ui::bytes(bytes)));
        }
    }
    drop(lock);
    if !world.global.quiet {
        ui::tell_kept(&kept, &root);
        ui::note(&if folders.is_empty() { "nothing to delete".to_owned() } else { ui::bytes(freed) });
    }
    Ok(Exit::Success)
}

/// What is meant, as far as it is there.
fn folders(root: &Path, store: &Store, args: &CleanArgs) -> miette::Result<Vec<PathBuf>> {
    let all = !(args.packages || args.environments || args.packs || args.state);
    let mut folders = Vec::new();
    if all || args.packages {
        folders.push(root.join("output"));
    }
    if all || args.packs {
        folders.push(root.join("dist"));
    }
    if all || args.environments {
        let prefixes = fs::list(&store.prefixes())?;
        // One at a time only where one has to stay.
        if users_of(&prefixes).is_empty() { folders.push(store.prefixes()) } else { folders.extend(prefixes) }
    }
    if all || args.state {
        folders.extend(store.all_but_prefixes()?);
    }
    folders.retain(|it| it.symlink_metadata().is_ok());
    Ok(folders)
}
