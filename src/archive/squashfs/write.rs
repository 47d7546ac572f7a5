//! Writes squashfs images. The content streams; the tree is kept until the end.

use std::{collections::BTreeMap, io, io::Read};

use super::{
    layout::{BLOCK, DATA_PLAIN, NO_TABLE, PADDING, SUPERBLOCK_SIZE, Superblock, ZSTD},
    metadata::{Table, compress},
    tables::{File, Node, Tree},
};
use crate::archive::{
    error::SinkError,
    ordered::Ordered,
    output::Output,
    promised::Promised,
    sink::{EPOCH, FileMeta, MEMORY, Sink},
};

/// Writes a squashfs image.
pub(in crate::archive) struct SquashfsSink<W> {
    out: W,
    level: i32,
    threads: Ordered<io::Result<Block>>,
    /// How much was written.
    at: u64,
    tree: Tree,
    /// Small files that will share a block, and the blocks of those before: where each is, and how long.
    open: Vec<u8>,
    fragments: Vec<(u64, u32)>,
}

/// A block that was compressed.
struct Block {
    of: Owner,
    bytes: Vec<u8>,
    /// How long it is, as the format says it.
    size: u32,
    /// The zeros that stand for nothing on disk.
    hole: u64,
}

/// Whose block it is.
#[derive(Clone, Copy)]
enum Owner {
    File(usize),
    Fragment(usize),
}

/// What one thread needs: blocks before and after, and the compressor.
const EACH: u32 = 4 << 20;

impl<W: Output> SquashfsSink<W> {
    pub(in crate::archive) fn new(level: i32, threads: u32, mut out: W) -> Result<Self, SinkError> {
        out.write_all(&[0; SUPERBLOCK_SIZE])?;
        Ok(Self {
            out,
            level,
            threads: Ordered::new(threads.min(MEMORY / EACH) as usize),
            at: SUPERBLOCK_SIZE as u64,
            tree: Tree::new(),
            open: Vec::new(),
            fragments: Vec::new(),
        })
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn push(&mut self, of: Owner, content: Vec<u8>) -> io::Result<()> {
        let level = self.level;
        let compressed = self.threads.push(move || {
            if matches!(of, Owner::File(_)) && content.iter().all(|byte| *byte == 0) {
                return Ok(Block { of, bytes: Vec::new(), size: 0, hole: content.len() as u64 });
            }
            Ok(match compress(level, &content)? {
                Some(bytes) => Block { of, size: bytes.len() as u32, bytes, hole: 0 },
                None => Block { of, size: content.len() as u32 | DATA_PLAIN, bytes: content, hole: 0 },
            })
        })?;
        compressed.map_or(Ok(()), |block| self.write(block?))
    }

    fn write(&mut self, block: Block) -> io::Result<()> {
        let start = self.at;
        self.put(&block.bytes)?;
        match block.of {
            Owner::Fragment(number) => self.fragments[number] = (start, block.size),
            Owner::File(number) => {
                if let Node::File(file) = &mut self.tree.nodes[number] {
                    if file.blocks.is_empty() {
                        file.start = start;
                    }
                    file.blocks.push(block.size);
                    file.holes += block.hole;
                }
            }
        }
        Ok(())
    }

    /// Sends the small files away that were collected.
    fn close(&mut self) -> io::Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let number = self.fragments.len();
        self.fragments.push((0, 0));
        let content = std::mem::replace(&mut self.open, Vec::with_capacity(BLOCK));
        self.push(Owner::Fragment(number), content)
    }

    /// A table with its blocks, and after them the list of where they are; gives the place of that list.
    fn list(&mut self, records: &[u8]) -> Result<u64, SinkError> {
        let start = self.at;
        let mut table = Table::new(self.level);
        table.put(records)?;
        let (bytes, starts) = table.finish()?;
        self.put(&bytes)?;
        let place = self.at;
        for block in starts {
            self.put(&(start + block).to_le_bytes())?;
        }
        Ok(place)
    }
}

impl<W: Output> Sink for SquashfsSink<W> {
    fn folder(&mut self, name: &[u8]) -> Result<(), SinkError> {
        self.tree.add(name, Node::Folder(BTreeMap::new())).map(drop)
    }

    fn link(&mut self, name: &[u8], target: &[u8]) -> Result<(), SinkError> {
        if target.is_empty() || target.len() > 4095 {
            return Err(SinkError::Unfit { name: name.to_vec(), why: "points to what no link can point to" });
        }
        self.tree.add(name, Node::Link(target.to_vec())).map(drop)
    }

    fn file(&mut self, name: &[u8], meta: FileMeta, size: u64, data: &mut dyn Read) -> Result<(), SinkError> {
        let FileMeta { executable, modified } = meta;
        let mut file = File { executable, modified, size, ..File::default() };
        let mut data = Promised::new(name, size, data);
        let small = usize::try_from(size).ok().filter(|it| *it < BLOCK);
        if let Some(size) = small {
            let content = data.piece(size)?;
            data.end()?;
            if self.open.len() + size > BLOCK {
                self.close()?;
            }
            if size > 0 {
                file.fragment = Some((self.fragments.len() as u32, self.open.len() as u32));
            }
            self.open.extend(content);
            return self.tree.add(name, Node::File(file)).map(drop);
        }
        let number = self.tree.add(name, Node::File(file))?;
        while data.left() > 0 {
            let content = data.piece(BLOCK)?;
            self.push(Owner::File(number), content)?;
        }
        data.end()
    }

    fn finish(mut self: Box<Self>) -> Result<(), SinkError> {
        self.close()?;
        while let Some(block) = self.threads.pop()? {
            self.write(block?)?;
        }
        let tree = std::mem::replace(&mut self.tree, Tree::new());
        let inodes = tree.nodes.len() as u32;
        let tables = tree.tables(self.level)?;
        let inode_table = self.at;
        self.put(&tables.inodes)?;
        let folder_table = self.at;
        self.put(&tables.folders)?;
        let mut records = Vec::new();
        for (start, size) in &self.fragments {
            records.extend(start.to_le_bytes());
            records.extend(size.to_le_bytes());
            records.extend([0; 4]);
        }
        let fragment_table = if records.is_empty() { NO_TABLE } else { self.list(&records)? };
        // The one user is root.
        let id_table = self.list(&[0; 4])?;
        let length = self.at;
        let fill = vec![0; (length.next_multiple_of(PADDING) - length) as usize];
        self.put(&fill)?;
        let superblock = Superblock {
            inodes,
            modified: EPOCH as u32,
            block: BLOCK as u32,
            fragments: self.fragments.len() as u32,
            compressor: ZSTD,
            ids: 1,
            root: tables.root,
            length,
            id_table,
            inode_table,
            folder_table,
            fragment_table,
        };
        self.out.overwrite_start(&superblock.bytes())?;
        Ok(self.out.flush()?)
    }
}
