//! Captured environments, kept between runs: loading modules takes longer than everything else in a run without work.
//!
//! One is used again while every file that decided about it is as it was: the files that were sourced, also by one
//! another, the module files that were loaded, the folders in which others might appear, and the module system's own
//! program. What a module file asks of the machine besides is taken to be the same on one machine; `envbuild host` always
//! asks anew.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rustix::system::uname;
use serde::{Deserialize, Serialize};

use super::capture::Captured;
use crate::{
    base::{Digest, FsError, Stamps, fs},
    workspace::{Host, ModuleStep},
};

/// Changes when the form of the file does, or how an environment is captured.
const FORM: &str = "host 5";

/// How many are kept: sets of this project on the machines that share its folder.
const KEPT: usize = 64;

#[derive(Serialize, Deserialize, Default)]
struct Kept {
    form: String,
    entries: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    /// Files and folders, with what they held; also those that were not there.
    watched: BTreeMap<PathBuf, String>,
    captured: Captured,
}

/// What is kept of a set, when nothing that decided about it has changed.
pub(super) fn known(file: &Path, host: &Host, steps: &[ModuleStep], stamps: &Stamps) -> Option<Captured> {
    let entry = read(file).entries.remove(&name(host, steps))?;
    let same = entry.watched.iter().all(|(path, held)| state(path, stamps) == *held);
    same.then_some(entry.captured)
}

/// Keeps a set for other runs, unless somebody has changed meanwhile what decided about it. A file that cannot be written costs the next run time, not this one its result.
pub(super) fn keep(file: &Path, (host, steps): (&Host, &[ModuleStep]), captured: &Captured, stamps: &Stamps) {
    if !captured.steady {
        return;
    }
    let watched = captured.consulted.iter().map(|it| (it.clone(), state(it, stamps))).collect();
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

/// What a file holds, or which names a folder has, and where a link leads.
fn state(path: &Path, stamps: &Stamps) -> String {
    let link = std::fs::read_link(path).map(|it| format!("-> {} ", it.display())).unwrap_or_default();
    let Ok(metadata) = path.metadata() else { return format!("{link}not there") };
    let held = if metadata.is_dir() { names(path) } else { stamps.digest(path, &metadata) };
    // What cannot be read today may be read tomorrow.
    held.map_or_else(|error| format!("{link}{error}"), |it| format!("{link}{it}"))
}

fn names(folder: &Path) -> Result<Digest, FsError> {
    let mut names: Vec<String> = fs::list(folder)?.iter().map(|it| it.display().to_string()).collect();
    names.sort();
    Ok(Digest::of(names.join("\0")))
}
