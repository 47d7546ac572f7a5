//! The directory at the end of a zip archive, read a bit at a time.

use std::io::{self, SeekFrom};

use super::records::{
    CENTRAL, CENTRAL_SIZE, END, END_64, END_64_SIZE, END_SIZE, EXTRA_64, EXTRA_TIME, LARGE, LOCATOR_64,
    LOCATOR_64_SIZE, unix_time,
};
use crate::archive::{error::Fault, fields::Fields, source::Input};

/// What the directory says of an entry.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) name: Vec<u8>,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) deflated: u64,
    pub(super) size: u64,
    /// Where its own header is.
    pub(super) offset: u64,
    /// The mode of unix; 0 when the archive was written elsewhere.
    pub(super) mode: u32,
    pub(super) modified: u64,
}

/// Goes through the directory.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    /// Where it begins; no entry reaches further.
    pub(super) start: u64,
    pub(super) entries: u64,
    at: u64,
    end: u64,
    left: u64,
    buffer: Vec<u8>,
    used: usize,
}

fn bad() -> Fault {
    Fault::damaged("its directory cannot be understood")
}

/// Reads at a place.
pub(super) fn read_at(input: &mut dyn Input, at: u64, buffer: &mut [u8]) -> io::Result<()> {
    input.seek(SeekFrom::Start(at))?;
    input.read_exact(buffer)
}

impl Directory {
    /// Finds it by the record that ends the file.
    pub(super) fn find(input: &mut dyn Input) -> Result<Self, Fault> {
        let length = input.seek(SeekFrom::End(0))?;
        let window = length.min((END_SIZE + usize::from(u16::MAX)) as u64);
        let mut tail = vec![0; window as usize];
        read_at(input, length - window, &mut tail)?;
        let ends = |at: &usize| {
            let comment =
                tail.get(at + END_SIZE - 2..at + END_SIZE).map(|it| usize::from(u16::from_le_bytes([it[0], it[1]])));
            tail[*at..].starts_with(&END.to_le_bytes()) && comment.is_some_and(|it| at + END_SIZE + it == tail.len())
        };
        let Some(at) = (0..tail.len()).rev().find(ends) else {
            return Err(Fault::damaged("it ends too early, or something comes after its end"));
        };
        let place = length - window + at as u64;
        let numbers = || {
            let mut fields = Fields(&tail[at + 4..]);
            let disks = fields.u32()?;
            let here = fields.u16()?;
            let entries = fields.u16()?;
            Some((disks, here, entries, fields.u32()?, fields.u32()?))
        };
        let (disks, here, entries, size, start) = numbers().ok_or_else(bad)?;
        let (mut entries, mut size, mut start, mut end) =
            (u64::from(entries), u64::from(size), u64::from(start), place);
        if disks != 0 || u64::from(here) != entries {
            return Err(Fault::Unsupported("has parts of zip's own kind, which are not read here"));
        }
        if let Some((large, at)) = large(input, place)? {
            (entries, size, start) = large;
            end = at;
        }
        if start.checked_add(size) != Some(end) || entries > size / CENTRAL_SIZE as u64 {
            return Err(bad());
        }
        Ok(Self { start, entries, at: start, end, left: entries, buffer: Vec::new(), used: 0 })
    }

    /// So many bytes from the directory, without going on.
    fn peek(&mut self, input: &mut dyn Input, count: usize) -> Result<&[u8], Fault> {
        const AT_ONCE: u64 = 64 << 10;
        if self.buffer.len() - self.used < count {
            self.buffer.drain(..self.used);
            self.used = 0;
            let old = self.buffer.len();
            let more = (self.end - self.at).min(AT_ONCE.max(count as u64));
            self.buffer.resize(old + more as usize, 0);
            read_at(input, self.at, &mut self.buffer[old..])?;
            self.at += more;
        }
        self.buffer.get(self.used..self.used + count).ok_or_else(bad)
    }

