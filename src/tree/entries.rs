//! A tree as a sorted map of names.

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

use super::{content::Content, error::TreeError};
use crate::base::{FsError, fs};

/// Every entry by its name relative to the prefix, in the order of the names' bytes.
pub type Entries = BTreeMap<Vec<u8>, Entry>;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A folder.
    Folder,
    /// A symbolic link with its target.
    Link(Vec<u8>),
    /// A regular file.
    File(File),
}

/// A regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where its bytes come from.
    pub content: Content,
    /// Whether its mode is 0755; otherwise it is 0644.
    pub executable: bool,
    /// The time that an archive gives it, in seconds since 1970.
    pub modified: u64,
}

/// 1980-01-01 00:00:00 UTC, the time of everything whose time does not matter. Earlier ones trouble zip files.
pub const EPOCH: u64 = 315_532_800;

impl File {
    /// A file on disk as it is.
    pub fn on_disk(path: PathBuf, metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = modified.map_or(0, |duration| duration.as_secs());
        let content = Content::Disk { path, size: metadata.len(), modified, seen: None };
        Self { content, executable: metadata.mode() & 0o111 != 0, modified: EPOCH }
    }
}

impl Entry {
    /// A file made here.
    pub fn made(bytes: Vec<u8>, executable: bool) -> Self {
        Self::File(File { content: Content::Made(bytes), executable, modified: EPOCH })
    }
}

/// Lists a folder with all that is below it, but for the names that `skip` wants to leave out; what is below a folder that
/// is left out is left out, too.
///
/// # Errors
/// When it holds something that is neither a file, a folder nor a link, or cannot be read.
pub fn list(root: &Path, skip: impl Fn(&[u8]) -> bool) -> Result<Entries, TreeError> {
    let mut entries = Entries::new();
    let mut folders = vec![(root.to_owned(), Vec::new())];
    while let Some((folder, name)) = folders.pop() {
        for path in fs::list(&folder)? {
            let mut child = name.clone();
            if !child.is_empty() {
                child.push(b'/');
            }
            child.extend_from_slice(path.file_name().unwrap_or_default().as_bytes());
            if skip(&child) {
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
                Entry::File(File::on_disk(path, &metadata))
            } else {
                return Err(TreeError::FileType { path, what: what_it_is(metadata.file_type()) });
            };
            entries.insert(child, entry);
        }
    }
    Ok(entries)
}

/// What something is that is neither a file, a folder nor a symbolic link, in words.
pub fn what_it_is(file_type: FileType) -> &'static str {
    if file_type.is_socket() {
        "a socket"
    } else if file_type.is_fifo() {
        "a named pipe"
    } else {
        "a device"
    }
}
