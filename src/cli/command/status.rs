//! `status`: what is done, stale or failed, and how much room it takes.

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
    let sizes: Vec<(&str, u64)> = sizes.iter().map(|(name, path)| (*name, fs::size(path))).collect();
    match args.format {
        Format::Text => ui::status_text(&context, &statuses, &last, &sizes)?,
        Format::Json => ui::status_json(&context, &statuses, &last, &sizes)?,
    }
    Ok(Exit::Success)
}
