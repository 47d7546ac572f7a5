//! One clean bash that sources scripts, with a limit to its time.

use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use super::{
    LintError,
    driver::{Plan, driver},
    snapshot::{self, Snapshot},
};
use crate::base::{FsError, fs};

/// How a session is set up.
pub(super) struct Setup<'a> {
    /// An empty folder for what it writes; it is the working directory, too.
    pub(super) folder: &'a Path,
    /// The scripts in the order in which they are sourced.
    pub(super) scripts: &'a [PathBuf],
    /// All of the environment.
    pub(super) variables: &'a BTreeMap<String, String>,
    /// Whether a variable that is not set ends the shell.
    pub(super) strict: bool,
    /// The longest that it may take.
    pub(super) limit: Duration,
}

/// How a session went.
pub(super) struct Session {
    /// The states before the first script and after each; fewer when the shell ended before.
    pub(super) states: Vec<Snapshot>,
    /// The status of each script that came to its end.
    pub(super) statuses: Vec<i32>,
    /// The script that was being sourced at the end, if one was.
    pub(super) open: Option<usize>,
    /// Whether the limit ended it.
    pub(super) hung: bool,
    /// Whether it left processes behind.
    pub(super) left: bool,
    /// The last line that was said.
    pub(super) said: Option<String>,
}

impl Session {
    /// Whether every script was sourced to its end.
    pub(super) fn is_whole(&self) -> bool {
        !self.hung && self.open.is_none()
    }
}

/// How often is looked whether bash has ended.
const PERIOD: Duration = Duration::from_millis(10);

/// Runs a session to its end.
pub(super) fn run(setup: &Setup<'_>) -> Result<Session, LintError> {
    for folder in ["work", "tmp"] {
        fs::create_dir_all(&setup.folder.join(folder))?;
    }
    let (script, output) = (setup.folder.join("driver.sh"), setup.folder.join("said"));
    // The clock is the limit that counts. This one is for what has left the group.
    let seconds = 2 * setup.limit.as_secs();
    let plan = Plan { scripts: setup.scripts, folder: setup.folder, strict: setup.strict, seconds };
    fs::write_atomic(&script, driver(&plan).as_bytes())?;
    let said = File::create(&output).map_err(|source| FsError::new("make", &output, source))?;
    let twin = said.try_clone().map_err(|source| FsError::new("make", &output, source))?;
    let child = Command::new("bash")
        .args(["--noprofile", "--norc"])
        .arg(&script)
        .env_clear()
        .envs(setup.variables)
        .env("TMPDIR", setup.folder.join("tmp"))
        .current_dir(setup.folder.join("work"))
        .stdin(Stdio::null())
        .stdout(said)
        .stderr(twin)
        // So that all that it starts can be ended with it.
        .process_group(0)
        .spawn();
    let mut child = child.map_err(|error| LintError::NoBash { reason: error.to_string() })?;
    let group = Pid::from_raw(child.id().cast_signed()).expect("a process has a number");
    let ended = wait(&mut child, setup.limit);
    let left = outlives(group);
    // A group that is empty is no error.
    let _ = kill_process_group(group, Signal::KILL);
    let status = match ended {
        Ok(Some(status)) => Some(status),
        Ok(None) => {
            drop(child.wait());
            None
        }
        Err(error) => return Err(FsError::new("wait for", "bash", error).into()),
    };
    account(setup, status, left)
}

/// Whether there is somebody in a group whose leader has ended; who is about to end does not count.
fn outlives(group: Pid) -> bool {
    for _ in 0..20 {
        if test_kill_process_group(group).is_err() {
            return false;
        }
        thread::sleep(PERIOD);
    }
    true
}

/// The status, or nothing when the time is over.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let mut rounds = limit.as_millis() / PERIOD.as_millis();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if rounds == 0 {
            return Ok(None);
        }
        rounds -= 1;
        thread::sleep(PERIOD);
    }
}

/// Reads what the session has written.
fn account(setup: &Setup<'_>, status: Option<ExitStatus>, left: bool) -> Result<Session, LintError> {
    let mut states = Vec::new();
    for number in 0..=setup.scripts.len() {
        let Some(state) = snapshot::read(&setup.folder.join(number.to_string()))? else { break };
        states.push(state);
    }
    let told = fs::read_if_there(&setup.folder.join("told"))?.unwrap_or_default();
    let mut statuses = Vec::new();
    let mut open = None;
    for line in String::from_utf8_lossy(&told).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["begin", number] => open = number.parse::<usize>().ok().map(|it| it - 1),
            ["end", _, status] => {
                open = None;
                statuses.push(status.parse().unwrap_or(1));
            }
            _ => {}
        }
    }
    // Nobody else has a reason to kill it, and the processor's limit is one of time, too.
    let out_of_time = status.is_none_or(|it| it.signal() == Some(Signal::KILL.as_raw()));
    let said = fs::read(&setup.folder.join("said"))?;
    let said = String::from_utf8_lossy(&said[said.len().saturating_sub(LAST)..]).into_owned();
    let said = said.lines().rev().map(str::trim).find(|it| !it.is_empty()).map(str::to_owned);
    Ok(Session { states, statuses, open, hung: out_of_time, left: left && status.is_some(), said })
}

/// How many bytes of the end of what was said are looked at.
const LAST: usize = 4096;
