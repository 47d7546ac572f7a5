//! The store: `SHA256/NAME`, written beside and renamed, so that several processes can share it.

use std::path::{Path, PathBuf};

use super::hash::{Expected, Found};
use crate::base::{FsError, Scratch, fs};

/// A folder of verified files.
pub(super) struct Store<'a>(pub(super) &'a Path);

impl Store<'_> {
    /// The file of a source, when it is there and is what it should be.
    pub(super) fn find(&self, expected: &Expected, name: &str) -> Result<Option<(PathBuf, String)>, FsError> {
        let folders = match &expected.sha256 {
            Some(sha256) => vec![self.0.join(sha256)],
            // With an md5 alone the folder's name is not known.
            None => fs::list(self.0)?,
        };
        for folder in folders {
            let file = folder.join(name);
            if !file.is_file() {
                continue;
            }
            let found = Found::in_file(&file)?;
            if expected.check(&found).is_ok() {
                return Ok(Some((file, found.sha256)));
            }
        }
        Ok(None)
    }

    /// A temporary folder on the store's file system.
    pub(super) fn scratch(&self) -> Result<Scratch, FsError> {
        Scratch::inside(self.0)
    }

    /// Moves a verified file from a temporary folder to its place.
    pub(super) fn keep(&self, file: &Path, sha256: &str, name: &str) -> Result<PathBuf, FsError> {
        let folder = self.0.join(sha256);
        fs::create_dir_all(&folder)?;
        let target = folder.join(name);
        let synced = std::fs::File::open(file).and_then(|file| file.sync_all());
        synced.map_err(|source| FsError::new("write", file, source))?;
        fs::rename(file, &target)?;
        Ok(target)
    }
}
