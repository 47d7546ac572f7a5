//! What a build is told and what it hands back. Both are plain values, because they cross a process boundary as JSON.

use std::{collections::BTreeMap, path::PathBuf};

use rattler_conda_types::RepoDataRecord;
use serde::{Deserialize, Serialize};

use crate::{activation::Activation, base::Digest, elf::RunPathKind, ledger::HostLibrary};

/// One package cell to build.
#[derive(Serialize, Deserialize, Debug, Clone)]
pub struct BuildJob {
    /// The `recipe.yaml`.
    pub recipe: PathBuf,
    /// The package name of the output to build.
    pub output: String,
    /// The full combination of axis values of this cell: the recipe is rendered with these.
    pub axes: BTreeMap<String, String>,
    /// The values that the output uses; they tell outputs of one name apart.
    pub variant: BTreeMap<String, String>,
    /// The provisional build string of [`conda::provisional`](crate::conda::provisional), instead of the rendered one.
    pub build_string: String,
    /// Final versions and build strings of packages that the recipe may pin exactly, by package name.
    pub siblings: BTreeMap<String, Sibling>,
    /// The platform to build on and for, such as `linux-64`.
    pub platform: String,
    /// Virtual packages as `name=version=build`; the build machine's own are detected when there are none.
    #[serde(default)]
    pub virtual_packages: Vec<String>,
    /// More of them, for what is known of the host.
    #[serde(default)]
    pub facts: Vec<String>,
    /// URLs of channels whose packages its environments may hold: those of the local dependencies.
    pub channels: Vec<String>,
    /// URLs of the base channels, in order of priority, which come after `channels`. A build takes nothing from them but
    /// what is `locked`; a resolution and the tests may take anything.
    pub base_channels: Vec<String>,
    /// The packages of base channels that the build and host environments may hold.
    pub locked: Vec<RepoDataRecord>,
    /// The root of the build folders; a short absolute path that is the same for everybody.
    pub scratch: PathBuf,
    /// The package and repodata cache.
    pub cache: PathBuf,
    /// Sources that lie on disk already, with verified content.
    pub sources: Vec<FetchedSource>,
    /// Whether the package uses what the host provides: then its libraries are held against what is allowed, and listed.
    #[serde(default)]
    pub host_bound: bool,
    /// The environment of the host's modules, which a script sees beside what a build gives it.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The modules that made it, in the order in which they were loaded.
    #[serde(default)]
    pub loaded: Vec<LoadedModule>,
    /// What happens to variables when an environment with the package is activated.
    #[serde(default)]
    pub activation: Option<Activation>,
    /// Which tag of an ELF file holds the run paths.
    #[serde(default)]
    pub rpath_kind: RunPathKind,
    /// Patterns of run paths of the host that may stay in a binary.
    pub run_paths: Vec<String>,
    /// Patterns of libraries that the host provides.
    pub libraries: Vec<String>,
    /// How many processors the build may use (`CPU_COUNT`).
    pub cpus: u32,
    /// How many processors are its own; those of its makes that are more are borrowed.
    pub held: u32,
    /// The `MAKEFLAGS` that lead makes to a jobserver; empty when there is none.
    #[serde(default)]
    pub make_flags: String,
    /// The folder that receives the archive.
    pub out: PathBuf,
}

/// A module of the host that was loaded for a build.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct LoadedModule {
    /// Its name with its version, as the module system lists it: `mpich/4.0.2`.
    pub name: String,
    /// The folders that it put into variables: what it provides is below one of them.
    pub folders: Vec<PathBuf>,
}

/// The build and host environments of a package cell to resolve.
#[derive(Serialize, Deserialize, Debug, Clone)]
pub struct ResolveJob {
    /// The cell; what is locked for it now is in there.
    pub build: BuildJob,
    /// What becomes of the locked packages.
    pub policy: ResolvePolicy,
}

/// What a resolution may do with the packages that are locked.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolvePolicy {
    /// They are enough, or it fails.
    Keep,
    /// They stay wherever they satisfy.
    Prefer,
    /// The newest that satisfies takes their place.
    Update,
}

/// The packages of base channels in the two environments of a cell, staging outputs included, sorted by URL. The
/// project's own packages are not among them: they are built, not locked.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
pub struct Environments {
    /// What runs during the build.
    pub build: Vec<RepoDataRecord>,
    /// What the package is built against.
    pub host: Vec<RepoDataRecord>,
}

/// A package that is known before it is in any channel.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Sibling {
    /// Its version.
    pub version: String,
    /// Its final build string.
    pub build: String,
}

/// A source that was fetched before the build.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct FetchedSource {
    /// One of the URLs under which the recipe asks for it.
    pub url: String,
    /// Where it lies.
    pub file: PathBuf,
}

/// What a build made.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The archive, in the job's `out` folder.
    pub archive: PathBuf,
    /// The package's name.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// The package's final build string.
    pub build: String,
    /// The digest of what the archive holds, which ends the build string.
    pub content: Digest,
    /// The channel folder that it belongs to: the platform, or `noarch`.
    pub subdir: String,
    /// What was installed to build it, sorted by environment and URL.
    pub resolved: Vec<ResolvedPackage>,
    /// The libraries of the host that it needs; of host-bound packages only.
    #[serde(default)]
    pub libraries: Vec<HostLibrary>,
    /// What the library warned about, in its order.
    pub warnings: Vec<String>,
}

/// A package that was installed for a build.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResolvedPackage {
    /// `build` or `host`.
    pub environment: String,
    /// Where it came from.
    pub url: String,
    /// The sha256 of its archive, in hexadecimal digits, when the channel tells it.
    pub sha256: Option<String>,
}
