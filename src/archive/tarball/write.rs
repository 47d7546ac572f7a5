//! Writes tar archives: GNU's format, which every `tar` reads, with names of any length and files of any size.

use std::io::Read;

use super::header::{BLOCK, Header, Type};
use crate::archive::{
    error::SinkError,
    promised::Promised,
    sink::{EPOCH, FileMeta, Sink, Stream},
};

/// Writes a tar archive into a stream.
pub(in crate::archive) struct TarSink<S> {
    out: S,
    buffer: Vec<u8>,
    written: u64,
}

/// GNU tar writes records of so many bytes, and fills the last with zeros.
const RECORD: u64 = 20 * BLOCK as u64;

const COPIED_AT_ONCE: usize = 256 << 10;

const ZEROS: [u8; BLOCK] = [0; BLOCK];

impl<S: Stream> TarSink<S> {
    pub(in crate::archive) fn new(out: S) -> Self {
        Self { out, buffer: vec![0; COPIED_AT_ONCE], written: 0 }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        self.written += bytes.len() as u64;
        Ok(self.out.write_all(bytes)?)
    }

    /// Fills the last block of an entry.
    fn pad(&mut self) -> Result<(), SinkError> {
        let over = (self.written % BLOCK as u64) as usize;
        if over == 0 { Ok(()) } else { self.put(&ZEROS[over..]) }
    }

    /// A name that does not fit into the header goes into an entry of its own before it.
    fn long(&mut self, kind: Type, text: &[u8]) -> Result<(), SinkError> {
        if text.len() <= Header::LONGEST {
            return Ok(());
        }
        let name = b"././@LongLink";
        let header = Header { kind, name, target: b"", mode: 0o644, modified: 0, size: text.len() as u64 + 1 };
        self.put(&header.bytes())?;
        self.put(text)?;
        self.put(b"\0")?;
        self.pad()
    }

    fn entry(&mut self, header: &Header<'_>) -> Result<(), SinkError> {
        let Header { name, target, .. } = *header;
        if name.is_empty() || name.contains(&0) || target.contains(&0) {
            return Err(SinkError::Unfit { name: name.to_vec(), why: "has a name that no archive can hold" });
        }
        self.long(Type::LongTarget, target)?;
        self.long(Type::LongName, name)?;
        self.put(&header.bytes())
    }
}

impl<S: Stream> Sink for TarSink<S> {
    fn folder(&mut self, name: &[u8]) -> Result<(), SinkError> {
        let name = &[name, b"/"].concat();
        self.entry(&Header { kind: Type::Folder, name, target: b"", mode: 0o755, modified: EPOCH, size: 0 })
    }

    fn link(&mut self, name: &[u8], target: &[u8]) -> Result<(), SinkError> {
        self.entry(&Header { kind: Type::Link, name, target, mode: 0o777, modified: EPOCH, size: 0 })
    }

    fn file(&mut self, name: &[u8], meta: FileMeta, size: u64, data: &mut dyn Read) -> Result<(), SinkError> {
        let mode = if meta.executable { 0o755 } else { 0o644 };
        self.entry(&Header { kind: Type::File, name, target: b"", mode, modified: meta.modified, size })?;
        let mut data = Promised::new(name, size, data);
        let mut buffer = std::mem::take(&mut self.buffer);
        while data.left() > 0 {
            let filled = data.fill(&mut buffer)?;
            self.put(&buffer[..filled])?;
        }
        self.buffer = buffer;
        data.end()?;
        self.pad()
    }

    fn finish(mut self: Box<Self>) -> Result<(), SinkError> {
        self.put(&ZEROS)?;
        self.put(&ZEROS)?;
        while !self.written.is_multiple_of(RECORD) {
            self.put(&ZEROS)?;
        }
        Ok(self.out.finish()?)
    }
}
