//! `build --check`: is what is in the channel what a second build gives?

use super::{
    World,
    stage::{self, Ended, Reach},
};
use crate::{
    cli::{
        Exit,
        args::{Format, RunArgs},
        project::jobs,
        ui,
    },
    exec::{self, Checked},
    plan::{Index, Kind, Stage, resolve_goals},
    workspace::parse_overrides,
};

pub(in crate::cli) fn check(world: &World, args: &RunArgs) -> miette::Result<Exit> {
    let RunArgs { words, how, format } = args;
    let built = Stage::Kind(Kind::Build);
    let Ended { context, report, closed, lock } = stage::bring_up_to_date(world, words, how, Reach::to(built))?;
    ui::summary(&context, &report, &world.global);
    if stage::exit(&report) != Exit::Success {
        if *format == Format::Json {
            ui::json_report(&context, &report)?;
        }
        closed?;
        return Ok(stage::exit(&report));
    }
    closed?;
    let _lock = match lock {
        Some(lock) => lock,
        None => stage::lock(&context.workspace.root, world, &context.cancel)?,
    };
    let (names, _) = parse_overrides(words);
    let goals = resolve_goals(&context.workspace, built, &names)?;
    let mut wanted: Vec<Index> = context.plan.wanted(&goals).into_iter().collect();
    wanted.retain(|index| context.plan.node(*index).kind == Kind::Build);
    let mut done: Vec<Checked> = Vec::new();
    exec::check(&context, &wanted, &report.outputs, jobs(how, &context.settings.machine) as usize, &mut |checked| {
        ui::checked(&context, &checked, &world.global);
        done.push(checked);
    });
    done.sort_by_key(|it| it.index);
    let stopped = context.cancel.is_cancelled();
    ui::check_summary(&done, stopped, &world.global);
    if *format == Format::Json {
        ui::check_json(&context, &done)?;
    }
    let same = |it: &Checked| it.outcome.as_ref().is_ok_and(Vec::is_empty);
    Ok(if stopped {
        Exit::Stopped
    } else if done.iter().all(same) {
        Exit::Success
    } else {
        Exit::Failure
    })
}
