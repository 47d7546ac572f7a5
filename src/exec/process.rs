//! Child processes, each the leader of a group of its own, so that a kill takes the grandchildren too.

use std::{
    collections::BTreeSet,
    fs::File,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitStatus},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{ExecError, family};
use crate::base::{Cancel, FsError, fs};

/// How long a script has that is asked to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The groups that are running. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Children(Arc<Mutex<BTreeSet<i32>>>);

impl Children {
    /// Asks every group to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
        // A group that is stopped hears the first signal only when it goes on.
        self.signal(Signal::CONT);
    }

    /// Asks every group to end, and ends what has not after five seconds.
    pub fn end(&self) {
        self.terminate();
        let children = self.clone();
        let later = move || {
            thread::sleep(PATIENCE);
            children.kill();
        };
        // Without the thread, a script that will not end is ended by a second Ctrl-C.
        drop(thread::Builder::new().name("ending".to_owned()).spawn(later));
    }

    /// Ends every group at once, and all that has left them.
    pub fn kill(&self) {
        let leaders: Vec<i32> = self.groups().iter().copied().collect();
        family::end_descendants(&leaders, &[]);
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        for group in self.groups().iter() {
            if let Some(group) = Pid::from_raw(*group) {
                // A group that has just ended is no error.
                let _ = kill_process_group(group, signal);
            }
        }
    }

    fn groups(&self) -> std::sync::MutexGuard<'_, BTreeSet<i32>> {
        self.0.lock().expect("no thread panics while it holds the list of children")
    }
}

/// Runs a command to its end with its output going to `log`.
pub(super) fn run(
    mut command: Command,
    log: &Path,
    children: &Children,
    cancel: &Cancel,
) -> Result<ExitStatus, ExecError> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = File::options()
        .create(true)
        .append(true)
        .open(log)
        .map_err(|source| FsError::new("open the log", log, source))?;
    let twin = file.try_clone().map_err(|source| FsError::new("open the log", log, source))?;
    command.stdout(file).stderr(twin).process_group(0);
    let program = command.get_program().to_string_lossy().into_owned();
    let start = |source| ExecError::Start { program: program.clone(), source };
    let (mut child, group) = {
        // Held over the start, so that a cancellation sees the child or the child is never started.
        let mut groups = children.groups();
        if cancel.is_cancelled() {
            return Err(ExecError::Cancelled);
        }
        let child = command.spawn().map_err(start)?;
        let group = child.id().cast_signed();
        groups.insert(group);
        (child, group)
    };
    let status = child.wait();
    // Whatever the child left behind in its group ends with it.
    if let Some(pid) = Pid::from_raw(group) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
    let mut groups = children.groups();
    groups.remove(&group);
    // What had left the group has come to this process; nothing is started meanwhile that could be taken for it.
    family::end_orphans(&groups);
    drop(groups);
    if cancel.is_cancelled() {
        return Err(ExecError::Cancelled);
    }
    status.map_err(start)
}
