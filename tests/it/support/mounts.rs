//! Folders that are read-only, small, or another user's, for the programs of one test only.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::{Project, Ran, skip};

/// A view of the file system in which other things are mounted. Nobody else sees them, and they go with it.
#[derive(Debug)]
pub(crate) struct Mounts {
    holder: Child,
    is_root: bool,
}

impl Mounts {
    /// Mounts what a shell script says. Nothing when this machine does not let us.
    pub(crate) fn new(script: &str) -> Option<Self> {
        let is_root = rustix::process::geteuid().is_root();
        let mut command = Command::new("unshare");
        command.args(if is_root { &["-m"][..] } else { &["-r", "-m"] });
        command.args(["sh", "-ec", &format!("{script}\necho ready; exec sleep 86400")]);
        let holder = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let Ok(mut holder) = holder else {
            skip("unshare(1)");
            return None;
        };
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mounts = Self { holder, is_root };
        if line.trim() != "ready" {
            skip("permission to mount");
            return None;
        }
        Some(mounts)
    }

    /// A folder that cannot be written to.
    pub(crate) fn read_only(folder: &Path) -> Option<Self> {
        let folder = folder.display();
        Self::new(&format!("mount --bind '{folder}' '{folder}'; mount -o remount,bind,ro '{folder}'"))
    }

    /// Runs a command that sees what is mounted.
    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-m"]);
        if !self.is_root {
            command.args(["-U", "--preserve-credentials"]);
        }
        command.arg("--");
        command
    }

    /// Runs a shell script there, which has to succeed.
    #[track_caller]
    pub(crate) fn shell(&self, script: &str) {
        let ran = Ran::new(self.enter().args(["sh", "-ec", script]).output().unwrap());
        ran.success();
    }

    /// Runs the program there, in a folder, with a project's environment.
    #[track_caller]
    pub(crate) fn run(&self, project: &Project, folder: &Path, arguments: &[&str]) -> Ran {
        let mut command = self.enter();
        command.arg(env!("CARGO_BIN_EXE_envbuild")).arg("-C").arg(folder).args(arguments);
        project.pin(&mut command);
        Ran::new(command.output().unwrap())
    }

    /// A path there, as it can be looked at from here.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.holder.id(), path.display()))
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        // What is mounted goes with the last process that sees it.
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}
