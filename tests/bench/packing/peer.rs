//! conda-pack, in a virtual environment of its own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The version that is compared.
const VERSION: &str = "0.9.2";

/// An installed conda-pack.
pub(crate) struct CondaPack {
    program: PathBuf,
}

impl CondaPack {
    /// Installs it below `place`, unless it is there; says in one line why it cannot.
    pub(crate) fn get(place: &Path) -> Result<Self, String> {
        let venv = place.join("conda-pack");
        let peer = Self { program: venv.join("bin/conda-pack") };
        let works = |command: &mut Command| command.output().is_ok_and(|it| it.status.success());
        if !works(Command::new(&peer.program).arg("--version")) {
            if !works(Command::new("python3").args(["-m", "venv"]).arg(&venv)) {
                return Err("python3 with venv is not installed".to_owned());
            }
            let package = format!("conda-pack=={VERSION}");
            let mut pip = Command::new(venv.join("bin/python"));
            if !works(pip.args(["-m", "pip", "install", "--quiet", &package, "zstandard", "setuptools"])) {
                return Err(format!("pip does not install {package}"));
            }
        }
        Ok(peer)
    }

    /// Packs a prefix.
    pub(crate) fn pack(&self, prefix: &Path, goal: &Path, more: &[String]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("-q").arg("--force").arg("-p").arg(prefix).arg("-o").arg(goal).args(more);
        command
    }
}
