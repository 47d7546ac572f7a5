//! What can go wrong while inputs are read.

use miette::Diagnostic;

use crate::base::FsError;

/// An input that cannot be read.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum FingerprintError {
    /// A file or folder.
    #[error(transparent)]
    #[diagnostic(code(envbuild::fingerprint::file), forward(0))]
    File(#[from] FsError),
    /// A path source, a patch or a script that is not there.
    #[error("the source, patch or script `{path}` of `{package}` does not exist")]
    #[diagnostic(code(envbuild::fingerprint::missing_source), help("it is looked for relative to the recipe's folder"))]
    MissingSource {
        /// As the recipe names it.
        path: String,
        /// The package cell.
        package: String,
    },
}
