//! The files of an installed prefix, without what the installer left for itself.

use std::path::Path;

use super::error::PackError;
use crate::tree::{self, Entries};

/// Lists an installed prefix.
///
/// # Errors
/// When it is no prefix, holds something that is neither a file, a folder nor a link, or cannot be read.
pub fn of_prefix(prefix: &Path) -> Result<Entries, PackError> {
    if !prefix.join("conda-meta").is_dir() {
        return Err(PackError::NotAPrefix(prefix.to_owned()));
    }
    Ok(tree::list(prefix, stays_behind)?)
}

/// Whether an entry is not packed. Locks, markers, trash and the like belong to the prefix in which the installer ran; the
/// history holds dates, and our own folder, when there is one, is that of an archive from which the prefix came.
pub fn stays_behind(name: &[u8]) -> bool {
    let ours = |name: &[u8]| name.starts_with(b".envbuild");
    match name {
        b"CACHEDIR.TAG" | b".trash" | b"conda-meta/.guard" | b"conda-meta/history" | b"conda-meta/envbuild" => true,
        _ => ours(name) || name.strip_prefix(b"conda-meta/").is_some_and(ours),
    }
}
