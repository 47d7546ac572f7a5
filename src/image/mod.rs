//! Locked packages → a tree, without a prefix: the files are those of the package cache, and name a placeholder where
//! the installer would write the prefix. And bundles: the packages as they are, in one file that is a channel as well.
//!
//! Knows nothing of: solving, the lock file's format, archives of trees.

mod bundle;
mod bytecode;
mod cached;
mod error;
mod layout;
mod made;
mod patch;
mod records;
mod variables;

use std::path::Path;

use rattler_conda_types::{MatchSpec, RepoDataRecord, Subdir};

use crate::base::Network;

pub use bundle::{
    BundleRequest, INDEX, LOCK, Outline, UnbundleRequest, Unbundled, bundle, grow, is_bundle, outline, unbundle,
};
pub use error::ImageError;
pub use made::{Image, image};
pub use variables::variables;

/// What the tree is to hold.
#[derive(Debug, Clone, Copy)]
pub struct ImageRequest<'a> {
    /// The packages.
    pub records: &'a [RepoDataRecord],
    /// What the user asked for; it is noted beside the package that answers it.
    pub specs: &'a [MatchSpec],
    /// The platform of the packages.
    pub platform: Subdir,
    /// The package cache.
    pub cache: &'a Path,
    /// A folder where compiled bytecode is kept for the next time.
    pub kept: &'a Path,
    /// The Python that compiles bytecode instead of the one among the packages; it must be of the same version.
    pub interpreter: Option<&'a Path>,
    /// Whether the network may be used.
    pub network: Network,
}
