//! Requirements and channels → the packages of an environment, in the order in which they can be installed.
//!
//! Knows nothing of: the manifest, lock files, prefixes, how the project's own packages came to be.

mod builds;
mod error;
mod reach;
mod solver;
#[cfg(test)]
mod tests;
mod virtual_packages;

use std::path::Path;

use rattler_conda_types::{Channel, GenericVirtualPackage, MatchSpec, RepoDataRecord, Subdir};

use crate::base::Network;

pub use builds::{BuildsRequest, fitting_builds};
pub use error::SolveError;
pub use reach::unreachable;
pub use solver::solve;
pub use virtual_packages::{host_virtual_packages, named_virtual_packages, target_virtual_packages};

/// What to solve.
#[derive(Clone, Copy, Debug)]
pub struct SolveRequest<'a> {
    /// The platform of the environment; `noarch` takes part by itself.
    pub platform: Subdir,
    /// What the environment must hold.
    pub specs: &'a [MatchSpec],
    /// The channels, the first has the highest priority, and a package that one has is taken from no later one.
    pub channels: &'a [Channel],
    /// The project's own packages. They come before every channel: a package name among them is taken from nowhere else.
    pub local: &'a [RepoDataRecord],
    /// What the machine offers where the environment will run.
    pub virtual_packages: &'a [GenericVirtualPackage],
    /// Packages to keep where they still satisfy, usually those of the lock file.
    pub locked: &'a [RepoDataRecord],
    /// The folder of caches; repodata goes into a folder of its own there.
    pub cache: &'a Path,
    /// Whether the network may be used.
    pub network: Network,
}
