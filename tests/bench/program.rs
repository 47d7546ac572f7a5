//! The program that is measured, in an environment that is the same for everybody.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use super::project::Project;

/// envbuild in a project, with caches below `place`.
pub(crate) fn envbuild(project: &Project, place: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_envbuild"));
    command.args(arguments).current_dir(&project.root);
    command.env("HOME", place.join("home")).env("ENVBUILD_CACHE_DIR", place.join("cache"));
    command.env("ENVBUILD_SCRATCH", place.join("scratch"));
    for name in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "ENVBUILD_CHANNELS", "ENVBUILD_SOURCE_MIRROR"] {
        command.env_remove(name);
    }
    command
}

/// Whether a program is there and answers; its first line then.
pub(crate) fn version(program: &str, arguments: &[&str]) -> Option<String> {
    let ran = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    ran.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}
