//! What can go wrong while a tree is listed or looked through.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::base::FsError;

/// A tree that cannot be read.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum TreeError {
    /// Something is neither a file, a folder nor a symbolic link.
    #[error("`{}` is {what}, which no archive can hold", path.display())]
    #[diagnostic(
        code(envbuild::tree::file_type),
        help("remove it from the environment, or from the package that made it")
    )]
    FileType {
        /// The offending entry.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Somebody wrote to a file while it was read.
    #[error("`{}` changed while it was packed", .0.display())]
    #[diagnostic(code(envbuild::tree::changed), help("nothing may run in the environment while it is packed"))]
    Changed(PathBuf),
    /// A file could not be read.
    #[error(transparent)]
    #[diagnostic(code(envbuild::tree::file), forward(0))]
    File(#[from] FsError),
}
