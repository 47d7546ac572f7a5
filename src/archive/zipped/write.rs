//! Writes zip archives. The pieces of all files are deflated side by side.

use std::{
    cell::RefCell,
    io::{self, Read, Write},
};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use super::records::{
    CENTRAL, DEFLATED, DESCRIPTOR, END, END_64, END_64_SIZE, EXTRA_64, EXTRA_TIME, LARGE, LOCAL, LOCATOR_64,
    SIZES_AFTER, STORED, UTF8, dos_time,
};
use crate::archive::{
    error::SinkError,
    ordered::Ordered,
    promised::Promised,
    sink::{EPOCH, FileMeta, MEMORY, Sink},
};

/// A file is deflated in pieces of so many bytes.
const PIECE: usize = 1 << 20;
/// From this size on, a file may need the larger numbers once it is deflated.
const NEEDS_64: u64 = 0xf000_0000;

/// Writes a zip archive.
pub(in crate::archive) struct ZipSink<W> {
    out: W,
    level: u32,
    threads: Ordered<io::Result<Piece>>,
    /// How much was written.
    at: u64,
    central: Vec<u8>,
    entries: u64,
    /// The entry whose pieces are being written.
    current: Option<Entry>,
}

struct Entry {
    name: Vec<u8>,
    mode: u32,
    modified: u64,
    method: u16,
    flags: u16,
    large: bool,
    offset: u64,
    crc: Crc,
    deflated: u64,
    size: u64,
}

/// What a thread gives: a part of a file's content, or all of it.
struct Piece {
    first: Option<Entry>,
    last: bool,
    bytes: Vec<u8>,
    crc: Crc,
    size: u64,
}

thread_local! {
    /// A compressor that remembers nothing but its level; making one takes longer than deflating a small file.
    static COMPRESSOR: RefCell<Option<(u32, Compress)>> = const { RefCell::new(None) };
}

fn with_compressor<T>(level: u32, what: impl FnOnce(&mut Compress) -> T) -> T {
    COMPRESSOR.with_borrow_mut(|slot| {
        let (_, deflate) = match slot.take() {
            Some((of, mut deflate)) if of == level => {
                deflate.reset();
                slot.insert((of, deflate))
            }
            _ => slot.insert((level, Compress::new(Compression::new(level), false))),
        };
        what(deflate)
    })
}

impl Piece {
    /// Deflates. What is not the last piece of a file ends at a whole byte, so that the next can follow.
    fn deflate(first: Option<Entry>, last: bool, content: Vec<u8>, level: u32) -> io::Result<Self> {
        let mut crc = Crc::new();
        crc.update(&content);
        let size = content.len() as u64;
        let mut bytes = Vec::with_capacity(content.len() / 2 + 64);
        let how = if last { FlushCompress::Finish } else { FlushCompress::Sync };
        with_compressor(level, |deflate| {
            loop {
                let taken = usize::try_from(deflate.total_in()).map_err(io::Error::other)?;
                let status = deflate.compress_vec(&content[taken..], &mut bytes, how).map_err(io::Error::other)?;
                let all = deflate.total_in() == size && bytes.len() < bytes.capacity();
                if status == Status::StreamEnd || !last && all {
                    return Ok::<_, io::Error>(());
                }
                bytes.reserve(content.len() / 4 + 64);
            }
        })?;
        let mut piece = Self { first, last, bytes, crc, size };
        if let Some(entry) = &mut piece.first
            && last
            && piece.bytes.len() >= content.len()
        {
            entry.method = STORED;
            piece.bytes = content;
        }
        Ok(piece)
    }
}

