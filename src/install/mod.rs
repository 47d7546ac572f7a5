//! Locked packages → a prefix: linked, with bytecode, repaired after an abort; and what is in a prefix.
//!
//! Knows nothing of: solving, the lock file's format, how packages came to be, packing.

mod activate;
mod bytecode;
mod bytes;
mod error;
mod installer;
mod prefix;
#[cfg(test)]
mod tests;
mod variables;

use std::path::Path;

use rattler_conda_types::{MatchSpec, RepoDataRecord, Subdir};

use crate::base::Network;

pub use activate::activation;
pub use bytes::verify;
pub use error::InstallError;
pub use installer::install;
pub use prefix::{InstalledPackage, holds, list};
pub use variables::variables;

/// What to install, and where.
#[derive(Clone, Copy, Debug)]
pub struct InstallRequest<'a> {
    /// The prefix, an absolute path. It becomes exactly what `records` say, whatever was there before.
    pub prefix: &'a Path,
    /// The prefix that the files shall name instead of `prefix`, when this one is only a place to pack from.
    pub target_prefix: Option<&'a Path>,
    /// The platform of the packages.
    pub platform: Subdir,
    /// The packages.
    pub records: &'a [RepoDataRecord],
    /// What the user asked for; it is noted in the prefix beside the package that answers it.
    pub specs: &'a [MatchSpec],
    /// The package cache.
    pub cache: &'a Path,
    /// The Python that compiles bytecode instead of the prefix's own; it must be of the same version.
    pub interpreter: Option<&'a Path>,
    /// Whether the network may be used.
    pub network: Network,
}

/// What an installation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// Packages that were linked anew.
    pub linked: usize,
    /// Packages that were removed or replaced.
    pub unlinked: usize,
    /// Bytecode files that were written.
    pub compiled: usize,
    /// Whether a broken prefix was deleted first.
    pub repaired: bool,
}
