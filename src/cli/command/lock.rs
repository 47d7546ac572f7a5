//! `envbuild lock`: what is locked, brought up to date or moved, and what moved.

use std::collections::BTreeMap;

use super::{
    World,
    stage::{Ended, Reach, bring_up_to_date, exit},
};
use crate::{
    cli::{
        Exit,
        args::{Format, LockArgs, RunArgs},
        project, ui,
    },
    lock::{self, Change, LockedEnvironment},
    plan::{Kind, Stage},
};

pub(in crate::cli) fn lock(world: &World, args: LockArgs) -> miette::Result<Exit> {
    let LockArgs { run: RunArgs { words, how, format }, update } = args;
    let file = project::find(&world.global)?.join("envbuild.lock");
    let before = lock::read(&file)?;
    let reach = Reach::to(Stage::Kind(Kind::Lock)).updating(update);
    let Ended { context, report, closed, .. } = bring_up_to_date(world, &words, &how, reach)?;
    let moved = moved(&before, &lock::read(&file)?);
    ui::summary(&context, &report, &world.global);
    match format {
        Format::Json => ui::lock_json(&context, &report, &moved)?,
        Format::Text => ui::lock_text(&moved)?,
    }
    closed?;
    Ok(exit(&report))
}

/// What differs, by environment; those without a difference are left out.
fn moved(
    before: &BTreeMap<String, LockedEnvironment>,
    after: &BTreeMap<String, LockedEnvironment>,
) -> BTreeMap<String, Vec<Change>> {
    let names = before.keys().chain(after.keys());
    let packages = |of: &'_ BTreeMap<String, LockedEnvironment>, name: &String| {
        of.get(name).map(|it| it.packages.clone()).unwrap_or_default()
    };
    let changes = names.map(|name| (name.clone(), lock::changes(&packages(before, name), &packages(after, name))));
    changes.filter(|(_, changes)| !changes.is_empty()).collect()
}
