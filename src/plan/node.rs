//! The things that can be done.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::manifest::DEFAULT_PACK_FORMAT;

/// The name of a node as people read and type it: `build:mpi4py[mpi4py_version=4.0.3,python=3.11]`, `lock:resnet-py311`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(String);

impl NodeId {
    /// The id of a node of this kind; `what` is a package cell's id or an environment cell's name.
    pub fn new(kind: Kind, what: &str) -> Self {
        Self(format!("{kind}:{what}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Solves the build and host environments of a package that needs base channels, and writes them into the lock file.
    Resolve,
    /// Makes a package from a recipe and publishes it in the local channel.
    Build,
    /// Solves an environment and writes it into the lock file.
    Lock,
    /// Makes a prefix of what is locked.
    Install,
    /// Runs an environment's test script in its activated prefix.
    Test,
    /// Makes an archive of an environment.
    Pack,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolve",
            Self::Build => "build",
            Self::Lock => "lock",
            Self::Install => "install",
            Self::Test => "test",
            Self::Pack => "pack",
        })
    }
}

/// What a node packs: an environment, and the format when it is not the usual one.
pub(super) fn packed_as(environment: &str, format: &str) -> String {
    if format == DEFAULT_PACK_FORMAT { environment.to_owned() } else { format!("{environment}[format={format}]") }
}

/// The place of a node in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index(pub(super) usize);

impl Index {
    /// As a number below the plan's length, to index a table beside the plan.
    pub fn number(self) -> usize {
        self.0
    }
}

/// One thing to do.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// What it does.
    pub kind: Kind,
    /// The package cell (for `Resolve` and `Build`) or environment cell (for all others), as an index into the workspace's lists.
    pub subject: usize,
    /// For a `Pack`, the format, as an index into the environment's list; 0 for all others.
    pub part: usize,
    /// The nodes that must be done before, in the plan's order.
    pub needs: Vec<Index>,
    /// Of these, those whose result is an input. A `Build` also needs packages that are only run beside it, by its
    /// tests.
    pub inputs: Vec<Index>,
}
