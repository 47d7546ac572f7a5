//! `all`, `build`, `lock`, `install`, `test`, `pack`: run the plan up to a stage.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use super::{World, host_libraries};
use crate::{
    base::{Cancel, FileLock, FsError, fs},
    cli::{
        Exit,
        args::{Format, How, RunArgs},
        clock,
        project::{self, jobs, settings},
        signals, ui,
    },
    exec::{self, Children, Context, Local, Seen, settle},
    plan::{self, Stage, one_environment, resolve_goals},
    rt::Rt,
    run::{self, Failures, Options, Report},
    store::{Store, StoreError},
    workspace::parse_overrides,
};

pub(in crate::cli) fn run_stage(world: &World, args: RunArgs, stage: Stage) -> miette::Result<Exit> {
    let RunArgs { words, how, format } = args;
    let Ended { context, report, closed, .. } = bring_up_to_date(world, &words, &how, Reach::to(stage))?;
    ui::summary(&context, &report, &world.global);
    host_libraries::warn_of_installed(world, &context, &report);
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
    /// While it is held, nobody else's run takes this one's temporary files away. There is none where nothing can be
    /// written.
    pub(super) lock: Option<FileLock>,
}

/// How far a run goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// None for what has to be done before one environment can be packed.
    stage: Option<Stage>,
    update: bool,
}

impl Reach {
    /// Everything up to a stage.
    pub(super) fn to(stage: Stage) -> Self {
        Self { stage: Some(stage), update: false }
    }

    /// All that has to be done before the files of one environment can be packed.
    pub(super) fn before_packing_one() -> Self {
        Self { stage: None, update: false }
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
    let (cancel, children) = (Cancel::new(), Children::default());
    let screen = ui::Screen::default();
    let drawn = screen.clone();
    signals::watch(cancel.clone(), children.clone(), move || drawn.close());
    // The lock is taken before anything is read: a second run then sees what the first one made.
    let lock = match lock(&root, world, &cancel) {
        // What is up to date can be used where nothing can be written.
        Err(StoreError::ReadOnly(error)) => Err(error),
        taken => Ok(taken?),
    };
    if lock.is_ok() {
        fs::temporary_files_in(&Store::at(&root).scratch());
        // What a killed run was writing: archives, and the lock file.
        for folder in [root.join("dist"), root.clone()] {
            fs::sweep(&folder)?;
        }
    }
    let project = project::load(&world.global, &world.environment, &overrides)?;
    let settings = settings(&project, &world.environment, how, &overrides)?;
    let goals = match stage {
        Some(stage) => resolve_goals(&project.workspace, stage, &names)?,
        None => vec![one_environment(&project.workspace, &names)?.1],
    };
    let plan = plan::plan(&project.workspace, &goals)?;
    let rt = Rt::new().map_err(|error| miette::miette!("the runtime cannot start: {error}"))?;
    let updates = if update { plan.wanted(&goals) } else { BTreeSet::new() };
    let context = Context::new((project.workspace, project.stamps), plan, rt, settings).updating(updates);
    let context = Arc::new(context.stopped_by(cancel, children));
    let lock = match lock {
        Ok(lock) => lock,
        Err(error) => {
            let report = only_look(&context, error)?;
            return Ok(Ended { context, report, closed: Ok(()), lock: None });
        }
    };
    // Before anything is built: all that is wrong with the host in one report.
    exec::require_host(&context)?;
    if !context.workspace.packages.is_empty() {
        context.channel.create(context.workspace.platform)?;
        exec::withdraw_unrecorded(&context)?;
    }
    let machine = context.settings.machine;
    let options = Options {
        jobs: jobs(how, &machine) as usize,
        machine,
        claims: &run::claims(&context.plan, &context.workspace),
        expected: &|| run::expected(&context.plan, &|it| context.took(&context.plan.node(it).id)),
        failures: if how.keep_going { Failures::KeepGoing } else { Failures::Stop },
        cancel: &context.cancel,
    };
    let mut reporter = ui::reporter(&world.global, &context, screen);
    let look = |index, outputs: &_| settle(&context, index, outputs);
    let mut executor = Local::new(Arc::clone(&context));
    let started = Instant::now();
    let report = run::run(&context.plan, &look, &mut executor, &mut *reporter, &options);
    drop(reporter);
    let closed = close(&context, &report, started.elapsed().as_secs_f64());
    Ok(Ended { context, report, closed, lock: Some(lock) })
}

/// What is done when every node has ended.
fn close(context: &Context, report: &Report, seconds: f64) -> miette::Result<()> {
    exec::complete_index(context, &report.outputs)?;
    context.store.remember_run(report.last_run(clock::now(), seconds))?;
    // Only caches: a disk that is full costs the next run some time, not this one its result.
    drop(context.store.keep_briefs());
    drop(context.stamps.save());
    Ok(())
}

/// The report of a run that has nothing to do, in a project that cannot be written to.
fn only_look(context: &Context, unwritable: FsError) -> miette::Result<Report> {
    match exec::see(context)? {
        Seen::Fresh(outputs) => Ok(Report::of_fresh(&context.plan, outputs)),
        Seen::ToDo(node, reason) => Err(StoreError::ToDo { node, reason, unwritable }.into()),
    }
}

/// Locks the project against other runs.
pub(super) fn lock(root: &std::path::Path, world: &World, cancel: &Cancel) -> Result<FileLock, StoreError> {
    wait_for(world, |waiting| Store::at(root).lock(cancel, waiting))
}

/// Takes a lock of the project, and says for whom it waits.
pub(super) fn wait_for<T>(world: &World, take: impl FnOnce(&dyn Fn(&str)) -> T) -> T {
    let quiet = world.global.quiet;
    take(&|owner| {
        if !quiet {
            ui::note(&format!("waiting for {owner}, which works on this project"));
        }
    })
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
