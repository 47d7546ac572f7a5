//! What is asked for, and what is given.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::base::Network;

/// A source as a recipe names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRef {
    /// URLs of the same file; the first is upstream's.
    pub urls: Vec<String>,
    /// Its sha256, in hexadecimal digits.
    pub sha256: Option<String>,
    /// Its md5, in hexadecimal digits. Checked as well when there is a sha256.
    pub md5: Option<String>,
    /// What the file is called in mirrors and in the store; see [`file_name`].
    pub file_name: String,
}

/// Some sources and where to look for them.
#[derive(Debug, Clone, Copy)]
pub struct FetchRequest<'a> {
    /// What is wanted.
    pub sources: &'a [SourceRef],
    /// Folders, as paths or `file://` URLs, and `http(s)://` URLs of folders, in the order in which they are asked. A
    /// mirror holds files as `NAME`, `SHA256` or `SHA256/NAME`; a store is a mirror.
    pub mirrors: &'a [String],
    /// The folder that the files are kept in, as `SHA256/NAME`.
    pub store: &'a Path,
    /// Whether the network may be used.
    pub network: Network,
    /// The user's environment, which says where pip's configuration is.
    pub environment: &'a BTreeMap<String, String>,
    /// Tells the index that pip asks when it is not configured. The error is a sentence that says what to do.
    pub default_index: fn(&BTreeMap<String, String>) -> Result<String, String>,
}

/// A source on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    /// The source's first URL.
    pub url: String,
    /// The file, in the store.
    pub file: PathBuf,
    /// Its sha256, in hexadecimal digits.
    pub sha256: String,
}

/// The file name in a URL: the last part of its path, or the part before it when the last one only says `download`.
/// Nothing when the path has no such part.
pub fn file_name(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let mut parts = url.path_segments()?.rev().filter(|part| !part.is_empty());
    let last = parts.next()?;
    match parts.next() {
        Some(before) if last == "download" && before.contains('.') => Some(before.to_owned()),
        _ => Some(last.to_owned()),
    }
}
