//! What can be wrong with a lock file.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::base::FsError;

/// The lock file cannot be read or written.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum LockError {
    /// Git left its conflict markers in it.
    #[error("the lock file `{}` holds the conflict markers of a merge", .0.display())]
    #[diagnostic(
        code(envbuild::lock::conflict),
        help("delete the file and run `envbuild lock`, or check out one side with git and run `envbuild lock`")
    )]
    Conflict(PathBuf),
    /// It is not a lock file of a version that this program reads.
    #[error("the lock file `{}` cannot be understood: {reason}", path.display())]
    #[diagnostic(code(envbuild::lock::parse), help("delete the file and run `envbuild lock` to write it anew"))]
    Parse {
        /// The lock file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// Its last line is not there.
    #[error("the lock file `{}` was cut short: its last line is not there", .0.display())]
    #[diagnostic(
        code(envbuild::lock::cut),
        help("check it out again with git, or delete the file and run `envbuild lock` to write it anew")
    )]
    Cut(PathBuf),
    /// An environment in it has no platform or more than one.
    #[error("the environment `{environment}` of the lock file `{}` has {found} platforms, not one", path.display())]
    #[diagnostic(code(envbuild::lock::platforms), help("delete the file and run `envbuild lock` to write it anew"))]
    Platforms {
        /// The lock file.
        path: PathBuf,
        /// The environment's name.
        environment: String,
        /// How many platforms it has.
        found: usize,
    },
    /// The environments cannot be written in rattler-lock's format.
    #[error("the lock file `{}` cannot be written: {reason}", path.display())]
    #[diagnostic(code(envbuild::lock::format), help("report this with the manifest"))]
    Format {
        /// The lock file.
        path: PathBuf,
        /// What the library says.
        reason: String,
    },
    /// The file could not be read or written.
    #[error(transparent)]
    #[diagnostic(code(envbuild::lock::file), help("look at the path's permissions and at the free space of its disk"))]
    File(#[from] FsError),
}
