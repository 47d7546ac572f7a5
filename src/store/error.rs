//! What can go wrong with the state folder.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::{
    base::{FsError, LockError},
    fingerprint::Reason,
    plan::NodeId,
};

/// A state folder that cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum StoreError {
    /// A file could not be read or written.
    #[error(transparent)]
    #[diagnostic(code(envbuild::store::file), forward(0))]
    File(#[from] FsError),
    /// The folder cannot be written to.
    #[error("{0}")]
    #[diagnostic(
        code(envbuild::store::read_only),
        help("looking works without: `plan`, `why`, `status`, `list`, and `run` when the environment is up to date")
    )]
    ReadOnly(FsError),
    /// The folder cannot be written to, and something would have to be.
    #[error("{node} has to run ({reason}), and {unwritable}")]
    #[diagnostic(
        code(envbuild::store::to_do),
        help("what is up to date can be used here; to make the rest, the project has to be writable")
    )]
    ToDo {
        /// The first node that is not fresh.
        node: NodeId,
        /// Why it is not.
        reason: Reason,
        /// What could not be written.
        unwritable: FsError,
    },
    /// The wait for another run was cancelled.
    #[error("stopped while another envbuild worked on this project")]
    #[diagnostic(code(envbuild::store::stopped))]
    Stopped,
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
        use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        match error {
            LockError::Held { .. } => Self::Busy(error.to_string()),
            LockError::Stopped(_) => Self::Stopped,
            LockError::Fs(error) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => {
                Self::ReadOnly(error)
            }
            LockError::Fs(error) => Self::File(error),
        }
    }
}
