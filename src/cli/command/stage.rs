//! `all`, `build`, `lock`, `install`, `test`, `pack`: run the plan up to a stage.

use std::{collections::BTreeSet, sync::Arc};

use super::World;
use crate::{
    base::{FileLock, fs},
    cli::{
        Exit,
        args::{Format, How, RunArgs},
        project::{self, jobs, settings},
        signals, ui,
    },
    exec::{self, Context, Local, settle},
    plan::{self, Stage, resolve_goals},
    rt::Rt,
    run::{self, Failures, Options, Report},
    store::Store,
    workspace::parse_overrides,
};

pub(in crate::cli) fn run_stage(world: &World, args: RunArgs, stage: Stage) -> miette::Result<Exit> {
    let RunArgs { words, how, format } = args;
    let Ended { context, report, closed, .. } = bring_up_to_date(world, &words, &how, Reach::to(stage))?;
    ui::summary(&context, &report, &world.global);
    if format == Format::Json {
        ui::json_report(&context, &report)?;
    }
    closed?;
    Ok(exit(&report))
}

/// A run whose nodes have all ended.
pub(super) struct Ended {
    /// The project.
    pub(super) context: Arc<Context>,
    /// How the nodes went.
    pub(super) report: Report,
    /// What went wrong after the nodes: how they went has to be told first.
    pub(super) closed: miette::Result<()>,
    /// While it is held, nobody else's run takes this one's temporary files away.
    pub(super) lock: FileLock,
}

/// How far a run goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    stage: Stage,
    update: bool,
}

impl Reach {
    /// Everything up to a stage.
    pub(super) fn to(stage: Stage) -> Self {
        Self { stage, update: false }
    }

    /// Whatever is asked for and locked moves to the newest that satisfies.
    pub(super) fn updating(self, update: bool) -> Self {
        Self { update, ..self }
    }
}

/// Plans and runs. Also used by commands that need something to be up to date first.
pub(super) fn bring_up_to_date(
    world: &World,
    words: &[String],
    how: &How,
    Reach { stage, update }: Reach,
) -> miette::Result<Ended> {
    let (names, overrides) = parse_overrides(words);
    let root = project::find(&world.global)?;
    // The lock is taken before anything is read: a second run then sees what the first one made.
    let lock = lock(&root, world)?;
    fs::temporary_files_in(&Store::at(&root).scratch())?;
    // What a killed run was writing: archives, and the lock file.
    for folder in [root.join("dist"), root.clone()] {
        fs::sweep(&folder)?;
    }
    let project = project::load(&world.global, &world.environment, &overrides)?;
    let settings = settings(&project, &world.environment, how, &overrides)?;
    let goals = resolve_goals(&project.workspace, stage, &names)?;
    let plan = plan::plan(&project.workspace, &goals)?;
    let rt = Rt::new().map_err(|error| miette::miette!("the runtime cannot start: {error}"))?;
    let updates = if update { plan.wanted(&goals) } else { BTreeSet::new() };
    let context = Arc::new(Context::new(project.workspace, plan, rt, settings).updating(updates));
    signals::watch(context.cancel.clone(), context.children.clone());
    if !context.workspace.packages.is_empty() {
        context.channel.create(context.workspace.platform)?;
        exec::withdraw_unrecorded(&context)?;
    }
    let options = Options {
        jobs: jobs(how) as usize,
        failures: if how.keep_going { Failures::KeepGoing } else { Failures::Stop },
        cancel: &context.cancel,
    };
    let mut reporter = ui::reporter(&world.global, &context);
    let look = |index, outputs: &_| settle(&context, index, outputs);
    let mut executor = Local::new(Arc::clone(&context));
    let report = run::run(&context.plan, &look, &mut executor, &mut *reporter, &options);
    drop(reporter);
    let closed = close(&context, &report);
    Ok(Ended { context, report, closed, lock })
}

/// What is done when every node has ended.
fn close(context: &Context, report: &Report) -> miette::Result<()> {
    exec::complete_index(context, &report.outputs)?;
    Ok(context.store.remember_run(report.last_run())?)
}

/// Locks the project against other runs.
fn lock(root: &std::path::Path, world: &World) -> miette::Result<FileLock> {
    let quiet = world.global.quiet;
    Ok(Store::at(root).lock(|owner| {
        if !quiet {
            ui::note(&format!("waiting for {owner}, which works on this project"));
        }
    })?)
}

/// How a run ends the program.
pub(super) fn exit(report: &Report) -> Exit {
    let counts = report.counts();
    if report.stopped {
        Exit::Stopped
    } else if counts.failed + counts.skipped > 0 {
        Exit::Failure
    } else {
        Exit::Success
    }
}
