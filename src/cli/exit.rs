//! Exit statuses. They are few, and the book lists them.

use std::{path::Path, process::ExitCode};

use crate::{
    adopt::AdoptErrors, base::LockError, channel::ChannelError, exec::ExecError, host::HostErrors,
    manifest::ManifestErrors, pack::PackError, plan::PlanError, store::StoreError, unpack::UnpackError,
    workspace::WorkspaceErrors,
};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything that was asked for is done, or was done already.
    Success,
    /// 1: something that had to be done went wrong, a second build differs, or a host's library does.
    Failure,
    /// 2: the command line is wrong: an unknown option, goal or axis, or no project.toml.
    Usage,
    /// 3: the project is wrong: project.toml or a recipe.
    Project,
    /// 130: stopped by Ctrl-C or a termination signal.
    Stopped,
    /// The status of the command that `envbuild run` ran.
    Command(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Project => 3,
            Exit::Stopped => 130,
            Exit::Command(status) => status,
        })
    }
}

/// The status that an error stands for.
pub(super) fn of_error(error: &miette::Report) -> Exit {
    if error.downcast_ref::<super::project::UsageError>().is_some() {
        return Exit::Usage;
    }
    if let Some(StoreError::Stopped) = error.downcast_ref() {
        return Exit::Stopped;
    }
    if let Some(ChannelError::Locked(LockError::Stopped(_))) = error.downcast_ref() {
        return Exit::Stopped;
    }
    if let Some(errors) = error.downcast_ref::<HostErrors>()
        && errors.is_cancelled()
    {
        return Exit::Stopped;
    }
    if let Some(ExecError::Cancelled) = error.downcast_ref() {
        return Exit::Stopped;
    }
    if let Some(UnpackError::Stopped | UnpackError::StoppedHalfway(_)) = error.downcast_ref() {
        return Exit::Stopped;
    }
    if error.downcast_ref::<AdoptErrors>().is_some_and(AdoptErrors::is_stopped) {
        return Exit::Stopped;
    }
    if let Some(PackError::Stopped) = error.downcast_ref() {
        return Exit::Stopped;
    }
    if let Some(
        PlanError::UnknownGoals { .. }
        | PlanError::NoStage { .. }
        | PlanError::NothingToLock { .. }
        | PlanError::OneEnvironment { .. },
    ) = error.downcast_ref()
    {
        return Exit::Usage;
    }
    if let Some(errors) = error.downcast_ref::<WorkspaceErrors>() {
        return if errors.only_overrides() { Exit::Usage } else { Exit::Project };
    }
    if error.downcast_ref::<ManifestErrors>().is_some() || error.downcast_ref::<PlanError>().is_some() {
        return Exit::Project;
    }
    Exit::Failure
}

/// Tells that something was stopped by whoever uses the program, which is no failure: everything is whole, at the goal too.
pub(super) fn unless_stopped(done: miette::Result<Exit>, goal: Option<&Path>) -> miette::Result<Exit> {
    match done {
        Err(error) if of_error(&error) == Exit::Stopped => {
            super::ui::stopped(goal);
            Ok(Exit::Stopped)
        }
        done => done,
    }
}

/// Ends the process now, on a second Ctrl-C. What is on disk is whole at any moment, so nothing has to be tidied up.
#[expect(clippy::exit, clippy::disallowed_methods, reason = "a second Ctrl-C means now")]
pub(super) fn at_once() -> ! {
    std::process::exit(130)
}
