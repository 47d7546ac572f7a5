//! Reads an image's blocks: compressed pieces of known length at known places, of which the last few are remembered.

use std::io::{Read as _, Seek as _, SeekFrom};

use super::layout::{
    DATA_PLAIN, FRAGMENT_SIZE, FRAGMENTS, GZIP, METADATA, METADATA_PLAIN, PADDING, SUPERBLOCK_SIZE, Superblock, XZ,
    ZSTD,
};
use crate::archive::{error::Fault, fields::Fields, source::Input};

/// An image that is read.
pub(super) struct Image {
    input: Box<dyn Input>,
    pub(super) superblock: Superblock,
    metadata: Recent,
    fragments: Recent,
}

/// Blocks that were read lately, by their places: what was asked for last is last. With each, how long it is on disk.
struct Recent {
    blocks: Vec<(u64, usize, Vec<u8>)>,
    most: usize,
}

impl Recent {
    fn find(&mut self, at: u64) -> bool {
        let Some(found) = self.blocks.iter().position(|(place, ..)| *place == at) else { return false };
        self.blocks[found..].rotate_left(1);
        true
    }

    fn add(&mut self, at: u64, length: usize, block: Vec<u8>) {
        if self.blocks.len() == self.most {
            self.blocks.remove(0);
        }
        self.blocks.push((at, length, block));
    }
}

/// A place in a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor {
    block: u64,
    offset: usize,
}

impl Cursor {
    /// In a table that begins at `table`, the block that begins at `block` bytes, and in it at `offset`.
    pub(super) fn new(table: u64, block: u64, offset: u16) -> Result<Self, Fault> {
        let block = table.checked_add(block).ok_or_else(bad)?;
        Ok(Self { block, offset: offset.into() })
    }
}

pub(super) fn bad() -> Fault {
    Fault::damaged("a table of it cannot be understood")
}

impl Image {
    pub(super) fn new(mut input: Box<dyn Input>) -> Result<Self, Fault> {
        let found = input.seek(SeekFrom::End(0))?;
        input.seek(SeekFrom::Start(0))?;
        let mut start = [0; SUPERBLOCK_SIZE];
        input.read_exact(&mut start)?;
        let superblock = Superblock::parse(&start)?;
        if ![GZIP, XZ, ZSTD].contains(&superblock.compressor) {
            return Err(Fault::Unsupported("is compressed with something else than zstd, gzip or xz"));
        }
        let filled = superblock.length.checked_next_multiple_of(PADDING);
        if found < superblock.length {
            return Err(Fault::damaged("it ends too early"));
        }
        let after = || Fault::damaged("it has another length than it says");
        if found != superblock.length && Some(found) != filled {
            return Err(after());
        }
        let mut rest = vec![0; (found - superblock.length) as usize];
        input.seek(SeekFrom::Start(superblock.length))?;
        input.read_exact(&mut rest)?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(after());
        }
        let recent = |most| Recent { blocks: Vec::new(), most };
        // Of the largest blocks, the fragments take 8 MiB.
        Ok(Self { input, superblock, metadata: recent(64), fragments: recent(8) })
    }

    /// Bytes as they are on disk.
    fn raw(&mut self, at: u64, length: usize) -> Result<Vec<u8>, Fault> {
        if at.checked_add(length as u64).is_none_or(|end| end > self.superblock.length) {
            return Err(Fault::damaged("a block reaches beyond its end"));
        }
        let mut bytes = vec![0; length];
        self.input.seek(SeekFrom::Start(at))?;
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn decompress(&self, bytes: &[u8], most: usize) -> Result<Vec<u8>, Fault> {
        /// In KiB; a block is at most 1 MiB.
        const XZ_MEMORY: u32 = 8 << 10;
        let mut out = Vec::with_capacity(most);
        let limit = most as u64 + 1;
        let read = match self.superblock.compressor {
            GZIP => flate2::bufread::ZlibDecoder::new(bytes).take(limit).read_to_end(&mut out),
            XZ => lzma_rust2::XzReader::new_mem_limit(bytes, false, XZ_MEMORY).take(limit).read_to_end(&mut out),
            _ => {
                let mut decoder = zstd::Decoder::with_buffer(bytes)?.single_frame();
                decoder.window_log_max(20)?;
                decoder.take(limit).read_to_end(&mut out)
            }
        };
        match read {
            Ok(read) if read <= most => Ok(out),
            Ok(_) => Err(Fault::damaged("a block is larger than a block can be")),
            Err(_) => Err(Fault::damaged("a block cannot be decompressed")),
        }
    }

    /// A block of a file or of fragments, whose length is given as the format says it.
    pub(super) fn data(&mut self, at: u64, size: u32) -> Result<Vec<u8>, Fault> {
        let most = self.superblock.block as usize;
        let length = (size & !DATA_PLAIN) as usize;
        if length > most {
            return Err(Fault::damaged("a block is larger than a block can be"));
        }
        let bytes = self.raw(at, length)?;
        if size & DATA_PLAIN != 0 { Ok(bytes) } else { self.decompress(&bytes, most) }
    }

    /// The block that small files share.
    pub(super) fn fragment(&mut self, number: u32) -> Result<&[u8], Fault> {
        if number >= self.superblock.fragments {
            return Err(bad());
        }
        let place = u64::from(number / FRAGMENTS) * 8;
        let place = self.superblock.fragment_table.checked_add(place).ok_or_else(bad)?;
        let block = self.raw(place, 8)?;
        let block = Fields(&block).u64().ok_or_else(bad)?;
        let offset = (number % FRAGMENTS) as usize * FRAGMENT_SIZE;
        let record = self.table(&mut Cursor { block, offset }, FRAGMENT_SIZE)?;
        let mut fields = Fields(&record);
        let (at, size) = fields.u64().zip(fields.u32()).ok_or_else(bad)?;
        if !self.fragments.find(at) {
            let content = self.data(at, size)?;
            self.fragments.add(at, 0, content);
        }
        Ok(self.fragments.blocks.last().map_or(&[], |(.., block)| block))
    }

    /// The next bytes of a table; goes on behind them.
    pub(super) fn table(&mut self, cursor: &mut Cursor, count: usize) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::with_capacity(count);
        while out.len() < count {
            if !self.metadata.find(cursor.block) {
                let header = self.raw(cursor.block, 2)?;
                let header = Fields(&header).u16().ok_or_else(bad)?;
                let length = usize::from(header & !METADATA_PLAIN);
                if length == 0 || length > METADATA {
                    return Err(bad());
                }
                let bytes = self.raw(cursor.block + 2, length)?;
                let block = if header & METADATA_PLAIN == 0 { self.decompress(&bytes, METADATA)? } else { bytes };
                self.metadata.add(cursor.block, length + 2, block);
            }
            let Some((_, length, block)) = self.metadata.blocks.last() else { return Err(bad()) };
            let available = block.get(cursor.offset..).ok_or_else(bad)?;
            let taken = available.len().min(count - out.len());
            out.extend_from_slice(&available[..taken]);
            cursor.offset += taken;
            if cursor.offset == block.len() {
                // Only a full block is followed by another.
                if block.len() < METADATA && out.len() < count {
                    return Err(bad());
                }
                *cursor = Cursor { block: cursor.block + *length as u64, offset: 0 };
            }
        }
        Ok(out)
    }
}
