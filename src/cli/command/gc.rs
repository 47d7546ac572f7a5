//! `gc`: delete what nothing refers to any more.

use super::{World, plan::planned, stage};
use crate::{
    base::{Cancel, fs},
    cli::{
        Exit,
        args::{Format, GcArgs},
        project, signals, ui,
    },
    exec::{self, Children},
    store::Store,
};

pub(in crate::cli) fn gc(world: &World, args: &GcArgs) -> miette::Result<Exit> {
    let root = project::find(&world.global)?;
    let (cancel, children) = (Cancel::new(), Children::default());
    signals::watch(cancel.clone(), children.clone(), || {});
    // What a run is about to refer to looks like garbage: it never works beside one.
    let lock = match args.dry_run || !Store::at(&root).root().exists() {
        true => None,
        false => Some(stage::wait_for(world, |said| Store::at(&root).hold(&cancel, said))?),
    };
    let context = planned(world, &[])?.stopped_by(cancel, children);
    let exec::Garbages { garbage, mut kept } = exec::garbage(&context)?;
    let sizes: Vec<u64> = garbage.iter().map(|it| fs::size(&it.path)).collect();
    if !args.dry_run {
        kept.extend(exec::dispose(&context, &garbage)?);
    }
    drop(lock);
    let deleted = garbage.iter().zip(sizes).filter(|(it, _)| !kept.iter().any(|(path, _)| path == &it.path));
    let tidied = ui::Tidied { root: &root, deleted: deleted.collect(), kept: &kept, dry_run: args.dry_run };
    match args.format {
        Format::Text => ui::gc_text(&tidied, &world.global),
        Format::Json => ui::gc_json(&tidied)?,
    }
    Ok(Exit::Success)
}