impl<W: Write> ZipSink<W> {
    pub(in crate::archive) fn new(level: i32, threads: u32, out: W) -> Self {
        let threads = Ordered::new(threads.min(MEMORY / (6 * PIECE as u32)) as usize);
        let level = level.unsigned_abs();
        Self { out, level, threads, at: 0, central: Vec::new(), entries: 0, current: None }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn push(&mut self, first: Option<Entry>, last: bool, content: Vec<u8>) -> Result<(), SinkError> {
        let level = self.level;
        match self.threads.push(move || Piece::deflate(first, last, content, level))? {
            Some(piece) => Ok(self.write(piece?)?),
            None => Ok(()),
        }
    }

    /// A name must fit into the directory's fields.
    fn entry(name: &[u8], mode: u32, modified: u64) -> Result<Entry, SinkError> {
        if name.is_empty() || name.contains(&0) || name.len() > usize::from(u16::MAX) {
            return Err(SinkError::Unfit { name: name.to_vec(), why: "has a name that no zip archive can hold" });
        }
        let is_text = !name.is_ascii() && std::str::from_utf8(name).is_ok();
        Ok(Entry {
            name: name.to_vec(),
            mode,
            modified,
            method: DEFLATED,
            flags: if is_text { UTF8 } else { 0 },
            large: false,
            offset: 0,
            crc: Crc::new(),
            deflated: 0,
            size: 0,
        })
    }

    /// Writes a piece, with what stands before and after its entry's content.
    fn write(&mut self, piece: Piece) -> io::Result<()> {
        let Piece { first, last, bytes, crc, size } = piece;
        let begins = first.is_some();
        let Some(mut entry) = first.or_else(|| self.current.take()) else { return Ok(()) };
        let alone = begins && last;
        if begins {
            entry.offset = self.at;
        }
        if begins && !alone {
            self.put(&entry.local())?;
        }
        entry.crc.combine(&crc);
        entry.deflated += bytes.len() as u64;
        entry.size += size;
        if alone {
            self.put(&entry.local())?;
        }
        self.put(&bytes)?;
        if !last {
            self.current = Some(entry);
            return Ok(());
        }
        if !alone {
            self.put(&entry.descriptor())?;
        }
        entry.central(&mut self.central);
        self.entries += 1;
        Ok(())
    }
}

impl Entry {
    /// The version of the format that is needed, which tells readers about the larger numbers.
    fn version(&self) -> u16 {
        if self.large || self.offset >= u64::from(LARGE) { 45 } else { 20 }
    }

    /// The fields that both headers have.
    fn common(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        fields.extend(self.version().to_le_bytes());
        fields.extend(self.flags.to_le_bytes());
        fields.extend(self.method.to_le_bytes());
        fields.extend(dos_time(self.modified).to_le_bytes());
        fields
    }

    fn time(&self) -> Vec<u8> {
        let mut extra = Vec::new();
        if let Ok(modified) = i32::try_from(self.modified) {
            extra.extend(EXTRA_TIME.to_le_bytes());
            extra.extend(5_u16.to_le_bytes());
            extra.push(1);
            extra.extend(modified.to_le_bytes());
        }
        extra
    }

    fn local(&self) -> Vec<u8> {
        let mut header = LOCAL.to_le_bytes().to_vec();
        header.extend(self.common());
        header.extend(self.crc.sum().to_le_bytes());
        let mut extra = self.time();
        if self.large {
            header.extend([LARGE.to_le_bytes(); 2].as_flattened());
            extra.extend(EXTRA_64.to_le_bytes());
            extra.extend(16_u16.to_le_bytes());
            extra.extend([0; 16]);
        } else {
            header.extend((self.deflated as u32).to_le_bytes());
            header.extend((self.size as u32).to_le_bytes());
        }
        header.extend((self.name.len() as u16).to_le_bytes());
        header.extend((extra.len() as u16).to_le_bytes());
        header.extend(&self.name);
        header.extend(extra);
        header
    }

    /// What a reader of a stream learns only after the content.
    fn descriptor(&self) -> Vec<u8> {
        let mut record = DESCRIPTOR.to_le_bytes().to_vec();
        record.extend(self.crc.sum().to_le_bytes());
        for size in [self.deflated, self.size] {
            if self.large {
                record.extend(size.to_le_bytes());
            } else {
                record.extend((size as u32).to_le_bytes());
            }
        }
        record
    }

