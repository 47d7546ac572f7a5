//! The programs that envbuild is besides itself: a coordinator's worker, and rattler-build's patchelf.

use std::{ffi::OsString, process::ExitCode};

use miette::{IntoDiagnostic as _, WrapErr as _};

use crate::{
    build,
    cli::{Environment, Exit, args::WorkerArgs, signals, ui},
    elf, exec,
    rt::Rt,
};

pub(in crate::cli) fn worker(args: &WorkerArgs) -> miette::Result<Exit> {
    signals::die_together(args.guard);
    let Some(guard) = args.guard else {
        let program = std::env::current_exe().into_diagnostic().wrap_err("this program does not know its own path")?;
        let status = exec::guard(&program, &args.job)?;
        return Ok(if status.success() { Exit::Success } else { Exit::Failure });
    };
    build::log_to(std::io::stdout());
    let rt = Rt::new().map_err(|error| miette::miette!("the runtime cannot start: {error}"))?;
    match exec::worker(&rt, &args.job, guard) {
        Ok(_) => Ok(Exit::Success),
        Err(error) => {
            // Into the log; the coordinator tells it to people.
            ui::note(&format!("error: {}", exec::tell(&error)));
            Ok(Exit::Failure)
        }
    }
}

/// The make that builds find first.
pub(in crate::cli) fn make(arguments: &[OsString], environment: &Environment) -> ExitCode {
    let variable = |name: &str| environment.get(name).map(String::as_str);
    let error = exec::make(arguments, variable("PATH"), variable("MAKEFLAGS"));
    ui::note(&format!("make: {error}"));
    ExitCode::from(127)
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
