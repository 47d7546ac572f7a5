//! Makes room in a linked file: a new loaded segment at its end, and a program header for it at its beginning.
//!
//! The table of program headers stays where it is, because kernels and `strip` expect it right after the file's header.
//! What follows it there are small tables that only headers and the dynamic section point to; as many of them as needed
//! move into the new segment.

use super::{
    error::Problem,
    image::{Image, Section, Segment, segment, tag, usize_of},
};

/// The tables that may move, by the kind of their section: STRTAB, RELA, HASH, NOTE, REL, DYNSYM, RELR, GNU_HASH,
/// VERDEF, VERNEED, VERSYM. The dynamic section's own string table is among the first.
const MOVABLE: [u64; 11] = [3, 4, 5, 7, 9, 11, 19, 0x6fff_fff6, 0x6fff_fffd, 0x6fff_fffe, 0x6fff_ffff];
const NOBITS: u64 = 8;
const ALLOCATED: u64 = 2;

/// What the new segment holds beside tables that made way.
#[derive(Debug, Default)]
pub(super) struct Addition {
    /// The dynamic section's size in bytes when it has to move, which makes the segment writable.
    pub(super) dynamic: Option<u64>,
    /// The new string table; it stands last, so that it can grow later.
    pub(super) strings: Vec<u8>,
}

/// Appends a segment with these contents. Headers, sections and the entries of the dynamic section point to the new
/// places afterwards; the entries are for the caller to write.
pub(super) fn append(image: &mut Image, addition: &Addition, entries: &mut [(u64, u64)]) -> Result<(), Problem> {
    let mut segments = image.segments()?;
    let mut sections = image.sections()?;
    let block = block_in_the_way(image, &segments, &sections)?;

    let align = segments.iter().filter(|it| it.kind == segment::LOAD).map(|it| it.align).max().unwrap_or(0).max(4096);
    let memory_end = segments.iter().filter(|it| it.kind == segment::LOAD).map(|it| it.address + it.memory_size).max();
    let memory_end = memory_end.ok_or(Problem::Malformed("it loads nothing"))?;
    // Keeps the alignment of everything that moves, which is never more than that of a cache line.
    let mut offset = image.bytes.len() as u64;
    while offset % 64 != block.start % 64 {
        offset += 1;
    }
    let address = memory_end.div_ceil(align) * align + offset % align;

    // The block first, then the dynamic section, then the strings.
    image.bytes.resize(usize_of(offset)?, 0);
    image.bytes.extend_from_within(usize_of(block.start)?..usize_of(block.end)?);
    let moved =
        Move { from: block.start, end: block.end, to: offset, from_address: block.address, to_address: address };
    moved.apply(&mut segments, &mut sections, entries);
    if let Some(size) = addition.dynamic {
        pad(&mut image.bytes, 16);
        let at = image.bytes.len() as u64;
        image.bytes.resize(usize_of(at + size)?, 0);
        let old = *dynamic(&segments)?;
        relocate_dynamic(&mut segments, &mut sections, &old, (at, address + (at - offset), size));
    }
    let strings_at = image.bytes.len() as u64;
    let strings_address = address + (strings_at - offset);
    image.bytes.extend_from_slice(&addition.strings);
    let old = value(entries, tag::STRTAB)?;
    set_strings(&mut sections, entries, old, (strings_at, strings_address, addition.strings.len() as u64));

    let size = image.bytes.len() as u64 - offset;
    let writable = if addition.dynamic.is_some() { segment::WRITE } else { 0 };
    segments.push(Segment {
        kind: segment::LOAD,
        flags: segment::READ | writable,
        offset,
        address,
        file_size: size,
        memory_size: size,
        align,
    });
    let table = segments.len() as u64 * image.segment_size();
    for it in segments.iter_mut().filter(|it| it.kind == segment::PHDR) {
        (it.file_size, it.memory_size) = (table, table);
    }
    image.set_segments(&segments)?;
    image.set_sections(&sections)
}

/// Lets the string table grow by `more` when it is the last thing in the file and in memory, as it is after [`append`].
/// Gives whether that was possible.
pub(super) fn extend(image: &mut Image, more: &[u8], entries: &mut [(u64, u64)]) -> Result<bool, Problem> {
    let mut segments = image.segments()?;
    let mut sections = image.sections()?;
    let (address, size) = (value(entries, tag::STRTAB)?, value(entries, tag::STRSZ)?);
    let end = address.saturating_add(size);
    let memory_end = segments.iter().map(|it| it.address.saturating_add(it.memory_size)).max();
    let last = segments.iter_mut().find(|it| {
        it.kind == segment::LOAD
            && it.address <= address
            && it.file_size == it.memory_size
            && it.address.checked_add(it.memory_size) == Some(end)
            && it.offset.checked_add(it.file_size) == Some(image.bytes.len() as u64)
    });
    let Some(last) = last.filter(|_| memory_end == Some(end)) else { return Ok(false) };
    let offset = last.offset + (address - last.address);
    last.file_size += more.len() as u64;
    last.memory_size = last.file_size;
    image.bytes.extend_from_slice(more);
    set_strings(&mut sections, entries, address, (offset, address, size + more.len() as u64));
    image.set_segments(&segments)?;
    image.set_sections(&sections)?;
    Ok(true)
}

