//! The relocation list: which files and links hold the placeholder. It stands first in the archive.
//!
//! The lists are names that each end with a NUL byte, so that the shell script can hand them to `xargs -0` and names
//! may hold any byte. Beside them stands a small JSON file with what else there is to know.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::rewrite::Mode;

/// The folder of our own files in the archive.
pub(super) const FOLDER: &str = "conda-meta/envbuild";
pub(super) const HEADER: &str = "conda-meta/envbuild/relocate.json";
pub(super) const BINARY: &str = "conda-meta/envbuild/binary";
pub(super) const LINKS: &str = "conda-meta/envbuild/links";
pub(super) const TEXT: &str = "conda-meta/envbuild/text";
/// Holds the prefix and a line break, once every file does.
pub(super) const MARKER: &str = "conda-meta/envbuild/prefix";
/// The entries with which every archive begins, in this order; the first two are folders.
pub(super) const HEAD: [&str; 6] = ["conda-meta", FOLDER, HEADER, BINARY, LINKS, TEXT];
/// The format of all this; a reader refuses any other.
pub(super) const FORMAT: u64 = 1;

/// The JSON file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) format: u64,
    pub(super) placeholder: String,
    pub(super) name: String,
    pub(super) platform: String,
}

/// The lists; names are relative to the prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Relocation {
    pub(super) files: BTreeMap<Vec<u8>, Mode>,
    /// Symbolic links and their targets, which hold the placeholder.
    pub(super) links: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Relocation {
    /// One list's content.
    pub(super) fn files_in(&self, mode: Mode) -> Vec<u8> {
        join(self.files.iter().filter(|(_, of)| **of == mode).map(|(name, _)| name.as_slice()))
    }

    /// The list of links: name and target in turn.
    pub(super) fn links_list(&self) -> Vec<u8> {
        join(self.links.iter().flat_map(|(name, target)| [name.as_slice(), target.as_slice()]))
    }

    /// Reads the three lists; nothing when one is malformed.
    pub(super) fn parse(text: &[u8], binary: &[u8], links: &[u8]) -> Option<Self> {
        let mut relocation = Self::default();
        let mut seen = BTreeSet::new();
        for (list, mode) in [(text, Mode::Text), (binary, Mode::Binary)] {
            for name in split(list)? {
                if !seen.insert(name.to_vec()) {
                    return None;
                }
                relocation.files.insert(name.to_vec(), mode);
            }
        }
        let links = split(links)?;
        if links.len() % 2 != 0 {
            return None;
        }
        for pair in links.chunks(2) {
            if !seen.insert(pair[0].to_vec()) {
                return None;
            }
            relocation.links.insert(pair[0].to_vec(), pair[1].to_vec());
        }
        Some(relocation)
    }
}

fn join<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    names.flat_map(|name| name.iter().copied().chain([0])).collect()
}

fn split(list: &[u8]) -> Option<Vec<&[u8]>> {
    let Some(list) = list.strip_suffix(&[0]) else {
        return list.is_empty().then(Vec::new);
    };
    Some(list.split(|byte| *byte == 0).collect())
}
