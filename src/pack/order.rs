//! In which order an archive holds its entries.

use std::collections::BTreeMap;

use crate::tree::{Digests, Entries, Entry, HEAD};

/// What says where the prefix stands comes first, then every folder, then the rest by name; but equal files stand side by
/// side, where a compressor sees that they are equal. Environments hold many, such as licences and what two packages
/// both bring.
pub(super) fn in_order<'a>(entries: &'a Entries, digests: &Digests) -> Vec<(&'a Vec<u8>, &'a Entry)> {
    let is_head = |name: &[u8]| HEAD.iter().any(|head| head.as_bytes() == name);
    let head = HEAD.iter().filter_map(|name| entries.get_key_value(name.as_bytes()));
    let (folders, others): (Vec<_>, Vec<_>) =
        entries.iter().filter(|(name, _)| !is_head(name)).partition(|(_, entry)| **entry == Entry::Folder);
    // Each file comes where the first of its kind does.
    let mut first = BTreeMap::new();
    let place = |(at, (name, entry)): (usize, &(&'a Vec<u8>, &'a Entry))| match (entry, digests.0.get(*name)) {
        (Entry::File(_), Some(of)) if of.size > 0 => *first.entry(of.digest).or_insert(at),
        _ => at,
    };
    let places: Vec<usize> = others.iter().enumerate().map(place).collect();
    let mut others: Vec<_> = places.into_iter().zip(others).collect();
    others.sort_by_key(|(place, _)| *place);
    head.chain(folders).chain(others.into_iter().map(|(_, one)| one)).collect()
}

#[cfg(test)]
mod tests {
    use super::in_order;
    use crate::{
        base::Digest,
        tree::{DigestOf, Digests, Entries, Entry, HEADER},
    };

    #[test]
    fn equal_files_stand_side_by_side() {
        let mut entries = Entries::new();
        let mut digests = Digests::default();
        for (name, text) in [
            ("a/one", "same"),
            ("a/two", "other"),
            ("b/empty", ""),
            ("b/three", "same"),
            ("c/also empty", ""),
            ("c/four", "same"),
            (HEADER, "{}"),
        ] {
            entries.insert(name.into(), Entry::made(text.into(), false));
            let of = DigestOf { kind: 'F', digest: Digest::of(text), size: text.len() as u64 };
            digests.0.insert(name.into(), of);
        }
        for folder in ["a", "b", "c", "conda-meta", "conda-meta/envbuild"] {
            entries.insert(folder.into(), Entry::Folder);
        }
        entries.insert("b/link".into(), Entry::Link("same".into()));
        let order: Vec<_> =
            in_order(&entries, &digests).into_iter().map(|(name, _)| std::str::from_utf8(name).unwrap()).collect();
        let head = ["conda-meta", "conda-meta/envbuild", HEADER];
        let files = ["a/one", "b/three", "c/four", "a/two", "b/empty", "b/link", "c/also empty"];
        assert_eq!(order, [&head[..], &["a", "b", "c"], &files].concat());
    }
}
