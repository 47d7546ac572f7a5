//! What the tests share: a project in a folder of its own, the real program, and its answers.
//!
//! Knows nothing of: what any single test is about.

pub(crate) mod client;
mod environments;
mod mounts;
mod normalise;
mod project;
mod ran;
mod running;
mod server;
mod trees;
mod trio;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

pub(crate) use environments::{assert_greets, bare, science};
pub(crate) use mounts::Mounts;
pub(crate) use project::Project;
pub(crate) use ran::{Plan, Ran, Report};
pub(crate) use running::{Gate, Running, eventually, is_alive, processes_naming};
pub(crate) use server::Server;
pub(crate) use trees::{Node, Tree, assert_same_trees, environment, tree_below};
pub(crate) use trio::trio;

/// The root of this repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A script of a recipe of this repository, with the compiler told to take less time: most of what it needs for the C that
/// Cython makes goes into optimising calls. What is linked, and with what, stays as it is.
pub(crate) fn unoptimised(script: &str) -> String {
    script.replace("-O1", "-O0")
}

/// A variable of the test run's own environment.
#[expect(clippy::disallowed_methods, reason = "tests are started by people and CI, who speak by variables")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|it| !it.is_empty())
}

/// Says that a test was left out because something is not here. In CI everything has to be here, so there it fails.
#[track_caller]
pub(crate) fn skip(missing: &str) {
    assert!(variable("CI").is_none_or(|it| it != "true"), "CI has to provide {missing}");
    // Written past the test harness, which shows what a passing test prints to nobody.
    let _ = writeln!(std::io::stderr(), "skipped: there is no {missing}");
}

/// Every file and link below a folder, as sorted paths relative to it.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        let Ok(entries) = fs::read_dir(&at) else { continue };
        for entry in entries.map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Every file below a folder with its bytes.
pub(crate) fn contents_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    files_below(folder).into_iter().map(|it| (it.clone(), fs::read(folder.join(it)).unwrap_or_default())).collect()
}
