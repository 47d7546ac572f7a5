//! The tree of an image, and the tables of its inodes and folders.

use std::{collections::BTreeMap, io};

use super::{
    layout::{FILE, FOLDER, LARGE, LINK, NO_FRAGMENT},
    metadata::Table,
};
use crate::archive::{error::SinkError, sink::EPOCH};

/// What an image holds.
pub(super) enum Node {
    Folder(BTreeMap<Vec<u8>, usize>),
    Link(Vec<u8>),
    File(File),
}

/// What an inode says of a file.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) executable: bool,
    pub(super) modified: u64,
    pub(super) size: u64,
    /// Where its blocks begin, and how long each is on disk.
    pub(super) start: u64,
    pub(super) blocks: Vec<u32>,
    /// The bytes that are not there because they are zeros.
    pub(super) holes: u64,
    /// The block that it shares with other small files, and its place there.
    pub(super) fragment: Option<(u32, u32)>,
}

/// All nodes, the root first.
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    folders: BTreeMap<Vec<u8>, usize>,
}

/// The tables that describe a tree.
pub(super) struct Tables {
    pub(super) inodes: Vec<u8>,
    pub(super) folders: Vec<u8>,
    pub(super) root: u64,
}

/// The longest name of a single file.
const LONGEST: usize = 255;

impl Tree {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::Folder(BTreeMap::new())], folders: BTreeMap::from([(Vec::new(), 0)]) }
    }

    /// Adds a node to its folder; gives its number.
    pub(super) fn add(&mut self, name: &[u8], node: Node) -> Result<usize, SinkError> {
        let unfit = |why| SinkError::Unfit { name: name.to_vec(), why };
        let slash = name.iter().rposition(|byte| *byte == b'/');
        let (above, last) = slash.map_or((&b""[..], name), |slash| (&name[..slash], &name[slash + 1..]));
        if last.is_empty() || last.len() > LONGEST || last == b"." || last == b".." || last.contains(&0) {
            return Err(unfit("has a name that no file can have"));
        }
        let number = self.nodes.len();
        let above = *self.folders.get(above).ok_or_else(|| unfit("comes before its folder"))?;
        let Node::Folder(entries) = &mut self.nodes[above] else { return Err(unfit("is in no folder")) };
        if entries.insert(last.to_vec(), number).is_some() {
            return Err(unfit("comes twice"));
        }
        if matches!(node, Node::Folder(_)) {
            self.folders.insert(name.to_vec(), number);
        }
        self.nodes.push(node);
        Ok(number)
    }

    /// Writes the tables.
    pub(super) fn tables(self, level: i32) -> Result<Tables, SinkError> {
        let mut numbers = vec![0; self.nodes.len()];
        numbers[0] = 1;
        let mut next = 2;
        self.number(0, &mut next, &mut numbers);
        let places = vec![(0, 0); self.nodes.len()];
        let mut writer =
            Writer { nodes: &self.nodes, numbers, places, inodes: Table::new(level), folders: Table::new(level) };
        // The root has a parent that does not exist.
        writer.folder(0, next)?;
        let (block, offset) = writer.places[0];
        let root = u64::from(block) << 16 | u64::from(offset);
        Ok(Tables { inodes: writer.inodes.finish()?.0, folders: writer.folders.finish()?.0, root })
    }

    /// Numbers what is in a folder one after the other, and then what is below.
    fn number(&self, node: usize, next: &mut u32, numbers: &mut [u32]) {
        let Node::Folder(entries) = &self.nodes[node] else { return };
        for entry in entries.values() {
            numbers[*entry] = *next;
            *next += 1;
        }
        for entry in entries.values() {
            self.number(*entry, next, numbers);
        }
    }
}

struct Writer<'a> {
    nodes: &'a [Node],
    numbers: Vec<u32>,
    /// Where the inodes are that were written.
    places: Vec<(u32, u16)>,
    inodes: Table,
    folders: Table,
}

