//! What is remembered of a node that was done.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    base::Digest,
    fingerprint::{Inputs, Key, Reason},
    ledger::HostLibrary,
    plan::NodeId,
};

/// A node that was done: from what, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The node.
    pub node: NodeId,
    /// The key of its inputs.
    pub key: Key,
    /// The inputs, so that the next difference can be explained.
    pub inputs: Inputs,
    /// What it made.
    pub output: Output,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// A package that a node is about to put into the channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The node.
    pub node: NodeId,
    /// `linux-64` or `noarch`.
    pub subdir: String,
    /// File name.
    pub file_name: String,
}

/// What a node made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// A package in the local channel.
    Package(PackageFile),
    /// An environment in the lock file.
    Locked {
        /// Of the locked packages: names, versions, build strings, hashes.
        digest: Digest,
    },
    /// A prefix.
    Prefix {
        /// Of the packages in it.
        digest: Digest,
        /// Where it was made: its files name the place.
        path: PathBuf,
    },
    /// A test that passed.
    Tested {
        /// Of what was tested.
        digest: Digest,
    },
    /// An archive.
    Archive {
        /// Its SHA-256 in hexadecimal.
        sha256: String,
        /// Its size.
        bytes: u64,
        /// Its file, relative to the project.
        file: PathBuf,
    },
    /// A folder into which an environment or its packages were put.
    Folder {
        /// Of the list in it that says what is in it.
        digest: Digest,
        /// The folder, relative to the project.
        folder: PathBuf,
    },
}

impl Output {
    /// What dependents hash.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Package(package) => package.content,
            Self::Locked { digest }
            | Self::Prefix { digest, .. }
            | Self::Tested { digest }
            | Self::Folder { digest, .. } => *digest,
            Self::Archive { sha256, .. } => Digest::of(sha256),
        }
    }
}

/// A package file of the local channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFile {
    /// Package name.
    pub name: String,
    /// Package version.
    pub version: String,
    /// Build string: the label leads, the content ends.
    pub build: String,
    /// `linux-64` or `noarch`.
    pub subdir: String,
    /// File name.
    pub file_name: String,
    /// SHA-256 of the file in hexadecimal.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
    /// Digest of its content, whose first digits end the build string.
    pub content: Digest,
    /// The libraries of the host that it needs: inputs that were found when it was built.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<HostLibrary>,
}

/// How a node of a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeResult {
    /// Nothing had to be done.
    Fresh,
    /// It was done.
    Built,
    /// It went wrong.
    Failed,
    /// Something that it needs went wrong, or the run was stopped.
    Skipped,
}

/// How runs left the nodes, for `status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// How each node ended, why it ran, and how long it took in seconds.
    pub nodes: BTreeMap<NodeId, (NodeResult, Option<Reason>, f64)>,
    /// The run that ended last.
    #[serde(default)]
    pub ended: Option<Ended>,
}

/// A run that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// When, in seconds since 1970, by the clock of the machine that it ran on.
    pub at: Option<u64>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether it was stopped from outside.
    pub stopped: bool,
    /// How many nodes had nothing to do.
    pub fresh: usize,
    /// How many were done.
    pub built: usize,
    /// How many went wrong.
    pub failed: usize,
    /// How many were not done because of others.
    pub skipped: usize,
}
