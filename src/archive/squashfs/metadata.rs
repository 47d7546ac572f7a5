//! Writes tables: a stream of records, cut into small blocks that are compressed one by one.

use std::{cell::RefCell, io};

use super::layout::{METADATA, METADATA_PLAIN};

thread_local! {
    /// A compressor that remembers nothing but its level; making one takes longer than using it.
    static COMPRESSOR: RefCell<Option<(i32, zstd::bulk::Compressor<'static>)>> = const { RefCell::new(None) };
}

/// Compresses a block; nothing when that does not make it smaller.
pub(super) fn compress(level: i32, bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(of, _)| *of != level) {
            *slot = Some((level, zstd::bulk::Compressor::new(level)?));
        }
        let Some((_, compressor)) = slot else { return Ok(None) };
        let compressed = compressor.compress(bytes)?;
        Ok((compressed.len() < bytes.len()).then_some(compressed))
    })
}

/// A table that grows in memory, compressed.
pub(super) struct Table {
    level: i32,
    done: Vec<u8>,
    open: Vec<u8>,
    /// Where each block begins.
    starts: Vec<u64>,
}

impl Table {
    pub(super) fn new(level: i32) -> Self {
        Self { level, done: Vec::new(), open: Vec::new(), starts: Vec::new() }
    }

    /// Where the next record begins: its block, relative to the table, and its place in that block.
    pub(super) fn here(&self) -> (u32, u16) {
        (self.done.len() as u32, self.open.len() as u16)
    }

    pub(super) fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let fits = bytes.len().min(METADATA - self.open.len());
            self.open.extend_from_slice(&bytes[..fits]);
            bytes = &bytes[fits..];
            if self.open.len() == METADATA {
                self.close()?;
            }
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.starts.push(self.done.len() as u64);
        match compress(self.level, &self.open)? {
            Some(bytes) => {
                self.done.extend((bytes.len() as u16).to_le_bytes());
                self.done.extend(bytes);
            }
            None => {
                self.done.extend((self.open.len() as u16 | METADATA_PLAIN).to_le_bytes());
                self.done.extend_from_slice(&self.open);
            }
        }
        self.open.clear();
        Ok(())
    }

    /// The whole table, and where its blocks begin in it.
    pub(super) fn finish(mut self) -> io::Result<(Vec<u8>, Vec<u64>)> {
        if !self.open.is_empty() {
            self.close()?;
        }
        Ok((self.done, self.starts))
    }
}
