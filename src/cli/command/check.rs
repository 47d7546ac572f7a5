//! `build --check`: is what is in the channel what a second build gives?

use super::{World, stage};
use crate::{
    cli::{
        Exit,
        args::{Format, RunArgs},
        project::jobs,
        ui,
    },
    exec::{self, Checked},
    plan::{Goal, Index, Kind, Stage, resolve_goals},
    workspace::parse_overrides,
};

pub(in crate::cli) fn check(world: &World, args: &RunArgs) -> miette::Result<Exit> {
    let RunArgs { words, how, format } = args;
    let built = Stage::Kind(Kind::Build);
    let (context, report, closed) = stage::bring_up_to_date(world, words, how, built)?;
    ui::summary(&context, &report, &world.global);
    if stage::exit(&report) != Exit::Success {
        if *format == Format::Json {
            ui::json_report(&context, &report)?;
        }
        closed?;
        return Ok(stage::exit(&report));
    }
    closed?;
    let _lock = stage::lock(&context.workspace.root, world)?;
    let (names, _) = parse_overrides(words);
    let goals = resolve_goals(&context.workspace, built, &names)?;
    let all = goals.contains(&Goal::Everything(built));
    let is_goal = |node: &crate::plan::Node| all || goals.contains(&Goal::Node(node.id.clone()));
    let wanted = context.plan.iter().filter(|(_, node)| node.kind == Kind::Build && is_goal(node));
    let wanted: Vec<Index> = wanted.map(|(index, _)| index).collect();
    let mut done: Vec<Checked> = Vec::new();
    exec::check(&context, &wanted, &report.outputs, jobs(how) as usize, &mut |checked| {
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
