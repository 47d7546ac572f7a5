//! Lists a prefix that anybody may have made and used, with everything that cannot be packed at once.

use std::{
    fs::DirEntry,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::{error::AdoptError, filter::Filters};
use crate::{
    base::{FsError, fs},
    tree::{Entries, Entry, File, what_it_is},
};

/// What is in a prefix.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) entries: Entries,
    /// What belongs to the machine and not to the environment, and is large enough that somebody may look for it.
    pub(super) left_behind: Vec<Vec<u8>>,
    pub(super) problems: Vec<AdoptError>,
}

/// Lists the prefix. What the filters leave out is listed too, because records have to be thinned with it; but it is no
/// problem when it cannot be read.
pub(super) fn walk(root: &Path, filters: &Filters) -> Walked {
    let mut walked = Walked::default();
    let mut folders = vec![(root.to_owned(), Vec::new())];
    // A map that is made of everything at once takes little more than half of the memory.
    let mut all = Vec::new();
    // All folders of one depth at once.
    while !folders.is_empty() {
        let listed: Vec<Listed> = folders.par_iter().map(|(folder, name)| list(folder, name, filters)).collect();
        folders.clear();
        for Listed { entries, folders: below, left_behind, problems } in listed {
            all.extend(entries);
            walked.left_behind.extend(left_behind);
            walked.problems.extend(problems);
            folders.extend(below);
        }
    }
    walked.entries = all.into_iter().collect();
    walked.left_behind.sort();
    walked
}

/// What is in one folder.
#[derive(Default)]
struct Listed {
    entries: Vec<(Vec<u8>, Entry)>,
    folders: Vec<(PathBuf, Vec<u8>)>,
    left_behind: Vec<Vec<u8>>,
    problems: Vec<AdoptError>,
}

fn list(folder: &Path, name: &[u8], filters: &Filters) -> Listed {
    let mut listed = Listed::default();
    let found = match fs::entries(folder) {
        Ok(found) => found,
        Err(error) => {
            if name.is_empty() || filters.keeps(name) {
                listed.problems.push(error.into());
            }
            return listed;
        }
    };
    for found in found {
        let path = found.path();
        let mut child = name.to_owned();
        if !child.is_empty() {
            child.push(b'/');
        }
        child.extend_from_slice(found.file_name().as_bytes());
        match stays_behind(&child, &path) {
            Behind::No => {}
            Behind::Quietly => continue,
            Behind::Told => {
                listed.left_behind.push(child);
                continue;
            }
        }
        match entry(&found, &path, &child) {
            Ok(entry) => {
                if entry == Entry::Folder {
                    listed.folders.push((path, child.clone()));
                }
                listed.entries.push((child, entry));
            }
            Err(problem) if filters.keeps(&child) => listed.problems.push(problem),
            Err(_) => {}
        }
    }
    listed
}

fn entry(found: &DirEntry, path: &Path, name: &[u8]) -> Result<Entry, AdoptError> {
    let metadata = found.metadata().map_err(|error| FsError::new("read", path, error))?;
    if metadata.is_dir() {
        return Ok(Entry::Folder);
    }
    if metadata.is_symlink() {
        let target = path.read_link().map_err(|error| FsError::new("read the link", path, error))?;
        return Ok(Entry::Link(target.into_os_string().into_vec()));
    }
    if metadata.is_file() {
        return Ok(Entry::File(File::on_disk(path.to_owned(), &metadata)));
    }
    let name = String::from_utf8_lossy(name).into_owned();
    Err(AdoptError::FileType { name, what: what_it_is(metadata.file_type()) })
}

/// Whether an entry stays where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    No,
    Quietly,
    Told,
}

/// Locks, markers, trash and caches belong to the prefix in which the installer ran. The history holds dates, and so
/// does `created_at`; our own folder, when there is one, is that of an archive from which the prefix came. conda writes
/// `.guard`; mamba and conda what ends in `.c~`, `.conda_trash` and `.mamba_trash`; pixi the manifest's place.
fn stays_behind(name: &[u8], path: &Path) -> Behind {
    let ours = |name: &[u8]| name.starts_with(b".envbuild");
    match name {
        b"CACHEDIR.TAG"
        | b".trash"
        | b".condatmp"
        | b".lock"
        | b"conda-meta/.guard"
        | b"conda-meta/history"
        | b"conda-meta/created_at"
        | b"conda-meta/envbuild"
        | b"conda-meta/.lock" => return Behind::Quietly,
        b"pkgs" if is_package_cache(path) => return Behind::Told,
        b"envs" if holds_environments(path) => return Behind::Told,
        b".cache" => return Behind::Told,
        _ => {}
    }
    let meta = name.strip_prefix(b"conda-meta/").filter(|rest| !rest.contains(&b'/'));
    let pixi = |rest: &[u8]| rest.starts_with(b"pixi") || rest.starts_with(b".pixi");
    // The installer's own probes of what kinds of links there are, and what it could not delete.
    let rest = name.starts_with(b"symtest_") || name.starts_with(b".refprobe-");
    let trash = [&b".c~"[..], b".conda_trash", b".mamba_trash"].iter().any(|end| name.ends_with(end));
    if ours(name) || meta.is_some_and(|rest| ours(rest) || pixi(rest)) || rest || trash {
        Behind::Quietly
    } else {
        Behind::No
    }
}

/// The package cache of a base environment.
fn is_package_cache(path: &Path) -> bool {
    ["urls.txt", "urls", "cache"].iter().any(|it| path.join(it).exists())
}

/// The folder of a base environment that holds others.
fn holds_environments(path: &Path) -> bool {
    let children = fs::list(path).unwrap_or_default();
    path.join(".conda_envs_dir_test").exists() || children.iter().any(|it| it.join("conda-meta").is_dir())
}
