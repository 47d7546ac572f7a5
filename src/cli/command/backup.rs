//! `backup`, `restore` and `clone`: a prefix as a folder that brings it back, and as a copy.

use std::path::PathBuf;

use super::{
    World,
    host_libraries::{self, Place},
};
use crate::{
    adopt::Editables,
    backup::Sharing,
    base::{Cancel, Network, Progress, Scratch},
    cli::{
        Exit,
        args::{BackupArgs, CloneArgs, RestoreArgs, RestoreBy},
        exit::unless_stopped,
        kinds::{ENVIRONMENT, require_folder},
        outside::{require_not_ours, require_outside},
        project::{self, UsageError},
        signals, ui,
    },
    exec::{self, BackupRequest, Children, Cloned, ExecError, Machine, Means, Restored, Saved, Way},
    rt::Rt,
};

pub(in crate::cli) fn backup(world: &World, args: &BackupArgs) -> miette::Result<Exit> {
    unless_stopped(backup_prefix(world, args), Some(&world.path(&args.output)))
}

fn backup_prefix(world: &World, args: &BackupArgs) -> miette::Result<Exit> {
    let (prefix, folder) = (world.path(&args.prefix), world.path(&args.output));
    require_folder(&prefix, "backup", ENVIRONMENT)?;
    require_outside(&prefix, &folder)?;
    require_not_ours(&folder)?;
    let test = args.test.as_ref().map(|it| world.path(it));
    // The drill comes last: hours may have gone by.
    if let Some(path) = test.as_ref().filter(|it| !it.is_file()) {
        return Err(UsageError::NoFile { option: "--test <SCRIPT>", path: path.clone() }.into());
    }
    let editables = match (args.ignore_editable, args.include_editable) {
        (true, _) => Editables::LeaveOut,
        (_, true) => Editables::Include,
        _ => Editables::Refuse,
    };
    let own = project::own_places(&world.global, &prefix);
    let saved = with_means(world, args.jobs, Network::Offline, "backing up", |means| {
        let request = BackupRequest { prefix: &prefix, folder: &folder, test: test.as_deref(), editables, own: &own };
        exec::backup(means, &request)
    })?;
    let Saved { drill, bytes, warnings } = saved;
    warn(&warnings);
    for problem in &drill.problems {
        ui::note(&format!("the drill: {problem}"));
    }
    let test = match &drill.test {
        None => "no test was given".to_owned(),
        Some(test) if test.passed => format!("{} passed", test.script),
        Some(test) => format!("{} failed with {}; its words are in drill.log", test.script, test.status),
    };
    let verdict = if drill.passed { "pass" } else { "fail" };
    if !world.global.quiet || !drill.passed {
        ui::note(&format!(
            "backed up {} into {}, {}; the restore drill: {verdict} ({} files, {test})",
            prefix.display(),
            folder.display(),
            ui::bytes(bytes),
            drill.files
        ));
    }
    Ok(if drill.passed { Exit::Success } else { Exit::Failure })
}

pub(in crate::cli) fn restore(world: &World, args: &RestoreArgs) -> miette::Result<Exit> {
    unless_stopped(restore_prefix(world, args), Some(&world.path(&args.prefix)))
}

fn restore_prefix(world: &World, args: &RestoreArgs) -> miette::Result<Exit> {
    let (folder, prefix) = (world.path(&args.folder), world.path(&args.prefix));
    require_folder(&folder, "restore", "a backup")?;
    require_not_ours(&prefix)?;
    let network = if args.offline { Network::Offline } else { Network::Online };
    let only = args.by.map(|it| match it {
        RestoreBy::Pack => Way::Pack,
        RestoreBy::Explicit => Way::Explicit,
        RestoreBy::Environment => Way::Environment,
    });
    let restored =
        with_means(world, args.jobs, network, "restoring", |means| exec::restore(means, &folder, &prefix, only))?;
    let Restored { way, refused, differences, warnings } = restored;
    for difference in &differences {
        ui::note(&format!("difference: {difference}"));
    }
    warn(&refused);
    warn(&warnings);
    if !world.global.quiet {
        ui::note(&format!("restored {} by {way}", prefix.display()));
    }
    host_libraries::warn(&prefix, &world.environment);
    Ok(Exit::Success)
}

pub(in crate::cli) fn clone(world: &World, args: &CloneArgs) -> miette::Result<Exit> {
    unless_stopped(clone_prefix(world, args), Some(&world.path(&args.prefix)))
}

fn clone_prefix(world: &World, args: &CloneArgs) -> miette::Result<Exit> {
    let from = match host_libraries::find(world, &args.what)? {
        Place::Prefix(prefix) => prefix,
        Place::Archive(path) | Place::Bundle(path) => {
            return Err(UsageError::AnArchive { path, command: "clone", wanted: ENVIRONMENT }.into());
        }
    };
    let to = world.path(&args.prefix);
    require_outside(&from, &to)?;
    require_not_ours(&to)?;
    let sharing = if args.copy { Sharing::None } else { Sharing::Any };
    let cloned =
        with_means(world, args.jobs, Network::Offline, "copying", |means| exec::clone(means, &from, &to, sharing))?;
    let Cloned { copied, replaced, warnings } = cloned;
    warn(&warnings);
    if !world.global.quiet {
        ui::note(&format!(
            "copied {} files ({}) into {}: {} reflinks, {} hard links, {replaced} with the new prefix",
            copied.files,
            ui::bytes(copied.bytes),
            to.display(),
            copied.reflinked,
            copied.linked
        ));
    }
    Ok(Exit::Success)
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        ui::note(&format!("warning: {warning}"));
    }
}

/// Does work with a bar for who waits, until somebody stops it.
fn with_means<T>(
    world: &World,
    jobs: Option<u32>,
    network: Network,
    doing: &'static str,
    work: impl FnOnce(&Means<'_>) -> Result<T, ExecError>,
) -> miette::Result<T> {
    let (cancel, children) = (Cancel::new(), Children::default());
    signals::watch_children(cancel.clone(), children.clone());
    let rt = Rt::new().map_err(|error| miette::miette!("the runtime cannot start: {error}"))?;
    // Whoever has no place for caches gets one for this once.
    let (_scratch, cache): (Option<Scratch>, PathBuf) = match project::cache(&world.environment) {
        Some(cache) => (None, cache),
        None => {
            let scratch = Scratch::new()?;
            let cache = scratch.path().to_owned();
            (Some(scratch), cache)
        }
    };
    let bar = ui::Bar::new(doing, &world.global);
    let done = work(&Means {
        rt: &rt,
        cache: &cache,
        network,
        environment: &world.environment,
        threads: jobs.unwrap_or_else(|| Machine::probe().cpus),
        level: None,
        progress: Progress::to(&|done, total| bar.at(done, total)),
        children: &children,
        cancel: &cancel,
    });
    drop(bar);
    Ok(done?)
}
