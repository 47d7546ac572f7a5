//! `envbuild.lock`: which packages each environment has, in rattler-lock's format; whether they still satisfy the
//! project, and what changed.
//!
//! Knows nothing of: how environments are solved or installed, the manifest, the channel's index.

mod change;
mod error;
mod file;
mod satisfy;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use rattler_conda_types::{GenericVirtualPackage, MatchSpec, RepoDataRecord, Subdir};

pub use change::{Change, changes};
pub use error::LockError;
pub use file::{read, write};
pub use satisfy::{Unsatisfied, satisfies};

/// One environment of the lock file: one platform, its channels and its packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedEnvironment {
    /// The platform it was solved for.
    pub platform: Subdir,
    /// The channels as the lock file spells them; the project's own comes first, as a path relative to the lock file.
    pub channels: Vec<String>,
    /// The virtual packages it was solved with, as `NAME=VERSION=BUILD`.
    pub virtual_packages: Vec<String>,
    /// The packages in an order in which they can be installed, with absolute URLs.
    pub packages: Vec<RepoDataRecord>,
}

/// What the project asks of an environment now.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// The platform.
    pub platform: Subdir,
    /// What the environment must hold.
    pub specs: &'a [MatchSpec],
    /// The channels, spelt as the lock file spells them.
    pub channels: &'a [String],
    /// What the machine offers where the environment will run.
    pub virtual_packages: &'a [GenericVirtualPackage],
    /// The project's own packages as they are now, with their sha256.
    pub local: &'a [RepoDataRecord],
    /// The folder of the project's own channel, absolute: what lies there and is not in `local` is not built any more.
    pub own: &'a Path,
}

/// A channel in a folder that the lock file names by a relative path, so that a project can be moved or copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelativeChannel {
    /// Its folder, absolute.
    pub folder: PathBuf,
    /// How the lock file spells the folder, relative to its own.
    pub written: String,
}
