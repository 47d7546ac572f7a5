//! `status`: what is done, stale or failed, and how much room it takes.

use std::path::Path;

use super::{World, plan::planned};
use crate::{
    base::fs,
    cli::{
        Exit,
        args::{Format, StatusArgs},
        ui,
    },
    exec::survey,
};

pub(in crate::cli) fn status(world: &World, args: &StatusArgs) -> miette::Result<Exit> {
    let context = planned(world, &[])?;
    let statuses = survey(&context)?;
    let last = context.store.last_run()?;
    let root = &context.workspace.root;
    let sizes = [("output", root.join("output")), ("dist", root.join("dist")), (".envbuild", root.join(".envbuild"))];
    let sizes: Vec<(&str, u64)> = sizes.iter().map(|(name, path)| (*name, size(path))).collect();
    match args.format {
        Format::Text => ui::status_text(&context, &statuses, &last, &sizes)?,
        Format::Json => ui::status_json(&context, &statuses, &last, &sizes)?,
    }
    Ok(Exit::Success)
}

/// The bytes of all files below a folder; what cannot be read counts as nothing.
pub(super) fn size(path: &Path) -> u64 {
    let Ok(metadata) = path.symlink_metadata() else { return 0 };
    if metadata.is_dir() { fs::list(path).unwrap_or_default().iter().map(|it| size(it)).sum() } else { metadata.len() }
}
