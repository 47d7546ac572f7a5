//! `plan`: what a run would do.

use super::World;
use crate::{
    base::Cancel,
    cli::{
        Exit,
        args::{How, PlanArgs, PlanFormat},
        project::{self, settings},
        signals, ui,
    },
    exec::{Children, Context, HostPolicy, survey, unexpected_host},
    plan::{self, Stage, resolve_goals},
    rt::Rt,
    workspace::parse_overrides,
};

pub(in crate::cli) fn plan(world: &World, args: &PlanArgs) -> miette::Result<Exit> {
    let context = planned_until_stopped(world, &args.words)?;
    // Before anything asks for one set after the other.
    let unexpected = unexpected_host(&context)?;
    let statuses = survey(&context)?;
    if let Some(errors) = unexpected {
        for problem in errors.problems() {
            ui::note(&format!("this host: {problem}"));
        }
        ui::note("what is bound to the host counts as out of date here");
    }
    match args.format {
        PlanFormat::Text => ui::plan_text(&context, &statuses, &world.global)?,
        PlanFormat::Json => ui::plan_json(&context.plan, &statuses)?,
        PlanFormat::Dot => ui::plan_dot(&context.plan, &statuses)?,
        PlanFormat::Svg => ui::plan_svg(&context.plan, &statuses)?,
    }
    Ok(Exit::Success)
}

/// The plan for some goals, with everything that a look at it needs; nothing is written.
pub(super) fn planned(world: &World, words: &[String]) -> miette::Result<Context> {
    let (names, overrides) = parse_overrides(words);
    let project = project::load(&world.global, &world.environment, &overrides)?;
    let how = How { jobs: None, keep_going: false, offline: true, locked: true };
    let mut settings = settings(&project, &world.environment, &how, &overrides)?;
    settings.host_policy = HostPolicy::Expected;
    let goals = resolve_goals(&project.workspace, Stage::All, &names)?;
    let plan = plan::plan(&project.workspace, &goals)?;
    let rt = Rt::new().map_err(|error| miette::miette!("the runtime cannot start: {error}"))?;
    Ok(Context::new((project.workspace, project.stamps), plan, rt, settings))
}

/// The same, for a command that may have to wait for modules: Ctrl-C ends their shells, too.
pub(super) fn planned_until_stopped(world: &World, words: &[String]) -> miette::Result<Context> {
    let (cancel, children) = (Cancel::new(), Children::default());
    signals::watch(cancel.clone(), children.clone(), || {});
    Ok(planned(world, words)?.stopped_by(cancel, children))
}
