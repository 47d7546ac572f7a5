//! What lasts of a project, to be compared, kept and put back.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Project, files_below};

/// The places that a run writes to, in a project.
const MADE: [&str; 4] = ["output", "dist", ".envbuild", "envbuild.lock"];

/// What users see of a run: packages, index, archives, lock file and prefixes, with every byte, mode and link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome(BTreeMap<PathBuf, (u32, Vec<u8>)>);

impl Outcome {
    pub(super) fn of(project: &Project) -> Self {
        let mut found = BTreeMap::new();
        for place in ["output", "dist", "envbuild.lock", ".envbuild/envs"] {
            let place = project.path(place);
            let files = if place.is_file() { vec![PathBuf::new()] } else { files_below(&place) };
            for file in files {
                let path = if file.as_os_str().is_empty() { place.clone() } else { place.join(file) };
                // Whoever held the lock last is in it, and the prefix's history says when. The end of a claim that could not be
                // removed goes when the channel is locked the next time.
                let is_end = path.to_string_lossy().contains("output/.lock.owner.end-");
                if is_end || path.ends_with("output/.lock") || path.ends_with("conda-meta/history") {
                    continue;
                }
                let about = path.symlink_metadata().unwrap();
                let bytes = match fs::read_link(&path) {
                    Ok(target) => target.into_os_string().into_encoded_bytes(),
                    Err(_) => fs::read(&path).unwrap(),
                };
                let name = path.strip_prefix(project.root()).unwrap().to_owned();
                found.insert(name, (about.permissions().mode(), bytes));
            }
        }
        Self(found)
    }

    /// The same without the packages that a clean run does not make: those of an earlier state stay in their place, out of
    /// the index.
    pub(super) fn without_older(mut self, clean: &Self) -> Self {
        self.0.retain(|path, _| path.extension().is_none_or(|it| it != "conda") || clean.0.contains_key(path));
        self
    }

    /// What differs from a clean run's; empty when nothing does.
    pub(super) fn differences(&self, clean: &Self) -> String {
        let mut text = String::new();
        for path in self.0.keys().chain(clean.0.keys().filter(|it| !self.0.contains_key(*it))) {
            let what = match (self.0.get(path), clean.0.get(path)) {
                (Some(one), Some(other)) if one == other => continue,
                (Some(one), Some(other)) => {
                    let show = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).into_owned();
                    format!("differs, mode {:o} and {:o}:\n{}\n----\n{}", one.0, other.0, show(&one.1), show(&other.1))
                }
                (Some(_), None) => "should not be there".to_owned(),
                (None, _) => "is missing".to_owned(),
            };
            let _ = writeln!(text, "{} {what}", path.display());
        }
        text
    }
}

/// What a run that ended well has left of its own: in the project, where temporary files go, and where packages are built.
pub(super) fn leftovers(project: &Project) -> Vec<PathBuf> {
    let temporary = |path: &PathBuf| {
        let names = path.strip_prefix(project.root()).unwrap().to_string_lossy().into_owned();
        ["envbuild-tmp-", "envbuild-incomplete", "refprobe", "symtest_"].iter().any(|it| names.contains(it))
    };
    let is_lock = |it: &PathBuf| it.extension().is_some_and(|kind| kind == "lock") && it.is_file();
    let mut left: Vec<PathBuf> = everything_below(project.root()).into_iter().filter(temporary).collect();
    left.extend(everything_below(&project.path(".envbuild/scratch")));
    left.extend(everything_below(&project.beside("tmp")));
    left.extend(everything_below(project.scratch()).into_iter().filter(|it| !is_lock(it)));
    left
}

/// Every file and folder below a folder.
fn everything_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).into_iter().flatten().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found
}

/// What a project's runs have made, put aside.
#[derive(Debug)]
pub(super) struct Kept(PathBuf);

impl Kept {
    pub(super) fn of(project: &Project) -> Self {
        let aside = project.beside("kept");
        fs::create_dir(&aside).unwrap();
        for place in MADE.iter().map(|it| project.path(it)).filter(|it| it.exists()) {
            copy(&place, &aside);
        }
        Self(aside)
    }

    /// Puts it back, in the place of all that was made since.
    pub(super) fn put_back(&self, project: &Project) {
        forget(project);
        for place in fs::read_dir(&self.0).unwrap() {
            copy(&place.unwrap().path(), project.root());
        }
    }
}

/// Does something where nothing is made, and puts back what was made before.
pub(super) fn while_aside<T>(project: &Project, something: impl FnOnce() -> T) -> T {
    let aside = project.beside("aside");
    fs::create_dir(&aside).unwrap();
    let there: Vec<&str> = MADE.into_iter().filter(|it| project.path(it).exists()).collect();
    for place in &there {
        fs::rename(project.path(place), aside.join(place)).unwrap();
    }
    let result = something();
    forget(project);
    for place in &there {
        fs::rename(aside.join(place), project.path(place)).unwrap();
    }
    fs::remove_dir(&aside).unwrap();
    result
}

/// Removes all that runs have made.
fn forget(project: &Project) {
    for place in MADE.map(|it| project.path(it)) {
        let removed = if place.is_dir() { fs::remove_dir_all(&place) } else { fs::remove_file(&place) };
        assert!(removed.is_ok() || !place.exists(), "{}: {removed:?}", place.display());
    }
}

fn copy(from: &Path, into: &Path) {
    let output = Command::new("cp").arg("-a").arg(from).arg(into).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
