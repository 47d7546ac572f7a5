//! What can be wrong with a tree whose needs are looked for.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::{base::FsError, elf::ElfError, ledger::LedgerError};

/// Needs that cannot be found out, or a target that cannot be one.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum NeedsError {
    /// The file of an archive is not what envbuild has written.
    #[error("`{}` is no list of what an environment needs: {reason}", crate::tree::NEEDS)]
    #[diagnostic(
        code(envbuild::needs::file),
        help("the archive was changed, or another version of envbuild has made it: pack the environment again")
    )]
    File {
        /// What is wrong with it.
        reason: String,
    },
    /// An archive cannot be read.
    #[error("`{}` cannot be read: {reason}", path.display())]
    #[diagnostic(code(envbuild::needs::archive), help("{help}"))]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        help: String,
    },
    /// A package's record cannot be read.
    #[error("`{}` is no record of a package: {reason}", path.display())]
    #[diagnostic(code(envbuild::needs::record), help("install the environment again"))]
    Record {
        /// The record, relative to the prefix.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A target lists libraries by a pattern that is none.
    #[error("`{pattern}` is no pattern of libraries: {reason}")]
    #[diagnostic(code(envbuild::needs::pattern), help("write the name of a library, or one with `*`, as `libX*.so.*`"))]
    Pattern {
        /// As written.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A target has versions of symbols that are none.
    #[error("`{version}` is no version of the symbols `{name}`")]
    #[diagnostic(code(envbuild::needs::symbols), help("write numbers with dots, as in `GLIBCXX = \"3.4.25\"`"))]
    Symbols {
        /// The kind of symbols.
        name: String,
        /// As written.
        version: String,
    },
    /// A file cannot be read as what it is.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Elf(#[from] ElfError),
    /// A list of host libraries cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Ledger(#[from] LedgerError),
    /// A file could not be read.
    #[error(transparent)]
    #[diagnostic(code(envbuild::needs::read))]
    Read(#[from] FsError),
}
