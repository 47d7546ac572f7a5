//! One more archive of an environment of the project, which no node remembers.

use super::{
    super::{World, target},
    digests,
    goal::Goal,
};
use crate::{
    adopt::Filters,
    base::{Progress, fs},
    cli::{
        Exit,
        args::Format,
        command::stage::{Ended, Reach, bring_up_to_date, exit},
        pack_args::PackArgs,
        project::jobs,
        ui,
    },
    exec::{self, Against, ArchiveRequest},
    plan::one_environment,
    workspace::parse_overrides,
};

/// Brings all that an archive needs up to date, and writes it.
pub(super) fn pack(world: &World, args: &PackArgs) -> miette::Result<Exit> {
    // What was named is looked at before anything is done.
    let goal = match &args.output {
        Some(file) => Goal::at(world, world.path(file), args)?,
        None => Goal::unnamed(args)?,
    };
    let filters = Filters::new(&args.filters.0)?;
    let target = args.target.as_ref().map(|word| target::meant(world, word)).transpose()?;
    if let Some(file) = &goal.file {
        fs::require_writable(file)?;
    }
    let kept = args.since.as_ref().map(|old| world.path(old));
    let since = kept.as_ref().map(|old| digests(old)).transpose()?;
    let ended = bring_up_to_date(world, &args.run.words, &args.run.how, Reach::before_packing_one())?;
    // The lock is held until the archive is written.
    let Ended { context, report, closed, lock: _lock } = ended;
    ui::summary(&context, &report, &world.global);
    let exit = exit(&report);
    if closed.is_err() || exit != Exit::Success {
        if args.run.format == Format::Json {
            ui::json_report(&context, &report)?;
        }
        closed?;
        return Ok(exit);
    }
    let (names, _) = parse_overrides(&args.run.words);
    let (index, _) = one_environment(&context.workspace, &names)?;
    let environment = &context.workspace.environments[index];
    let dest_prefix = args.dest_prefix.as_deref().or(environment.dest_prefix.as_deref());
    goal.require_place(dest_prefix)?;
    let bar = ui::Bar::new("packing", &world.global);
    let progress = |done, total| bar.at(done, total);
    let archived = exec::archived(
        &context,
        environment,
        &ArchiveRequest {
            format: goal.format,
            archive: goal.file.as_deref(),
            since: since.as_ref(),
            kept: kept.as_deref(),
            dest_prefix,
            arcroot: &args.arcroot,
            split: args.split,
            level: goal.level,
            threads: jobs(&args.run.how, &context.settings.machine),
            filters: Some(&filters),
            against: match &target {
                None => Against::Own,
                Some(None) => Against::Here,
                Some(Some(target)) => Against::Target(target),
            },
            progress: Progress::to(&progress),
        },
    );
    bar.close();
    let archived = archived?;
    ui::archived_text(&archived, &world.global);
    if args.run.format == Format::Json {
        ui::archived_json(&context, &report, &archived)?;
    }
    Ok(Exit::Success)
}
