//! The compilers that a build would find. A build depends on them whether it says so or not.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    File, HostError,
    fact::identify,
    shell::{self, Limits},
};
use crate::base::{Digest, Stamps, fs};

/// A compiler, or a wrapper of one.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Compiler {
    /// Where it was found.
    pub path: PathBuf,
    /// The first line that it says of its version.
    pub version: String,
    /// What it holds.
    pub file: File,
}

/// The commands by which build systems look for compilers of C, C++ and Fortran, those of MPI's wrappers among them.
const COMMANDS: &[&str] =
    &["cc", "c++", "gcc", "g++", "gfortran", "clang", "clang++", "ftn", "CC", "mpicc", "mpicxx", "mpifort"];

/// The variables that name a compiler.
const NAMING: &[&str] = &["CC", "CXX", "FC", "F77", "F90", "MPICC", "MPICXX", "MPIFC"];

/// The compilers on the PATH of an environment and those that its variables name.
pub(super) fn compilers(
    environment: &BTreeMap<String, String>,
    stamps: &Stamps,
    limits: Limits<'_>,
) -> Result<BTreeMap<String, Compiler>, HostError> {
    let named = NAMING.iter().filter_map(|it| environment.get(*it)?.split_whitespace().next());
    let commands: BTreeSet<&str> = COMMANDS.iter().copied().chain(named).collect();
    let mut found = BTreeMap::new();
    for command in commands {
        let Some(path) = on_path(command, environment) else { continue };
        let Some(file) = identify(&path, stamps)? else { continue };
        let version = version((command, &path), environment, stamps, limits)?;
        // The name by which it was asked for, without a folder.
        let name = command.rsplit('/').next().unwrap_or(command).to_owned();
        found.insert(name, Compiler { path, version, file });
    }
    Ok(found)
}

/// Where a command is, as a shell would find it.
pub(super) fn on_path(command: &str, environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let executable = |it: &PathBuf| it.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
    if command.contains('/') {
        return Some(PathBuf::from(command)).filter(executable);
    }
    let folders = environment.get("PATH").map_or(shell::PATH, String::as_str);
    folders.split(':').filter(|it| it.starts_with('/')).map(|it| Path::new(it).join(command)).find(executable)
}

/// What it says of itself. It is asked when its file is not the one that was asked before in the same environment.
fn version(
    (command, path): (&str, &Path),
    environment: &BTreeMap<String, String>,
    stamps: &Stamps,
    limits: Limits<'_>,
) -> Result<String, HostError> {
    let line = first_line((path, "--version"), environment, stamps, limits)?;
    Ok(if line.is_empty() { command.to_owned() } else { line })
}

/// The first line that a program says when it is given one argument; the empty text when it says nothing. It is asked
/// again when its file or the environment is another one: a wrapper may lead elsewhere without being another file.
pub(super) fn first_line(
    (path, argument): (&Path, &str),
    environment: &BTreeMap<String, String>,
    stamps: &Stamps,
    limits: Limits<'_>,
) -> Result<String, HostError> {
    let ask = || {
        let at = fs::Scratch::new()?;
        let mut bash = shell::bash();
        bash.envs(environment).args(["-c", "\"$0\" \"$1\""]).arg(path).arg(argument);
        let said = shell::run(bash, at.path(), &format!("`{} {argument}`", path.display()), limits)?;
        let line = said.out.lines().chain(said.errors.lines()).find(|it| !it.trim().is_empty());
        Ok::<_, HostError>(line.unwrap_or_default().trim().to_owned())
    };
    let settings: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let what = format!("says{argument}-{}", &Digest::of(settings.join("\0")).to_string()[..16]);
    let Ok(metadata) = path.metadata() else { return ask() };
    stamps.fact(&what, path, &metadata, ask)
}
