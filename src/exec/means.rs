//! What work outside of a project is done with.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::Children;
use crate::{
    base::{Cancel, Network, Progress},
    rt::Rt,
};

/// The means of a backup, a restore or a copy.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// The runtime.
    pub rt: &'a Rt,
    /// The folder of caches.
    pub cache: &'a Path,
    /// Whether the network may be used.
    pub network: Network,
    /// The user's variables.
    pub environment: &'a BTreeMap<String, String>,
    /// Threads, at least one.
    pub threads: u32,
    /// The level of compression; none for the usual one.
    pub level: Option<i32>,
    /// Is told how far it has come.
    pub progress: Progress<'a>,
    /// The processes that it starts.
    pub children: &'a Children,
    /// When it is raised, everything is ended and what was written is deleted.
    pub cancel: &'a Cancel,
}

impl Means<'_> {
    /// The folder of unpacked packages.
    pub(super) fn packages(&self) -> PathBuf {
        // The name that rattler's own tools give it below the same root.
        self.cache.join("pkgs")
    }
}

/// The commands by which people call compilers.
const COMPILERS: &[&str] =
    &["cc", "c++", "gcc", "g++", "gfortran", "clang", "nvcc", "ftn", "mpicc", "mpicxx", "mpifort"];

/// The compilers on the `PATH`, each with the first line that it says of its version.
pub(super) fn compilers(environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let path = environment.get("PATH").map_or("", String::as_str);
    let version = |name: &str| {
        let program = path.split(':').map(|it| Path::new(it).join(name)).find(|it| it.is_file())?;
        let mut command = Command::new(program);
        let output = command.arg("--version").env_clear().envs(environment).stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().map(str::trim).find(|it| !it.is_empty())?;
        output.status.success().then(|| line.to_owned())
    };
    COMPILERS.iter().filter_map(|name| Some(((*name).to_owned(), version(name)?))).collect()
}
