//! A package that the channel holds, as other rooms remember it.

use serde::{Deserialize, Serialize};

use crate::base::Digest;

/// A package in the channel: enough to find it, to check it and to compare it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The package's normalised name.
    pub name: String,
    /// The version as the package writes it.
    pub version: String,
    /// The build string.
    pub build: String,
    /// The folder of the channel that holds it: a platform or `noarch`.
    pub subdir: String,
    /// The archive's file name.
    pub file_name: String,
    /// The archive's sha256, in hexadecimal digits.
    pub sha256: String,
    /// The archive's size in bytes.
    pub bytes: u64,
    /// What the package is: the digest that its build string ends with.
    pub content: Digest,
}

/// What is wrong with a package's file in the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// There is no such file.
    Missing,
    /// The file holds other bytes than were published.
    Altered,
}
