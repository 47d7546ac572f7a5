//! Why a prefix could not be made, read or activated.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::{base::FsError, bytecode::BytecodeError};

/// The prefix could not be made, read or activated.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum InstallError {
    /// The prefix is not given by an absolute path.
    #[error("the prefix `{}` is not an absolute path", .0.display())]
    #[diagnostic(code(envbuild::install::relative), help("give the prefix by its absolute path"))]
    Relative(PathBuf),
    /// The installer failed.
    #[error("the prefix `{}` could not be installed: {reason}", prefix.display())]
    #[diagnostic(
        code(envbuild::install::failed),
        help("the next run deletes what is there and starts anew; if it fails again, look at the cause above")
    )]
    Failed {
        /// The prefix.
        prefix: PathBuf,
        /// What went wrong, from the outside in.
        reason: String,
    },
    /// A package would have to be downloaded.
    #[error("the package `{url}` is not in the package cache, and the network may not be used")]
    #[diagnostic(code(envbuild::install::offline), help("run once where there is a network, or leave out `--offline`"))]
    Offline {
        /// Where the package is.
        url: String,
    },
    /// A package's file is not there.
    #[error("the package `{}` is gone", .0.display())]
    #[diagnostic(
        code(envbuild::install::gone),
        help(
            "one of the project is built again by `envbuild build`; one of a base channel is replaced by `envbuild lock --update`"
        )
    )]
    Gone(PathBuf),
    /// A package's file holds other bytes than the lock file says.
    #[error("the package `{}` has the sha256 {found}, and {expected} was expected", path.display())]
    #[diagnostic(
        code(envbuild::install::altered),
        help(
            "somebody changed the file: delete it and build it again with `envbuild build`, then run `envbuild lock`"
        )
    )]
    Altered {
        /// The archive.
        path: PathBuf,
        /// The sha256 in the record.
        expected: String,
        /// The sha256 of the file.
        found: String,
    },
    /// The Python that shall compile bytecode cannot.
    #[error("`{}` could not compile the bytecode of Python {wanted}: {reason}", interpreter.display())]
    #[diagnostic(
        code(envbuild::install::bytecode),
        help("the interpreter must be of the same version as the environment's and must run on this machine")
    )]
    Bytecode {
        /// The interpreter.
        interpreter: PathBuf,
        /// The version needed, as `3.12`.
        wanted: String,
        /// What happened.
        reason: String,
    },
    /// The prefix's records cannot be read.
    #[error("the records in `{}` cannot be read: {reason}", path.display())]
    #[diagnostic(code(envbuild::install::records), help("install the environment again with `envbuild install`"))]
    Records {
        /// The `conda-meta` folder.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// The activation scripts failed.
    #[error("the environment in `{}` could not be activated: {reason}", prefix.display())]
    #[diagnostic(
        code(envbuild::install::activation),
        help("look at the scripts in `etc/conda/activate.d` of the prefix")
    )]
    Activation {
        /// The prefix.
        prefix: PathBuf,
        /// What happened, with what the scripts wrote to stderr.
        reason: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    #[diagnostic(
        code(envbuild::install::file),
        help("look at the path's permissions and at the free space of its disk")
    )]
    File(#[from] FsError),
}

impl From<BytecodeError> for InstallError {
    fn from(error: BytecodeError) -> Self {
        match error {
            BytecodeError::Interpreter { interpreter, wanted, reason } => {
                Self::Bytecode { interpreter, wanted, reason }
            }
            BytecodeError::File(error) => Self::File(error),
        }
    }
}
