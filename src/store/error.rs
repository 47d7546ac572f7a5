//! What can go wrong with the state folder.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::base::{FsError, LockError};

/// A state folder that cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum StoreError {
    /// A file could not be read or written.
    #[error(transparent)]
    #[diagnostic(code(envbuild::store::file))]
    File(#[from] FsError),
    /// Another run holds the project.
    #[error("another envbuild works on this project: {0}")]
    #[diagnostic(code(envbuild::store::busy), help("wait for it to end, or stop it"))]
    Busy(String),
    /// The folder was written by a newer program.
    #[error("the state folder `{}` was written by a newer envbuild (form {found})", path.display())]
    #[diagnostic(
        code(envbuild::store::newer),
        help("use that version, or delete the folder: everything in it can be made again")
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// The form it has.
        found: String,
    },
}

impl From<LockError> for StoreError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held { .. } => Self::Busy(error.to_string()),
            LockError::Fs(error) => Self::File(error),
        }
    }
}
