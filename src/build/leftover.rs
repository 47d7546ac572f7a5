//! What builds have left in the scratch folder: the work of those that failed or were killed.

use std::{
    io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem},
    path::{Path, PathBuf},
};

use rattler_build::utils::remove_dir_all_force;

use super::BuildError;
use crate::base::{FileLock, FsError, LockError, Wait, fs, is_mine};

/// The build folders in the scratch folder that no build works in, of this user and whatever project: failed builds keep
/// theirs for a person to look at. Sorted.
///
/// # Errors
/// When the scratch folder cannot be listed.
pub fn abandoned(scratch: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut folders = Vec::new();
    for lock in fs::list(scratch)?.into_iter().filter(|it| it.extension().is_some_and(|it| it == "lock")) {
        let folder = lock.with_extension("");
        let is_folder = folder.symlink_metadata().is_ok_and(|it| it.is_dir());
        if is_folder && is_mine(&folder) && attempt(&lock)?.is_some() {
            folders.push(folder);
        }
    }
    Ok(folders)
}

/// Deletes a build folder. Gives false and leaves it when a build works in it.
///
/// # Errors
/// When it cannot be deleted.
pub fn discard(folder: &Path) -> Result<bool, BuildError> {
    let Some(lock) = attempt(&folder.with_added_extension("lock"))? else { return Ok(false) };
    if folder.symlink_metadata().is_ok_and(|it| it.is_dir()) {
        remove_dir_all_force(folder).map_err(|source| FsError::new("remove", folder, source))?;
    }
    lock.remove()?;
    Ok(true)
}

/// The lock, when it is free.
fn attempt(lock: &Path) -> Result<Option<FileLock>, BuildError> {
    match FileLock::acquire(lock, &Wait::default(), |_| {}) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Held { .. }) => Ok(None),
        // What we may not lock, we may not delete either.
        Err(LockError::Fs(error)) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => Ok(None),
        Err(other) => Err(other.into()),
    }
}
