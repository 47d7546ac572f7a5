//! What goes into the archive: the staging prefix as a sorted map of names, without what the installer left for itself.

use std::{
    collections::BTreeMap,
    fs::{FileType, Metadata},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use super::error::PackError;
use crate::base::{FsError, fs};

/// Every entry by its name relative to the prefix, in the order of the names' bytes.
pub(super) type Entries = BTreeMap<Vec<u8>, Entry>;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Folder,
    Link(Vec<u8>),
    File(File),
}

/// A regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) content: Content,
    pub(super) executable: bool,
    /// The time that the archive gives it, in seconds since 1970.
    pub(super) modified: u64,
}

/// Where a file's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// The staging prefix; `size` in bytes, `modified` as it is there.
    Staged { path: PathBuf, size: u64, modified: u64 },
    /// Made or changed for the archive.
    Made(Vec<u8>),
}

/// 1980-01-01 00:00:00 UTC, the time of everything whose time does not matter. Earlier ones trouble zip files.
pub(super) const EPOCH: u64 = 315_532_800;

impl Entry {
    /// A file made here.
    pub(super) fn made(bytes: Vec<u8>, executable: bool) -> Self {
        Self::File(File { content: Content::Made(bytes), executable, modified: EPOCH })
    }
}

/// Lists the staging prefix.
///
/// # Errors
/// When it is no prefix, holds something that is neither a file, a folder nor a link, or cannot be read.
pub(super) fn list(staging: &Path) -> Result<Entries, PackError> {
    if !staging.join("conda-meta").is_dir() {
        return Err(PackError::NotAPrefix(staging.to_owned()));
    }
    let mut entries = Entries::new();
    let mut folders = vec![(staging.to_owned(), Vec::new())];
    while let Some((folder, name)) = folders.pop() {
        for path in fs::list(&folder)? {
            let mut child = name.clone();
            if !child.is_empty() {
                child.push(b'/');
            }
            child.extend_from_slice(path.file_name().unwrap_or_default().as_bytes());
            if left_by_the_installer(&child) {
                continue;
            }
            let metadata = path.symlink_metadata().map_err(|error| FsError::new("read", &path, error))?;
            let entry = if metadata.is_dir() {
                folders.push((path, child.clone()));
                Entry::Folder
            } else if metadata.is_symlink() {
                let target = path.read_link().map_err(|error| FsError::new("read the link", &path, error))?;
                Entry::Link(target.into_os_string().into_vec())
            } else if metadata.is_file() {
                Entry::File(staged(path, &metadata))
            } else {
                return Err(PackError::FileType { path, what: what_it_is(metadata.file_type()) });
            };
            entries.insert(child, entry);
        }
    }
    Ok(entries)
}

fn staged(path: PathBuf, metadata: &Metadata) -> File {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let content =
        Content::Staged { path, size: metadata.len(), modified: modified.map_or(0, |duration| duration.as_secs()) };
    File { content, executable: metadata.mode() & 0o111 != 0, modified: EPOCH }
}

/// Locks, markers, trash and the like belong to the prefix in which the installer ran; the history holds dates, and our
/// own folder, when there is one, is that of an archive from which the prefix came.
fn left_by_the_installer(name: &[u8]) -> bool {
    let ours = |name: &[u8]| name.starts_with(b".envbuild");
    match name {
        b"CACHEDIR.TAG" | b".trash" | b"conda-meta/.guard" | b"conda-meta/history" | b"conda-meta/envbuild" => true,
        _ => ours(name) || name.strip_prefix(b"conda-meta/").is_some_and(ours),
    }
}

fn what_it_is(file_type: FileType) -> &'static str {
    if file_type.is_socket() {
        "a socket"
    } else if file_type.is_fifo() {
        "a named pipe"
    } else {
        "a device"
    }
}
