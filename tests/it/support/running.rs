//! A program that is still running, and processes that should not be.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Project, Ran};

/// How long anything in these tests may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run of the program in the background.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(project: &Project, arguments: &[&str]) -> Self {
        let mut command = project.command(arguments);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    pub(crate) fn wait(self) -> Ran {
        Ran::new(self.0.wait_with_output().unwrap())
    }
}

/// A build script that says that it runs and then waits for a file, and how the test talks to it.
#[derive(Debug)]
pub(crate) struct Gate(PathBuf);

impl Gate {
    /// A gate whose files are in this folder.
    pub(crate) fn new(folder: PathBuf) -> Self {
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// The lines of the script. A process of their own waits, as a compiler would work.
    pub(crate) fn script(&self) -> String {
        let folder = self.0.display();
        format!(
            "echo $$ > '{folder}/pid.part'; mv '{folder}/pid.part' '{folder}/pid'; until [ -e '{folder}/open' ]; do sleep 0.02; done"
        )
    }

    pub(crate) fn open(&self) {
        fs::write(self.0.join("open"), "").unwrap();
    }

    /// Waits until the script runs, and gives its process.
    #[track_caller]
    pub(crate) fn reached(&self) -> u32 {
        let pid = self.0.join("pid");
        eventually("the script runs", || pid.exists());
        fs::read_to_string(pid).unwrap().trim().parse().unwrap()
    }
}

/// Waits for something that happens in another process.
#[track_caller]
pub(crate) fn eventually(what: &str, happened: impl Fn() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process works. One that has ended and was not waited for does not.
pub(crate) fn is_alive(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// The processes whose command line names a path.
pub(crate) fn processes_naming(path: &Path) -> Vec<u32> {
    let named = |process: &u32| {
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&*path.to_string_lossy())
    };
    let all = fs::read_dir("/proc").unwrap().filter_map(|it| it.unwrap().file_name().to_str()?.parse().ok());
    all.filter(named).filter(|it| is_alive(*it)).collect()
}