    fn central(&self, out: &mut Vec<u8>) {
        const UNIX: u16 = 3 << 8;
        let mut large = Vec::new();
        let mut short = |value: u64, force: bool| {
            if force || value >= u64::from(LARGE) {
                large.extend(value.to_le_bytes());
                LARGE
            } else {
                value as u32
            }
        };
        let size = short(self.size, self.large);
        let deflated = short(self.deflated, self.large);
        let offset = short(self.offset, false);
        let mut extra = self.time();
        if !large.is_empty() {
            extra.extend(EXTRA_64.to_le_bytes());
            extra.extend((large.len() as u16).to_le_bytes());
            extra.extend(large);
        }
        out.extend(CENTRAL.to_le_bytes());
        out.extend((UNIX | self.version()).to_le_bytes());
        out.extend(self.common());
        out.extend(self.crc.sum().to_le_bytes());
        out.extend(deflated.to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend((self.name.len() as u16).to_le_bytes());
        out.extend((extra.len() as u16).to_le_bytes());
        // No comment, the first disk, no inner attributes.
        out.extend([0; 6]);
        let folder = u32::from(self.name.ends_with(b"/")) << 4;
        out.extend((self.mode << 16 | folder).to_le_bytes());
        out.extend(offset.to_le_bytes());
        out.extend(&self.name);
        out.extend(extra);
    }
}

impl<W: Write> Sink for ZipSink<W> {
    fn folder(&mut self, name: &[u8]) -> Result<(), SinkError> {
        let entry = Self::entry(&[name, b"/"].concat(), 0o40_755, EPOCH)?;
        self.push(Some(entry), true, Vec::new())
    }

    fn link(&mut self, name: &[u8], target: &[u8]) -> Result<(), SinkError> {
        let entry = Self::entry(name, 0o120_777, EPOCH)?;
        self.push(Some(entry), true, target.to_vec())
    }

    fn file(&mut self, name: &[u8], meta: FileMeta, size: u64, data: &mut dyn Read) -> Result<(), SinkError> {
        let mode = if meta.executable { 0o100_755 } else { 0o100_644 };
        let mut entry = Self::entry(name, mode, meta.modified)?;
        entry.large = size >= NEEDS_64;
        entry.flags |= if size > PIECE as u64 { SIZES_AFTER } else { 0 };
        let mut first = Some(entry);
        let mut data = Promised::new(name, size, data);
        loop {
            let piece = data.piece(PIECE)?;
            let last = data.left() == 0;
            self.push(first.take(), last, piece)?;
            if last {
                return data.end();
            }
        }
    }

    fn finish(mut self: Box<Self>) -> Result<(), SinkError> {
        while let Some(piece) = self.threads.pop()? {
            self.write(piece?)?;
        }
        let start = self.at;
        let central = std::mem::take(&mut self.central);
        self.put(&central)?;
        let size = self.at - start;
        let large = self.entries >= u64::from(u16::MAX) || self.at >= u64::from(LARGE);
        let mut end = Vec::new();
        if large {
            end.extend(END_64.to_le_bytes());
            end.extend((END_64_SIZE as u64 - 12).to_le_bytes());
            end.extend([45, 3, 45, 0]);
            end.extend([0; 8]);
            for number in [self.entries, self.entries, size, start] {
                end.extend(number.to_le_bytes());
            }
            end.extend(LOCATOR_64.to_le_bytes());
            end.extend([0; 4]);
            end.extend(self.at.to_le_bytes());
            end.extend(1_u32.to_le_bytes());
        }
        end.extend(END.to_le_bytes());
        end.extend([0; 4]);
        let entries = if large { u16::MAX } else { self.entries as u16 };
        end.extend([entries.to_le_bytes(); 2].as_flattened());
        for number in [size, start] {
            end.extend((if large { LARGE } else { number as u32 }).to_le_bytes());
        }
        end.extend([0; 2]);
        self.put(&end)?;
        Ok(self.out.flush()?)
    }
}
