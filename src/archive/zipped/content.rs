//! The content of an entry of a zip archive, inflated and checked.

use std::io::{self, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{
    directory::{Record, read_at},
    records::{DEFLATED, ENCRYPTED, LOCAL, LOCAL_SIZE, STORED},
};
use crate::archive::{error::Fault, fields::Fields, source::Input};

/// The archive, and what is left of an entry's content.
pub(super) struct Content {
    pub(super) input: Box<dyn Input>,
    /// Where the next compressed byte is, and how many there are.
    at: u64,
    compressed: u64,
    buffer: Vec<u8>,
    used: usize,
    inflate: Option<Decompress>,
    left: u64,
    crc: Crc,
    promised: u32,
}

fn bad(what: &str) -> io::Error {
    Fault::damaged(what).into()
}

impl Content {
    pub(super) fn new(input: Box<dyn Input>) -> Self {
        Self {
            input,
            at: 0,
            compressed: 0,
            buffer: Vec::new(),
            used: 0,
            inflate: None,
            left: 0,
            crc: Crc::new(),
            promised: 0,
        }
    }

    /// Leaves what is left of the entry before.
    pub(super) fn skip(&mut self) {
        self.left = 0;
    }

    /// Goes to an entry's content, which ends before `end`.
    pub(super) fn begin(&mut self, record: &Record, end: u64) -> Result<(), Fault> {
        let lies = || Fault::entry(&record.name, "is described in two ways");
        if record.flags & ENCRYPTED != 0 {
            return Err(Fault::Unsupported("is encrypted"));
        }
        let mut header = [0; LOCAL_SIZE];
        if record.offset.checked_add(LOCAL_SIZE as u64).is_none_or(|it| it > end) {
            return Err(lies());
        }
        read_at(&mut *self.input, record.offset, &mut header)?;
        let mut fields = Fields(&header);
        let parsed = || {
            let signature = fields.u32()?;
            fields.u16()?;
            let (flags, method) = (fields.u16()?, fields.u16()?);
            fields.bytes(16)?;
            Some((signature, flags, method, fields.u16()?, fields.u16()?))
        };
        let mut parsed = parsed;
        let (signature, flags, method, name, extra) = parsed().ok_or_else(lies)?;
        if signature != LOCAL || flags & ENCRYPTED != 0 || method != record.method {
            return Err(lies());
        }
        if usize::from(name) != record.name.len() {
            return Err(lies());
        }
        let mut name = vec![0; name.into()];
        self.input.read_exact(&mut name)?;
        if name != record.name {
            return Err(lies());
        }
        self.at = record.offset + (LOCAL_SIZE + name.len() + usize::from(extra)) as u64;
        self.compressed = record.deflated;
        if self.at.checked_add(self.compressed).is_none_or(|it| it > end) {
            return Err(lies());
        }
        self.inflate = match method {
            STORED if record.deflated != record.size => return Err(lies()),
            STORED => None,
            DEFLATED => Some(Decompress::new(false)),
            _ => return Err(Fault::Unsupported("is compressed with something else than deflate")),
        };
        (self.left, self.promised, self.crc) = (record.size, record.crc, Crc::new());
        self.buffer.clear();
        self.used = 0;
        if self.left == 0 {
            self.end()?;
        }
        Ok(())
    }

    /// Compressed bytes that were read and not used; empty when there are no more.
    fn more(&mut self) -> io::Result<()> {
        const AT_ONCE: u64 = 128 << 10;
        if self.used == self.buffer.len() {
            let count = self.compressed.min(AT_ONCE);
            self.buffer.resize(count as usize, 0);
            self.used = 0;
            read_at(&mut *self.input, self.at, &mut self.buffer)?;
            self.at += count;
            self.compressed -= count;
        }
        Ok(())
    }

    /// Gives some bytes of the content; none when the compressed ones are used up, or say that it is the end.
    fn some(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            self.more()?;
            let available = &self.buffer[self.used..];
            let Some(inflate) = &mut self.inflate else {
                let read = available.len().min(out.len());
                out[..read].copy_from_slice(&available[..read]);
                self.used += read;
                return Ok(read);
            };
            let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
            let none_left = available.is_empty();
            let status = inflate.decompress(available, out, FlushDecompress::None);
            let status = status.map_err(|_| bad("a file's content cannot be inflated"))?;
            self.used += (inflate.total_in() - before_in) as usize;
            let given = (inflate.total_out() - before_out) as usize;
            if given > 0 || status == Status::StreamEnd || out.is_empty() {
                return Ok(given);
            }
            if none_left {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Makes sure that the content ends where it should, and is what was put in.
    fn end(&mut self) -> io::Result<()> {
        let lies = || bad("a file has another size than it says");
        if self.inflate.is_some() && self.some(&mut [0])? > 0 {
            return Err(lies());
        }
        if self.compressed > 0 || self.used < self.buffer.len() {
            return Err(lies());
        }
        if self.crc.sum() == self.promised { Ok(()) } else { Err(bad("a file's content has changed")) }
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let given = self.some(&mut buffer[..wanted])?;
        if given == 0 {
            return Err(bad("a file has another size than it says"));
        }
        self.crc.update(&buffer[..given]);
        self.left -= given as u64;
        if self.left == 0 {
            self.end()?;
        }
        Ok(given)
    }
}
