//! What a bundle says of itself: the JSON file with which it begins.

use serde::{Deserialize, Serialize};

use rattler_conda_types::PackageRecord;

/// The file's name in the bundle.
pub const INDEX: &str = "bundle.json";

/// The lock file in a bundle.
pub const LOCK: &str = "envbuild.lock";
/// The format of the file; a reader refuses any other.
pub(super) const FORMAT: u64 = 1;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    /// [`FORMAT`].
    pub(super) format: u64,
    /// The environment's name.
    pub(super) name: String,
    /// The platform that it is for.
    pub(super) platform: String,
    /// What the user asked for.
    pub(super) specs: Vec<String>,
    /// The packages, in the order in which the bundle holds them.
    pub(super) packages: Vec<Package>,
}

/// A package.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Package {
    /// Its name in the bundle, as `linux-64/x-1.0-0.conda`.
    pub(super) path: String,
    /// Where it was from, without secrets and without the place of a project's own channel.
    pub(super) url: String,
    /// The channel that it was from.
    pub(super) channel: Option<String>,
    /// What the lock says of it; a sha256 is there.
    pub(super) record: PackageRecord,
}
