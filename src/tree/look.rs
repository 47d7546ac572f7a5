//! One pass over all files of a tree: digests, where the prefix stands, which are ELF.

use std::{collections::BTreeMap, io};

use rayon::prelude::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::{
    content::Content,
    entries::{Entries, Entry, File},
    error::TreeError,
    find::{Found, Needles},
    place::Places,
};
use crate::base::Digest;

/// What one file or link holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The blake3 digest of a file's content or of a link's target.
    pub digest: Digest,
    /// The length of it, in bytes.
    pub size: u64,
    /// Where the placeholder stands.
    pub places: Option<Places>,
    /// Whether one of the other texts stands in it.
    pub other: bool,
    /// Whether it is a file that begins like an ELF file.
    pub elf: bool,
}

/// Looks through the files and links that `which` selects, in parallel, and gives what they hold by their names.
///
/// # Errors
/// When a file cannot be read, or changed meanwhile.
pub fn look(
    entries: &Entries,
    needles: &Needles<'_>,
    which: impl Fn(&[u8]) -> bool,
) -> Result<BTreeMap<Vec<u8>, Look>, TreeError> {
    let mut selected: Vec<(&Vec<u8>, &Entry)> =
        entries.iter().filter(|(name, entry)| **entry != Entry::Folder && which(name)).collect();
    // The largest first, so that none is begun when all others are done.
    let size = |entry: &Entry| match entry {
        Entry::File(File { content, .. }) => content.size(),
        _ => 0,
    };
    selected.sort_by_key(|(_, entry)| std::cmp::Reverse(size(entry)));
    let one = |(name, entry): (&Vec<u8>, &Entry)| Ok((name.clone(), look_at(entry, needles)?));
    selected.into_par_iter().with_max_len(8).map(one).collect()
}

fn look_at(entry: &Entry, needles: &Needles<'_>) -> Result<Look, TreeError> {
    let mut hasher = blake3::Hasher::new();
    let mut elf = None;
    let mut see = |piece: &[u8]| {
        elf.get_or_insert_with(|| piece.starts_with(b"\x7fELF"));
        hasher.update(piece);
    };
    let Found { places, other, size } = match entry {
        Entry::Folder => Found::default(),
        Entry::Link(target) => needles.look(target.as_slice(), &mut see).expect("memory can be read"),
        Entry::File(File { content, .. }) => {
            needles.look(content.open()?, &mut see).map_err(|error| changed(content, error))?
        }
    };
    let elf = elf.unwrap_or(false) && matches!(entry, Entry::File(_));
    Ok(Look { digest: hasher.into(), size, places, other, elf })
}

fn changed(content: &Content, error: io::Error) -> TreeError {
    match (error.kind(), content.path()) {
        (io::ErrorKind::InvalidData, Some(path)) => TreeError::Changed(path.to_owned()),
        _ => content.fault(error).into(),
    }
}
