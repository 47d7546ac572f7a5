//! The process between the coordinator and the one that builds. It takes in whatever the build leaves without a parent, so
//! that all of it can be found and ended: with the build, and when the run is stopped or killed.

use std::{
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, ExitStatus},
};

use rustix::process::{Signal, getpid, kill_current_process_group, kill_process, set_parent_process_death_signal};

use super::{ExecError, family};

/// Runs the builder for a job to its end, and ends what it left.
///
/// # Errors
/// When it cannot be started or waited for.
pub fn guard(program: &Path, job_file: &Path) -> Result<ExitStatus, ExecError> {
    die_with_parent();
    family::take_orphans(true);
    let me = getpid().as_raw_nonzero().get();
    let mut command = Command::new(program);
    command.arg("worker").arg("--job").arg(job_file).arg("--guard").arg(me.to_string());
    let start = |source| ExecError::Start { program: program.display().to_string(), source };
    let status = command.spawn().and_then(|mut child| child.wait()).map_err(start)?;
    family::end_descendants(&[me], &[]);
    if let Some(signal) = status.signal().and_then(Signal::from_named_raw) {
        // The coordinator hears how the builder ended.
        let _ = kill_process(getpid(), signal);
    }
    Ok(status)
}

/// A coordinator that is killed takes its workers along: nobody would read their results.
pub(super) fn die_with_parent() {
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
}

/// Ends this build at once: what was started for it, the builder and its guard.
pub fn end_all(guard: Option<i32>) {
    let me = getpid().as_raw_nonzero().get();
    let guard = guard.unwrap_or(me);
    family::end_descendants(&[guard, me], &[guard, me]);
    let _ = kill_current_process_group(Signal::KILL);
}
