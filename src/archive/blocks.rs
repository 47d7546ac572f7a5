//! Streams that are cut into pieces of a fixed size, which are compressed side by side and stand one after the other in
//! the file, each complete in itself: members of gzip, streams of bzip2 and xz. All readers of these formats know them.

use std::io::{self, Write};

use super::{
    ordered::Ordered,
    sink::{MEMORY, Stream},
};

/// A compressor whose files can be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Bzip2,
    Xz,
}

/// A piece is as large as the compressor can look back, or so large that what it forgets does not matter.
fn piece(codec: Codec, level: u32) -> usize {
    match codec {
        Codec::Gzip => 1 << 20,
        Codec::Bzip2 => 100_000 * level as usize,
        Codec::Xz => (xz_options(level).lzma_options.dict_size as usize).max(1 << 20),
    }
}

/// What one thread takes, in bytes: the piece before and after, and the compressor's own.
fn memory(codec: Codec, level: u32) -> u32 {
    match codec {
        Codec::Gzip => 6 << 20,
        Codec::Bzip2 => 16 << 20,
        Codec::Xz => xz_options(level).lzma_options.get_memory_usage() * 1024 + 4 * piece(codec, level) as u32,
    }
}

/// Pieces do not grow beyond 4 MiB, because a compressor for 8 MiB needs 94 MiB.
fn xz_options(level: u32) -> lzma_rust2::XzOptions {
    let mut options = lzma_rust2::XzOptions::with_preset(level);
    options.lzma_options.dict_size = options.lzma_options.dict_size.min(4 << 20);
    options
}

fn compress(codec: Codec, level: u32, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let out = Vec::with_capacity(bytes.len() / 2);
    match codec {
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(level));
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Codec::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(out, bzip2::Compression::new(level));
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Codec::Xz => {
            let mut encoder = lzma_rust2::XzWriter::new(out, xz_options(level))?;
            encoder.write_all(bytes)?;
            encoder.finish()
        }
    }
}

/// Compresses what is written to it.
pub(super) struct Blocks<W> {
    out: W,
    codec: Codec,
    level: u32,
    piece: usize,
    buffer: Vec<u8>,
    threads: Ordered<io::Result<Vec<u8>>>,
}

impl<W: Write> Blocks<W> {
    pub(super) fn new(codec: Codec, level: i32, threads: u32, out: W) -> Self {
        let level = level.unsigned_abs();
        let most = (MEMORY / memory(codec, level)).max(1);
        let threads = Ordered::new(threads.min(most) as usize);
        Self { out, codec, level, piece: piece(codec, level), buffer: Vec::new(), threads }
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let (codec, level) = (self.codec, self.level);
        let bytes = std::mem::replace(&mut self.buffer, Vec::with_capacity(self.piece));
        match self.threads.push(move || compress(codec, level, &bytes))? {
            Some(done) => self.out.write_all(&done?),
            None => Ok(()),
        }
    }
}

impl<W: Write> Write for Blocks<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() == self.piece {
            self.hand_over()?;
        }
        let taken = bytes.len().min(self.piece - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> Stream for Blocks<W> {
    fn finish(mut self) -> io::Result<()> {
        self.hand_over()?;
        while let Some(done) = self.threads.pop()? {
            self.out.write_all(&done?)?;
        }
        self.out.flush()
    }
}
