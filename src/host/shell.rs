//! A bash that begins with nothing: what it finds is the machine's, not the user's.

use std::{
    fs::File,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::HostError;
use crate::base::{Cancel, FsError, fs};

/// Where programs are before any module has been loaded, the same for every user.
pub(super) const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/// A home that nobody has, so that no personal settings are read, and a user of no account. Nix does the same.
pub(super) const HOME: &str = "/homeless-shelter";

/// What bounds a script.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits<'a> {
    /// Raised when the run must stop.
    pub(super) cancel: &'a Cancel,
    /// How long it may take.
    pub(super) patience: Duration,
}

impl<'a> Limits<'a> {
    /// The modules of one set may be loaded from a slow file system.
    pub(super) fn of(cancel: &'a Cancel) -> Self {
        Self { cancel, patience: Duration::from_secs(120) }
    }
}

/// How often a child is asked whether it is done.
const PAUSE: Duration = Duration::from_millis(2);

/// What a script said.
pub(super) struct Said {
    pub(super) status: ExitStatus,
    pub(super) out: String,
    pub(super) errors: String,
}

/// A command that runs bash without any file of the user's, in an empty environment.
pub(super) fn bash() -> Command {
    let mut command = Command::new("/bin/bash");
    command.args(["--noprofile", "--norc"]).env_clear().current_dir("/");
    for (name, value) in [
        ("PATH", PATH),
        ("HOME", HOME),
        ("USER", "envbuild"),
        ("LOGNAME", "envbuild"),
        ("SHELL", "/bin/bash"),
        ("TERM", "dumb"),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        // Messages as plain lines, whatever the site has chosen.
        ("LMOD_COLORIZE", "no"),
        ("LMOD_PAGER", "none"),
        ("MODULES_COLOR", "never"),
        ("MODULES_PAGER", ""),
    ] {
        command.env(name, value);
    }
    command
}

/// Runs a command to its end with what it says in files of the folder `at`. `what` names it where it takes too long.
pub(super) fn run(mut command: Command, at: &Path, what: &str, limits: Limits<'_>) -> Result<Said, HostError> {
    let Limits { cancel, patience } = limits;
    let (out, errors) = (at.join("stdout"), at.join("stderr"));
    let create = |path: &Path| File::create(path).map_err(|source| FsError::new("write", path, source));
    command.stdin(Stdio::null()).stdout(create(&out)?).stderr(create(&errors)?).process_group(0);
    let mut child = command.spawn().map_err(|source| HostError::Shell { source: source.into() })?;
    let group = Pid::from_raw(child.id().cast_signed());
    let end = || {
        if let Some(group) = group {
            // Whatever is left of it; a group that has ended is no error.
            let _ = kill_process_group(group, Signal::KILL);
        }
    };
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|source| HostError::Shell { source: source.into() })? {
            break status;
        }
        if cancel.is_cancelled() || started.elapsed() > patience {
            end();
            let _ = child.wait();
            let late = HostError::Slow { what: what.to_owned(), seconds: patience.as_secs(), at: None };
            return Err(if cancel.is_cancelled() { HostError::Cancelled } else { late });
        }
        thread::sleep(PAUSE);
    };
    end();
    let text = |path: &Path| fs::read(path).map(|it| String::from_utf8_lossy(&it).trim().to_owned());
    Ok(Said { status, out: text(&out)?, errors: text(&errors)? })
}