impl Writer<'_> {
    /// What all inodes begin with. All belong to the one user in the table of users.
    fn inode(&mut self, node: usize, [kind, mode]: [u16; 2], modified: u64, rest: &[u8]) -> io::Result<()> {
        self.places[node] = self.inodes.here();
        let mut bytes = Vec::with_capacity(16 + rest.len());
        for number in [kind, mode, 0, 0] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(u32::try_from(modified).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend(self.numbers[node].to_le_bytes());
        bytes.extend_from_slice(rest);
        self.inodes.put(&bytes)
    }

    /// Everything in a folder, and then the folder itself.
    fn folder(&mut self, node: usize, parent: u32) -> io::Result<()> {
        let nodes = self.nodes;
        let Node::Folder(entries) = &nodes[node] else { return Ok(()) };
        let mut links = 2_u32;
        for entry in entries.values() {
            match &nodes[*entry] {
                Node::Folder(_) => {
                    links += 1;
                    self.folder(*entry, self.numbers[node])?;
                }
                Node::Link(target) => {
                    let mut rest = [1_u32.to_le_bytes(), (target.len() as u32).to_le_bytes()].concat();
                    rest.extend(target);
                    self.inode(*entry, [LINK, 0o777], EPOCH, &rest)?;
                }
                Node::File(file) => self.file(*entry, file)?,
            }
        }
        let (block, offset) = self.folders.here();
        // The size counts `.` and `..`, which are not written.
        let size = 3 + self.list(entries)?;
        let mut rest = Vec::new();
        let small = u16::try_from(size).ok();
        if let Some(size) = small {
            rest.extend([block.to_le_bytes(), links.to_le_bytes()].as_flattened());
            rest.extend([size.to_le_bytes(), offset.to_le_bytes()].as_flattened());
            rest.extend(parent.to_le_bytes());
        } else {
            for number in [links, size, block, parent] {
                rest.extend(number.to_le_bytes());
            }
            // No index, no attributes.
            rest.extend([[0, 0], offset.to_le_bytes()].as_flattened());
            rest.extend(u32::MAX.to_le_bytes());
        }
        let kind = if small.is_some() { FOLDER } else { FOLDER + LARGE };
        self.inode(node, [kind, 0o755], EPOCH, &rest)
    }

    fn file(&mut self, node: usize, file: &File) -> io::Result<()> {
        let small = u32::try_from(file.start).ok().zip(u32::try_from(file.size).ok()).filter(|_| file.holes == 0);
        let (fragment, offset) = file.fragment.unwrap_or((NO_FRAGMENT, 0));
        let mut rest = Vec::with_capacity(40 + 4 * file.blocks.len());
        if let Some((start, size)) = small {
            for number in [start, fragment, offset, size] {
                rest.extend(number.to_le_bytes());
            }
        } else {
            for number in [file.start, file.size, file.holes] {
                rest.extend(number.to_le_bytes());
            }
            for number in [1, fragment, offset, u32::MAX] {
                rest.extend(number.to_le_bytes());
            }
        }
        for block in &file.blocks {
            rest.extend(block.to_le_bytes());
        }
        let kind = if small.is_some() { FILE } else { FILE + LARGE };
        let mode = if file.executable { 0o755 } else { 0o644 };
        self.inode(node, [kind, mode], file.modified, &rest)
    }

    /// Writes the names in a folder, and gives the bytes that they take. Those whose inodes are in one block and have
    /// near numbers share a header.
    fn list(&mut self, entries: &BTreeMap<Vec<u8>, usize>) -> io::Result<u32> {
        const TOGETHER: usize = 256;
        let all: Vec<_> = entries.iter().collect();
        let mut rest = all.as_slice();
        let mut size = 0;
        while let [(_, first), ..] = rest {
            let (block, base) = (self.places[**first].0, self.numbers[**first]);
            let near = |entry: usize| self.numbers[entry].abs_diff(base) < 0x7fff && self.places[entry].0 == block;
            let count = rest.iter().take(TOGETHER).take_while(|(_, entry)| near(**entry)).count();
            let mut bytes = Vec::new();
            for number in [count as u32 - 1, block, base] {
                bytes.extend(number.to_le_bytes());
            }
            for (name, entry) in &rest[..count] {
                let kind = match &self.nodes[**entry] {
                    Node::Folder(_) => FOLDER,
                    Node::Link(_) => LINK,
                    Node::File(_) => FILE,
                };
                let number = self.numbers[**entry].wrapping_sub(base) as u16;
                for number in [self.places[**entry].1, number, kind, name.len() as u16 - 1] {
                    bytes.extend(number.to_le_bytes());
                }
                bytes.extend(name.iter());
            }
            size += bytes.len() as u32;
            self.folders.put(&bytes)?;
            rest = &rest[count..];
        }
        Ok(size)
    }
}
