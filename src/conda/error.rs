//! What can be wrong with an archive.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::base::FsError;

/// An archive that cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum CondaError {
    /// It is not a conda package.
    #[error("`{}` is not a conda package: {reason}", path.display())]
    #[diagnostic(code(envbuild::conda::archive), help("delete the file and build the package again"))]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    #[diagnostic(code(envbuild::conda::file), forward(0))]
    File(#[from] FsError),
}