/// The program header of the dynamic section.
pub(super) fn dynamic(segments: &[Segment]) -> Result<&Segment, Problem> {
    segments.iter().find(|it| it.kind == segment::DYNAMIC).ok_or(Problem::NotDynamic)
}

/// The value of an entry that every dynamic section has.
pub(super) fn value(entries: &[(u64, u64)], tag: u64) -> Result<u64, Problem> {
    let found = entries.iter().find(|(it, _)| *it == tag).map(|(_, value)| *value);
    found.ok_or(Problem::Malformed("its dynamic section names no string table"))
}

struct Block {
    start: u64,
    end: u64,
    /// Where the first byte is in memory.
    address: u64,
}

/// Finds what stands where one more program header goes: whole tables, or nothing when there is a gap.
fn block_in_the_way(image: &Image, segments: &[Segment], sections: &[Section]) -> Result<Block, Problem> {
    let start = image.segments_at()? + segments.len() as u64 * image.segment_size();
    let wanted = start + image.segment_size();
    let loaded = segments
        .iter()
        .find(|it| it.kind == segment::LOAD && it.offset <= start && wanted <= it.offset.saturating_add(it.file_size));
    let loaded = loaded.ok_or(Problem::Unsupported("its program headers are not loaded with what follows them"))?;
    if sections.is_empty() {
        return Err(Problem::Unsupported("it has no section headers"));
    }
    let table = image.sections_range()?;
    let interpreter = segments.iter().find(|it| it.kind == segment::INTERP).map(|it| it.offset);
    let mut end = start;
    let mut reach = wanted;
    // Whatever begins within reach moves as a whole, which may bring more within reach.
    loop {
        let before = end;
        for it in sections.iter().filter(|it| it.kind != 0 && it.kind != NOBITS && it.size > 0) {
            let after = it.offset.saturating_add(it.size);
            if it.offset >= reach || after <= start {
                continue;
            }
            let movable = it.flags & ALLOCATED != 0
                && it.offset >= start
                && (MOVABLE.contains(&it.kind) || Some(it.offset) == interpreter);
            if !movable {
                return Err(Problem::Unsupported("code or data directly follows its program headers"));
            }
            end = end.max(after);
        }
        for it in segments.iter().filter(|it| it.file_size > 0 && it.kind != segment::PHDR) {
            let after = it.offset.saturating_add(it.file_size);
            if it.offset >= reach || after <= start || it.kind == segment::LOAD && it.offset <= start {
                continue;
            }
            if !matches!(it.kind, segment::INTERP | segment::NOTE | segment::GNU_PROPERTY) || it.offset < start {
                return Err(Problem::Unsupported("another segment directly follows its program headers"));
            }
            end = end.max(after);
        }
        if end == before {
            break;
        }
        reach = reach.max(end);
    }
    if table.0 < reach && table.1 > start || end > loaded.offset + loaded.file_size {
        return Err(Problem::Unsupported("its section headers directly follow its program headers"));
    }
    // With a gap of the right size nothing has to move; the start then only sets the alignment.
    Ok(Block { start, end, address: loaded.address + (start - loaded.offset) })
}

/// A range of bytes that has gone elsewhere, in the file and in memory.
struct Move {
    from: u64,
    end: u64,
    to: u64,
    from_address: u64,
    to_address: u64,
}

impl Move {
    fn apply(&self, segments: &mut [Segment], sections: &mut [Section], entries: &mut [(u64, u64)]) {
        let inside = |offset: u64, size: u64| size > 0 && offset >= self.from && offset + size <= self.end;
        for it in segments.iter_mut().filter(|it| it.kind != segment::LOAD && inside(it.offset, it.file_size)) {
            it.offset = it.offset - self.from + self.to;
            it.address = it.address.wrapping_sub(self.from_address).wrapping_add(self.to_address);
        }
        for it in sections.iter_mut().filter(|it| it.kind != NOBITS && inside(it.offset, it.size)) {
            it.offset = it.offset - self.from + self.to;
            it.address = it.address.wrapping_sub(self.from_address).wrapping_add(self.to_address);
        }
        let addresses = self.from_address..self.from_address + (self.end - self.from);
        for (tag, value) in entries {
            if tag::TABLES.contains(tag) && addresses.contains(value) {
                *value = *value - self.from_address + self.to_address;
            }
        }
    }
}

/// A place in the file, in memory, and a size.
type Place = (u64, u64, u64);

fn relocate_dynamic(segments: &mut [Segment], sections: &mut [Section], old: &Segment, place: Place) {
    for it in sections.iter_mut().filter(|it| it.kind == 6 && it.offset == old.offset) {
        (it.offset, it.address, it.size) = place;
    }
    for it in segments.iter_mut().filter(|it| it.kind == segment::DYNAMIC) {
        (it.offset, it.address, it.file_size) = place;
        it.memory_size = place.2;
    }
}

/// `old` is the address that the string table had.
fn set_strings(sections: &mut [Section], entries: &mut [(u64, u64)], old: u64, place: Place) {
    for it in sections.iter_mut().filter(|it| it.kind == 3 && it.flags & ALLOCATED != 0 && it.address == old) {
        (it.offset, it.address, it.size) = place;
    }
    for (tag, value) in entries {
        match *tag {
            tag::STRTAB => *value = place.1,
            tag::STRSZ => *value = place.2,
            _ => {}
        }
    }
}

fn pad(bytes: &mut Vec<u8>, align: usize) {
    bytes.resize(bytes.len().next_multiple_of(align), 0);
}
