//! The content of a file of an image, block by block.

use std::io::{self, Read};

use super::{image::Image, listing::File};
use crate::archive::{error::Fault, fields::Fields};

/// The image, and what is left of a file.
pub(super) struct Content {
    pub(super) image: Image,
    file: Option<File>,
    /// Bytes that were not given yet, and of them those in blocks that were not read.
    left: u64,
    unread: u64,
    /// Where the next block is.
    at: u64,
    block: Vec<u8>,
    used: usize,
}

impl Content {
    pub(super) fn new(image: Image) -> Self {
        Self { image, file: None, left: 0, unread: 0, at: 0, block: Vec::new(), used: 0 }
    }

    /// Goes to a file, or to nothing.
    pub(super) fn begin(&mut self, file: Option<File>) {
        self.left = file.map_or(0, |file| file.size);
        self.unread = self.left;
        self.at = file.map_or(0, |file| file.start);
        self.file = file;
        self.block.clear();
        self.used = 0;
    }

    /// Reads the next block.
    fn more(&mut self) -> Result<(), Fault> {
        let lies = || Fault::damaged("a file has another size than it says");
        let Some(file) = &mut self.file else { return Err(lies()) };
        let full = u64::from(self.image.superblock.block);
        let expected = self.unread.min(full) as usize;
        self.used = 0;
        if let Some((number, offset)) = file.fragment
            && self.unread < full
        {
            let fragment = self.image.fragment(number)?;
            let offset = offset as usize;
            let end = offset.checked_add(expected).ok_or_else(lies)?;
            self.block.clear();
            self.block.extend_from_slice(fragment.get(offset..end).ok_or_else(lies)?);
        } else {
            let length = self.image.table(&mut file.lengths, 4)?;
            let length = Fields(&length).u32().ok_or_else(lies)?;
            if length == 0 {
                self.block.clear();
                self.block.resize(expected, 0);
            } else {
                self.block = self.image.data(self.at, length)?;
                self.at += u64::from(length & !super::layout::DATA_PLAIN);
            }
        }
        if self.block.len() != expected {
            return Err(lies());
        }
        self.unread -= expected as u64;
        Ok(())
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        if self.used == self.block.len() {
            self.more()?;
        }
        let read = (&self.block[self.used..]).read(buffer)?;
        self.used += read;
        self.left -= read as u64;
        Ok(read)
    }
}
