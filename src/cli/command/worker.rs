//! The programs that envbuild is besides itself: a coordinator's worker, and rattler-build's patchelf.

use std::{ffi::OsString, process::ExitCode};

use crate::{
    build,
    cli::{Exit, args::WorkerArgs, signals, ui},
    elf, exec,
    rt::Rt,
};

pub(in crate::cli) fn worker(args: &WorkerArgs) -> miette::Result<Exit> {
    signals::die_together();
    build::log_to(std::io::stdout());
    let rt = Rt::new().map_err(|error| miette::miette!("the runtime cannot start: {error}"))?;
    match exec::worker(&rt, &args.job) {
        Ok(_) => Ok(Exit::Success),
        Err(error) => {
            // Into the log; the coordinator tells it to people.
            ui::note(&format!("error: {}", exec::tell(&error)));
            Ok(Exit::Failure)
        }
    }
}

/// What rattler-build's relinker calls when a run path has to grow.
pub(in crate::cli) fn patchelf(arguments: &[OsString]) -> ExitCode {
    match elf::patchelf(arguments) {
        Ok(text) => match ui::data(&text) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                ui::note(&format!("patchelf: {error}"));
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            ui::note(&format!("patchelf: {error}"));
            ExitCode::FAILURE
        }
    }
}
