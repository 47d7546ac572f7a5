//! Captured environments, kept between runs: loading modules takes longer than everything else in a run without work.
//!
//! One is used again while every file that decided about it is as it was: the files that were sourced, the module files
//! that were loaded, the folders in which others might appear, and the module system's own program. What a module file
//! asks of the machine besides is taken to be the same on one machine; `envbuild host` always asks anew.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rustix::system::uname;
use serde::{Deserialize, Serialize};

use super::{
    capture::{Captured, init_files},
    variables::{self, MODULE_FILES, MODULE_PATH},
};
use crate::{
    base::{Digest, Stamps, fs},
    workspace::{Host, ModuleStep},
};

/// Changes when the form of the file does, or how an environment is captured.
const FORM: &str = "host 1";

/// How many are kept: sets of this project on the machines that share its folder.
const KEPT: usize = 64;

/// The programs of module systems, by the variables that name them.
const PROGRAMS: &[&str] = &["LMOD_CMD", "MODULES_CMD", "LMOD_RC", "MODULERCFILE", "LMOD_MODULERCFILE"];

#[derive(Serialize, Deserialize, Default)]
struct Kept {
    form: String,
    entries: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    /// Files and folders, with what they held.
    watched: BTreeMap<PathBuf, String>,
    captured: Captured,
}

/// What is kept of a set, when nothing that decided about it has changed.
pub(super) fn known(file: &Path, host: &Host, steps: &[ModuleStep], stamps: &Stamps) -> Option<Captured> {
    let entry = read(file).entries.remove(&name(host, steps))?;
    let same = entry.watched.iter().all(|(path, held)| state(path, stamps).as_ref() == Some(held));
    same.then_some(entry.captured)
}

/// Keeps a set for other runs. A file that cannot be written costs the next run time, not this one its result.
pub(super) fn keep(file: &Path, host: &Host, steps: &[ModuleStep], captured: &Captured, stamps: &Stamps) {
    let watched = watched(host, steps, captured);
    let watched = watched.into_iter().filter_map(|it| state(&it, stamps).map(|held| (it, held))).collect();
    let mut kept = read(file);
    if kept.entries.len() >= KEPT {
        kept.entries.clear();
    }
    kept.entries.insert(name(host, steps), Entry { watched, captured: captured.clone() });
    if let Ok(bytes) = serde_json::to_vec(&kept) {
        drop(fs::write_atomic(file, &bytes));
    }
}

fn read(file: &Path) -> Kept {
    let read = fs::read(file).ok().and_then(|it| serde_json::from_slice::<Kept>(&it).ok());
    let kept = read.filter(|it| it.form == FORM).unwrap_or_default();
    Kept { form: FORM.to_owned(), ..kept }
}

/// The machine, and what is sourced and loaded on it.
fn name(host: &Host, steps: &[ModuleStep]) -> String {
    let machine = uname();
    let mut words = vec![machine.nodename().to_string_lossy().into_owned()];
    words.extend(host.init.iter().map(|it| it.path.display().to_string()));
    words.extend(steps.iter().map(|it| format!("{:?} {}", it.verb, it.name)));
    Digest::of(words.join("\0")).to_string()
}

fn watched(host: &Host, steps: &[ModuleStep], captured: &Captured) -> Vec<PathBuf> {
    let environment = &captured.environment;
    let mut watched = init_files(host, steps);
    watched.extend(PROGRAMS.iter().filter_map(|it| environment.get(*it)).map(PathBuf::from));
    // Another file in one of these folders may be another default, or the settings of all.
    watched.extend(variables::listed(environment, MODULE_PATH).map(PathBuf::from));
    for module in variables::listed(environment, MODULE_FILES).map(PathBuf::from) {
        if let Some(folder) = module.parent() {
            watched.extend([".version", ".modulerc", ".modulerc.lua", "default"].map(|it| folder.join(it)));
            watched.push(folder.to_owned());
        }
        watched.push(module);
    }
    watched.retain(|it| it.is_absolute());
    watched
}

/// What a file holds, or which names a folder has; nothing when it is not there.
fn state(path: &Path, stamps: &Stamps) -> Option<String> {
    let metadata = path.metadata().ok()?;
    if metadata.is_dir() {
        let mut names: Vec<PathBuf> = fs::list(path).ok()?;
        names.sort();
        let names: Vec<String> = names.iter().map(|it| it.display().to_string()).collect();
        return Some(Digest::of(names.join("\0")).to_string());
    }
    Some(stamps.digest(path, &metadata).ok()?.to_string())
}
