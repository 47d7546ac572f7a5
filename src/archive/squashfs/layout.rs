//! Numbers of the format, and the block at its beginning.

use crate::archive::{error::Fault, fields::Fields};

/// The first four bytes.
pub(super) const MAGIC: u32 = 0x7371_7368;
/// The block at the beginning.
pub(super) const SUPERBLOCK_SIZE: usize = 96;
/// Files are cut into blocks of so many bytes, which is what others do too.
pub(super) const BLOCK_LOG: u16 = 17;
pub(super) const BLOCK: usize = 1 << BLOCK_LOG;
/// The largest block that the format allows.
pub(super) const LARGEST_BLOCK: u32 = 1 << 20;
/// Inodes and directories are cut into blocks of so many bytes.
pub(super) const METADATA: usize = 8192;
/// In the length of a block of metadata: it is not compressed.
pub(super) const METADATA_PLAIN: u16 = 1 << 15;
/// In the length of a block of data: it is not compressed.
pub(super) const DATA_PLAIN: u32 = 1 << 24;
/// There is no such table, or no such fragment.
pub(super) const NO_TABLE: u64 = u64::MAX;
pub(super) const NO_FRAGMENT: u32 = u32::MAX;
/// So many fragments are described by one block of metadata, each by so many bytes.
pub(super) const FRAGMENTS: u32 = 512;
pub(super) const FRAGMENT_SIZE: usize = 16;
/// Images are filled with zeros to a multiple of this, so that they can be mounted through a loop device.
pub(super) const PADDING: u64 = 4096;

/// Kinds of inodes; one with more room in its fields has a number that is larger by [`LARGE`].
pub(super) const FOLDER: u16 = 1;
pub(super) const FILE: u16 = 2;
pub(super) const LINK: u16 = 3;
pub(super) const BLOCK_DEVICE: u16 = 4;
pub(super) const CHARACTER_DEVICE: u16 = 5;
pub(super) const PIPE: u16 = 6;
pub(super) const SOCKET: u16 = 7;
pub(super) const LARGE: u16 = 7;

/// Compressors.
pub(super) const GZIP: u16 = 1;
pub(super) const XZ: u16 = 4;
pub(super) const ZSTD: u16 = 6;

/// The flag that says that there are no extended attributes.
const NO_ATTRIBUTES: u16 = 0x200;

/// What the first block says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Superblock {
    pub(super) inodes: u32,
    pub(super) modified: u32,
    pub(super) block: u32,
    pub(super) fragments: u32,
    pub(super) compressor: u16,
    pub(super) ids: u16,
    /// The inode of the root: the start of its block of metadata, and its place in it in the lowest 16 bits.
    pub(super) root: u64,
    /// The length of the image without what fills it.
    pub(super) length: u64,
    /// Where the tables are.
    pub(super) id_table: u64,
    pub(super) inode_table: u64,
    pub(super) folder_table: u64,
    pub(super) fragment_table: u64,
}

impl Superblock {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SUPERBLOCK_SIZE);
        for number in [MAGIC, self.inodes, self.modified, self.block, self.fragments] {
            bytes.extend(number.to_le_bytes());
        }
        let log = self.block.trailing_zeros() as u16;
        for number in [self.compressor, log, NO_ATTRIBUTES, self.ids, 4, 0] {
            bytes.extend(number.to_le_bytes());
        }
        let [start, end] = [
            [self.root, self.length, self.id_table, NO_TABLE],
            [self.inode_table, self.folder_table, self.fragment_table, NO_TABLE],
        ];
        for number in start.into_iter().chain(end) {
            bytes.extend(number.to_le_bytes());
        }
        bytes
    }

    pub(super) fn parse(bytes: &[u8; SUPERBLOCK_SIZE]) -> Result<Self, Fault> {
        let bad = || Fault::damaged("its first block cannot be understood");
        let mut fields = Fields(bytes);
        let mut read = || {
            let magic = fields.u32()?;
            let (inodes, modified, block, fragments) = (fields.u32()?, fields.u32()?, fields.u32()?, fields.u32()?);
            let (compressor, log, _flags, ids) = (fields.u16()?, fields.u16()?, fields.u16()?, fields.u16()?);
            let version = (fields.u16()?, fields.u16()?);
            let (root, length, id_table, _attributes) = (fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?);
            let (inode_table, folder_table, fragment_table) = (fields.u64()?, fields.u64()?, fields.u64()?);
            let is_block = (4096..=LARGEST_BLOCK).contains(&block) && 1_u32.checked_shl(log.into()) == Some(block);
            (magic == MAGIC && version == (4, 0) && is_block).then_some(Self {
                inodes,
                modified,
                block,
                fragments,
                compressor,
                ids,
                root,
                length,
                id_table,
                inode_table,
                folder_table,
                fragment_table,
            })
        };
        let found = read().ok_or_else(bad)?;
        let tables = [found.inode_table, found.folder_table, found.id_table];
        if tables.iter().any(|it| *it < SUPERBLOCK_SIZE as u64 || *it >= found.length) {
            return Err(bad());
        }
        if found.fragments > 0 && found.fragment_table >= found.length {
            return Err(bad());
        }
        Ok(found)
    }
}
