//! Why a node is not fresh.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Inputs;
use crate::plan::NodeId;

/// One input that differs from the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The input's name: `recipe/build.sh`, `variant/python`, `needs/build:libfoo`.
    pub input: String,
    /// Its value then; nothing when it is new.
    pub old: Option<String>,
    /// Its value now; nothing when it is gone.
    pub new: Option<String>,
}

impl Change {
    /// What differs between two lists of inputs, by name.
    pub fn between(old: &Inputs, new: &Inputs) -> Vec<Self> {
        let mut changes = Vec::new();
        for (input, value) in new.iter() {
            let before = old.get(input);
            if before != Some(value) {
                let (old, new) = (before.map(str::to_owned), Some(value.to_owned()));
                changes.push(Self { input: input.to_owned(), old, new });
            }
        }
        for (input, value) in old.iter() {
            if new.get(input).is_none() {
                changes.push(Self { input: input.to_owned(), old: Some(value.to_owned()), new: None });
            }
        }
        changes
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { input, old, new } = self;
        match (old, new) {
            (None, Some(_)) => write!(f, "{input} is new"),
            (Some(_), None) => write!(f, "{input} is gone"),
            _ => write!(f, "{input} changed"),
        }
    }
}

/// Why a node has to run, or may have to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// There is no record of it.
    NeverDone,
    /// It did not end well the last time.
    FailedBefore,
    /// Inputs differ.
    Changed(Vec<Change>),
    /// What it made is not there any more, or not as it was.
    OutputGone(String),
    /// The lock file does not hold what was solved.
    LockChanged,
    /// `--update` asks for the newest that satisfies.
    Update,
    /// Its prefix was made at another place, which is written into its files.
    Moved {
        /// Where it was made.
        from: String,
    },
    /// What it needs has to run first; whether it has to run itself shows then.
    Behind(Vec<NodeId>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverDone => f.write_str("never done"),
            Self::FailedBefore => f.write_str("failed the last time"),
            Self::Changed(changes) => match changes.as_slice() {
                [] => f.write_str("its inputs changed"),
                [one] => one.fmt(f),
                [first, rest @ ..] => write!(f, "{first}, and {} more", rest.len()),
            },
            Self::OutputGone(what) => write!(f, "{what} is gone or damaged"),
            Self::Update => f.write_str("to be updated"),
            Self::LockChanged => f.write_str("the lock file changed"),
            Self::Moved { from } => write!(f, "the prefix was made at {from}"),
            Self::Behind(nodes) => match nodes.as_slice() {
                [one] => write!(f, "waits for {one}"),
                [first, rest @ ..] => write!(f, "waits for {first} and {} more", rest.len()),
                [] => f.write_str("waits"),
            },
        }
    }
}
