//! What can be wrong with a ledger.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::base::FsError;

/// A ledger that cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum LedgerError {
    /// The file is not what envbuild has written.
    #[error("`{}` is no list of host libraries: {reason}", path.display())]
    #[diagnostic(
        code(envbuild::ledger::file),
        help(
            "the package has been changed since it was built, or another version of envbuild has built it: install it again"
        )
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file could not be read.
    #[error(transparent)]
    #[diagnostic(code(envbuild::ledger::read))]
    Read(#[from] FsError),
}
