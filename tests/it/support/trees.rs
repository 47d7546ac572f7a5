//! Trees of files, as they are on disk, to be compared.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use memchr::memmem;

/// The entries below a folder, by their names relative to it.
pub(crate) type Tree = BTreeMap<PathBuf, Node>;

/// An entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// Its permissions.
    Folder(u32),
    /// What it leads to.
    Link(PathBuf),
    /// Its permissions, the second since 1970 in which it was changed, and its bytes.
    File(u32, i64, Vec<u8>),
}

/// Every entry below a folder with all that can be seen of it.
pub(crate) fn tree_below(root: &Path) -> Tree {
    let mut found = Tree::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let mode = metadata.mode() & 0o7777;
            let name = path.strip_prefix(root).unwrap().to_owned();
            let node = if metadata.is_symlink() {
                Node::Link(path.read_link().unwrap())
            } else if metadata.is_dir() {
                folders.push(path);
                Node::Folder(mode)
            } else {
                Node::File(mode, metadata.mtime(), fs::read(path).unwrap())
            };
            found.insert(name, node);
        }
    }
    found
}

/// Every entry of an environment as if it stood elsewhere and had no times, which is what all copies of it share.
pub(crate) fn environment(prefix: &Path) -> Tree {
    let mut found = tree_below(prefix);
    let place = prefix.as_os_str().as_encoded_bytes();
    for node in found.values_mut() {
        if let Node::File(_, modified, bytes) = node {
            *modified = 0;
            for at in memmem::find_iter(&bytes.clone(), place).collect::<Vec<_>>().into_iter().rev() {
                bytes.splice(at..at + place.len(), *b"PREFIX");
            }
        }
    }
    found
}

/// Fails with what differs between two trees.
#[track_caller]
pub(crate) fn assert_same_trees(one: &Tree, other: &Tree) {
    let mut differing = Vec::new();
    for (name, node) in one {
        match other.get(name) {
            Some(same) if same == node => {}
            Some(another) => differing.push(format!("{}: {}", name.display(), difference(node, another))),
            None => differing.push(format!("{}: only in the first", name.display())),
        }
    }
    let more = other.keys().filter(|name| !one.contains_key(*name));
    differing.extend(more.map(|name| format!("{}: only in the second", name.display())));
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing[..differing.len().min(20)].join("\n"));
}

/// What both are, with the bytes around the first that differ.
fn difference(one: &Node, other: &Node) -> String {
    let pairs = content(one).iter().zip(content(other));
    let at = pairs.take_while(|(one, other)| one == other).count();
    let show = |node: &Node| match node {
        Node::File(mode, modified, bytes) => {
            let around = &bytes[at.saturating_sub(300)..bytes.len().min(at + 200)];
            format!("file {mode:o} at {modified} with {:?}", String::from_utf8_lossy(around))
        }
        other => format!("{other:?}"),
    };
    format!("{}\n  and {}", show(one), show(other))
}

fn content(node: &Node) -> &[u8] {
    match node {
        Node::File(_, _, bytes) => bytes,
        Node::Folder(_) | Node::Link(_) => &[],
    }
}
