//! The libraries of the MPI that a build would link to: what its compiler wrapper says it links.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    File, HostError,
    compiler::{first_line, on_path},
    fact::identify,
    shell::Limits,
};
use crate::{
    base::{Stamps, fs},
    elf,
};

/// A library of the host.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Where it was found, without links.
    pub path: PathBuf,
    /// What its file's name says behind `.so.`; empty when it says nothing.
    pub version: String,
    /// What it holds.
    pub file: File,
}

/// The wrapper that is asked. MPICH and Open MPI, and those that come from them, print with `-show` how they would link.
const WRAPPER: &str = "mpicc";

/// Where linkers look when they are not told.
const DEFAULT: &[&str] = &[
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];

/// The libraries of MPI in an environment, by the names that packages need them by. None where there is no wrapper, or
/// one that does not tell.
pub(super) fn libraries(
    environment: &BTreeMap<String, String>,
    stamps: &Stamps,
    limits: Limits<'_>,
) -> Result<BTreeMap<String, Library>, HostError> {
    let mut libraries = BTreeMap::new();
    let Some(wrapper) = on_path(WRAPPER, environment) else { return Ok(libraries) };
    let shown = first_line((&wrapper, "-show"), environment, stamps, limits)?;
    for path in named(&shown) {
        let Some(file) = identify(&path, stamps)? else { continue };
        let Ok(linkage) = elf::linkage(&path) else { continue };
        let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let version = file_name.split_once(".so.").map(|it| it.1.to_owned()).unwrap_or_default();
        libraries.insert(linkage.soname.unwrap_or(file_name), Library { path, version, file });
    }
    Ok(libraries)
}

/// The files of the MPI libraries that a linker's command line names: `-lmpi` and its kind, in the folders of `-L`.
fn named(command: &str) -> Vec<PathBuf> {
    let words = || command.split_whitespace();
    let folders = || words().filter_map(|it| it.strip_prefix("-L")).chain(DEFAULT.iter().copied());
    let names = words().filter_map(|it| it.strip_prefix("-l")).filter(|it| it.starts_with("mpi"));
    let find = |name: &str| {
        folders().map(|it| Path::new(it).join(format!("lib{name}.so"))).find_map(|it| it.canonicalize().ok())
    };
    names.filter_map(find).map(|it| behind_script(&it).unwrap_or(it)).collect()
}

/// The library that a linker script leads to, `INPUT(libmpi.so.12)`; nothing for what is none.
fn behind_script(path: &Path) -> Option<PathBuf> {
    if path.metadata().ok()?.len() > LONGEST_SCRIPT {
        return None;
    }
    let text = fs::read_text(path).ok()?;
    let inside = ["INPUT", "GROUP"].iter().find_map(|it| text.split_once(it)?.1.split_once('('))?.1;
    let name = inside.split([')', ' ', ',']).find(|it| !it.is_empty())?;
    path.with_file_name(name).canonicalize().ok()
}

/// More than any linker script that only names libraries, in bytes.
const LONGEST_SCRIPT: u64 = 4096;
