//! What can go wrong.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::base::FsError;

/// A backup cannot be made or used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] FsError),
    /// A tree cannot be copied.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tree(#[from] crate::tree::TreeError),
    /// Something is where the backup is to be.
    #[error("there is something at `{}` already", .0.display())]
    #[diagnostic(code(envbuild::backup::occupied), help("name a folder that does not exist yet, or is empty"))]
    Occupied(PathBuf),
    /// The folder is no backup.
    #[error("`{}` is no backup: {reason}", .folder.display())]
    #[diagnostic(code(envbuild::backup::not_a_backup), help("name a folder that `envbuild backup` has written"))]
    NotABackup {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Files are not what they were when the backup was made.
    #[error("the backup `{}` is damaged:\n{}", .folder.display(), .problems.join("\n"))]
    #[diagnostic(code(envbuild::backup::damaged), help("take another copy of the backup"))]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// Each file with what is wrong with it.
        problems: Vec<String>,
    },
    /// Somebody wants it to stop.
    #[error("stopped")]
    #[diagnostic(code(envbuild::backup::stopped))]
    Stopped,
}
