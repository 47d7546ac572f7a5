//! Leaves out of an archive what another tree has: an update.

use std::collections::BTreeSet;

use super::bytecode;
use crate::{
    base::Digest,
    tree::{Content, Digests, Entries, Entry, File, HEAD, HEADER, Header},
};

/// Keeps of a complete tree, whose digests are `new`, what the `old` one does not have, the folders above it, and what
/// every archive begins with. The header says on which tree the update builds.
pub(super) fn only_new(entries: &mut Entries, new: &Digests, old: &Digests) {
    let mut wanted: BTreeSet<Vec<u8>> = HEAD.iter().map(|name| name.as_bytes().to_vec()).collect();
    wanted.extend(new.0.iter().filter(|(name, of)| old.0.get(*name) != Some(*of)).map(|(name, _)| name.clone()));
    // The time of a source is the one that its bytecode names, and in no digest: it comes with the bytecode.
    let gone = old.0.keys().filter(|name| !new.0.contains_key(*name));
    let sources: Vec<Vec<u8>> = wanted.iter().chain(gone).filter_map(|name| bytecode::source_of(name)).collect();
    wanted.extend(sources);
    let above: Vec<Vec<u8>> = wanted
        .iter()
        .flat_map(|name| name.iter().enumerate().filter(|(_, it)| **it == b'/').map(|(at, _)| name[..at].to_vec()))
        .collect();
    wanted.extend(above);
    entries.retain(|name, _| wanted.contains(name));
    if let Some(Entry::File(File { content: Content::Made(bytes), .. })) = entries.get_mut(HEADER.as_bytes())
        && let Ok(header) = serde_json::from_slice::<Header>(bytes)
    {
        *bytes = Header { since: Some(Digest::of(old.to_bytes())), ..header }.to_bytes();
    }
}
