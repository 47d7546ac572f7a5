//! Why there is no image of some packages.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::{
    base::FsError,
    bytecode::BytecodeError,
    tree::{PLACEHOLDER_MIN, TreeError},
};

/// Packages could not be made into a tree.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ImageError {
    /// A package could not be fetched or extracted.
    #[error("the package `{package}` could not be fetched: {reason}")]
    #[diagnostic(
        code(envbuild::image::fetch),
        help("look at the cause above; one of the project is built again by `envbuild build`")
    )]
    Fetch {
        /// The package's file name.
        package: String,
        /// What went wrong, from the outside in.
        reason: String,
    },
    /// A package would have to be downloaded.
    #[error("the package `{url}` is not in the package cache, and the network may not be used")]
    #[diagnostic(code(envbuild::image::offline), help("run once where there is a network, or leave out `--offline`"))]
    Offline {
        /// Where the package is.
        url: String,
    },
    /// A package's metadata cannot be used.
    #[error("the package `{package}` cannot be laid out: {reason}")]
    #[diagnostic(
        code(envbuild::image::package),
        help("the package is broken: take another build of it, or tell those who made it")
    )]
    Package {
        /// The package's file name.
        package: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no room for a prefix.
    #[error("the package `{package}` has room for a prefix of {room} bytes only")]
    #[diagnostic(
        code(envbuild::image::room),
        help("at least {PLACEHOLDER_MIN} bytes are needed: build the package in a longer prefix")
    )]
    Room {
        /// The package's file name.
        package: String,
        /// The length of its placeholder, in bytes.
        room: usize,
    },
    /// A bundle cannot be read.
    #[error("the bundle `{}` is damaged: {reason}", path.display())]
    #[diagnostic(
        code(envbuild::image::bundle),
        help(
            "{}",
            if path.is_dir() {
                "copy the folder again from where it was packed, or pack it again"
            } else {
                "fetch or copy it again, and compare it with its `.sha256` file"
            }
        )
    )]
    Bundle {
        /// The bundle.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The Python that shall compile bytecode cannot.
    #[error("`{}` could not compile the bytecode of Python {wanted}: {reason}", interpreter.display())]
    #[diagnostic(
        code(envbuild::image::bytecode),
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
    /// A file could not be read or written.
    #[error(transparent)]
    #[diagnostic(code(envbuild::image::file), help("look at the path's permissions and at the free space of its disk"))]
    File(#[from] FsError),
    /// A tree could not be listed or read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tree(#[from] TreeError),
}

impl From<BytecodeError> for ImageError {
    fn from(error: BytecodeError) -> Self {
        match error {
            BytecodeError::Interpreter { interpreter, wanted, reason } => {
                Self::Bytecode { interpreter, wanted, reason }
            }
            BytecodeError::File(error) => Self::File(error),
        }
    }
}