    /// The next record, with its number; nothing at the end.
    pub(super) fn next(&mut self, input: &mut dyn Input) -> Result<Option<(u64, Record)>, Fault> {
        if self.left == 0 {
            let rest = self.end - self.at + (self.buffer.len() - self.used) as u64;
            return if rest == 0 { Ok(None) } else { Err(bad()) };
        }
        let number = self.entries - self.left;
        self.left -= 1;
        let fixed: [u8; CENTRAL_SIZE] = self.peek(input, CENTRAL_SIZE)?.try_into().map_err(|_| bad())?;
        let length = |at: usize| usize::from(u16::from_le_bytes([fixed[at], fixed[at + 1]]));
        let (name, extra, comment) = (length(28), length(30), length(32));
        let whole = CENTRAL_SIZE + name + extra + comment;
        let record = record(self.peek(input, whole)?, name, extra).ok_or_else(bad)?;
        self.used += whole;
        Ok(Some((number, record)))
    }
}

type Large = (u64, u64, u64);

/// The larger numbers, if there are some: entries, size and start of the directory; and where they stand.
fn large(input: &mut dyn Input, end: u64) -> Result<Option<(Large, u64)>, Fault> {
    let Some(locator) = end.checked_sub(LOCATOR_64_SIZE as u64) else { return Ok(None) };
    let mut bytes = [0; LOCATOR_64_SIZE];
    read_at(input, locator, &mut bytes)?;
    let mut fields = Fields(&bytes);
    if fields.u32() != Some(LOCATOR_64) {
        return Ok(None);
    }
    let place = fields.bytes(4).and_then(|_| fields.u64()).ok_or_else(bad)?;
    if place.checked_add(END_64_SIZE as u64) != Some(locator) {
        return Err(bad());
    }
    let mut bytes = [0; END_64_SIZE];
    read_at(input, place, &mut bytes)?;
    let mut fields = Fields(&bytes);
    if fields.u32() != Some(END_64) {
        return Err(bad());
    }
    let numbers = || {
        fields.bytes(20)?;
        let here = fields.u64()?;
        let entries = fields.u64()?;
        (here == entries).then_some((entries, fields.u64()?, fields.u64()?))
    };
    let mut numbers = numbers;
    Ok(Some((numbers().ok_or_else(bad)?, place)))
}

fn record(bytes: &[u8], name: usize, extra: usize) -> Option<Record> {
    let mut fields = Fields(bytes);
    if fields.u32()? != CENTRAL {
        return None;
    }
    let made_by = fields.u16()? >> 8;
    fields.u16()?;
    let (flags, method, time, crc) = (fields.u16()?, fields.u16()?, fields.u32()?, fields.u32()?);
    let (deflated, size) = (fields.u32()?, fields.u32()?);
    fields.bytes(10)?;
    let attributes = fields.u32()?;
    let offset = fields.u32()?;
    let mut record = Record {
        name: fields.bytes(name)?.to_vec(),
        flags,
        method,
        crc,
        deflated: deflated.into(),
        size: size.into(),
        offset: offset.into(),
        // Unix, and macOS.
        mode: if made_by == 3 || made_by == 19 { attributes >> 16 } else { 0 },
        modified: unix_time(time),
    };
    let mut extras = Fields(fields.bytes(extra)?);
    let mut is_large = false;
    while extras.0.len() >= 4 {
        let kind = extras.u16()?;
        let length = extras.u16()?;
        let mut field = Fields(extras.bytes(length.into())?);
        match kind {
            EXTRA_64 if !is_large => {
                is_large = true;
                for (short, long) in
                    [(size, &mut record.size), (deflated, &mut record.deflated), (offset, &mut record.offset)]
                {
                    if short == LARGE {
                        *long = field.u64()?;
                    }
                }
            }
            EXTRA_TIME if field.bytes(1)?[0] & 1 != 0 => {
                record.modified = u64::try_from(field.u32()?.cast_signed()).unwrap_or(0);
            }
            _ => {}
        }
    }
    Some(record)
}
