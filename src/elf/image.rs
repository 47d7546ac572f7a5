//! The bytes of an ELF file, with its header, program headers, section headers and dynamic section as numbers.
//!
//! All four combinations of 32 and 64 bits, little and big endian; every access is checked.

use super::error::Problem;

/// An ELF file in memory.
#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) bytes: Vec<u8>,
    wide: bool,
    big: bool,
}

/// A program header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) kind: u64,
    pub(super) flags: u64,
    pub(super) offset: u64,
    pub(super) address: u64,
    pub(super) file_size: u64,
    pub(super) memory_size: u64,
    pub(super) align: u64,
}

/// The part of a section header that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) kind: u64,
    pub(super) flags: u64,
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// Kinds of program headers.
pub(super) mod segment {
    pub(in super::super) const LOAD: u64 = 1;
    pub(in super::super) const DYNAMIC: u64 = 2;
    pub(in super::super) const INTERP: u64 = 3;
    pub(in super::super) const NOTE: u64 = 4;
    pub(in super::super) const PHDR: u64 = 6;
    pub(in super::super) const GNU_PROPERTY: u64 = 0x6474_e553;
    pub(in super::super) const WRITE: u64 = 2;
    pub(in super::super) const READ: u64 = 4;
}

/// Tags of the dynamic section.
pub(super) mod tag {
    pub(in super::super) const NULL: u64 = 0;
    pub(in super::super) const NEEDED: u64 = 1;
    pub(in super::super) const STRTAB: u64 = 5;
    pub(in super::super) const STRSZ: u64 = 10;
    pub(in super::super) const SONAME: u64 = 14;
    pub(in super::super) const RPATH: u64 = 15;
    pub(in super::super) const RUNPATH: u64 = 29;
    pub(in super::super) const FLAGS_1: u64 = 0x6fff_fffb;
    pub(in super::super) const VERDEF: u64 = 0x6fff_fffc;
    pub(in super::super) const VERDEFNUM: u64 = 0x6fff_fffd;
    pub(in super::super) const VERNEED: u64 = 0x6fff_fffe;
    pub(in super::super) const VERNEEDNUM: u64 = 0x6fff_ffff;
    /// Tags whose value is the address of one of the tables that may have to move: HASH, STRTAB, SYMTAB, RELA, REL,
    /// JMPREL, RELR, GNU_HASH, VERSYM, VERDEF, VERNEED.
    pub(in super::super) const TABLES: [u64; 11] =
        [4, 5, 6, 7, 17, 23, 36, 0x6fff_fef5, 0x6fff_fff0, 0x6fff_fffc, 0x6fff_fffe];
}

/// No offset, address, size or alignment is larger: sums of a few of them fit 64 bits, so that they need no checks.
const LARGEST: u64 = 1 << 56;

#[derive(Debug, Clone, Copy)]
enum Width {
    Half,
    Word,
    /// 4 or 8 bytes.
    Native,
}

impl Image {
    /// Takes an executable or a shared library.
    pub(super) fn new(bytes: Vec<u8>) -> Result<Self, Problem> {
        let (wide, big) = match bytes.get(..6) {
            Some([0x7f, b'E', b'L', b'F', class @ 1..=2, data @ 1..=2]) => (*class == 2, *data == 2),
            _ => return Err(Problem::NotElf),
        };
        let image = Self { bytes, wide, big };
        match image.get(16, Width::Half)? {
            2 | 3 => Ok(image),
            _ => Err(Problem::NotElf),
        }
    }

    /// Other bytes of the same file, with the same width and order of numbers.
    pub(super) fn piece(&self, bytes: Vec<u8>) -> Self {
        Self { bytes, wide: self.wide, big: self.big }
    }

    /// Whether its numbers are 64 bits wide, and the number of the processor's kind.
    pub(super) fn machine(&self) -> Result<(bool, u64), Problem> {
        Ok((self.wide, self.get(18, Width::Half)?))
    }

    /// How many program headers there are.
    pub(super) fn segment_count(&self) -> Result<u64, Problem> {
        self.get(self.pick(44, 56), Width::Half)
    }

    /// A number of 2 bytes.
    pub(super) fn half(&self, at: usize) -> Result<u64, Problem> {
        self.get(at, Width::Half)
    }

    /// A number of 4 bytes.
    pub(super) fn word(&self, at: usize) -> Result<u64, Problem> {
        self.get(at, Width::Word)
    }

    /// Writes a number of the file's own width.
    pub(super) fn set_native(&mut self, at: usize, value: u64) -> Result<(), Problem> {
        self.set(at, Width::Native, value)
    }

    /// Where the table of program headers begins.
    pub(super) fn segments_at(&self) -> Result<u64, Problem> {
        self.get(self.pick(28, 32), Width::Native)
    }

    /// The size of one program header.
    pub(super) fn segment_size(&self) -> u64 {
        self.pick(32, 56) as u64
    }

    /// The program headers.
    pub(super) fn segments(&self) -> Result<Vec<Segment>, Problem> {
        let at = usize_of(self.segments_at()?)?;
        if self.get(self.pick(42, 54), Width::Half)? != self.segment_size() {
            return Err(Problem::Malformed("its program headers have a strange size"));
        }
        let count = self.get(self.pick(44, 56), Width::Half)?;
        if count == 0xffff {
            return Err(Problem::Unsupported("it has too many program headers"));
        }
        (0..usize_of(count)?).map(|index| self.segment(at + index * usize_of(self.segment_size())?)).collect()
    }

    fn segment(&self, at: usize) -> Result<Segment, Problem> {
        let native = |narrow, wide| self.get(at + self.pick(narrow, wide), Width::Native);
        let segment = Segment {
            kind: self.get(at, Width::Word)?,
            flags: self.get(at + self.pick(24, 4), Width::Word)?,
            offset: native(4, 8)?,
            address: native(8, 16)?,
            file_size: native(16, 32)?,
            memory_size: native(20, 40)?,
            align: native(28, 48)?,
        };
        let Segment { offset, address, file_size, memory_size, align, .. } = segment;
        if offset.max(address) > LARGEST || file_size.max(memory_size).max(align) > LARGEST {
            return Err(Problem::Malformed("a program header in it is out of range"));
        }
        Ok(segment)
    }

    /// Writes the program headers where they were; there must be room.
    pub(super) fn set_segments(&mut self, segments: &[Segment]) -> Result<(), Problem> {
        let at = usize_of(self.segments_at()?)?;
        let size = usize_of(self.segment_size())?;
        self.set(self.pick(44, 56), Width::Half, segments.len() as u64)?;
        for (index, segment) in segments.iter().enumerate() {
            let at = at + index * size;
            self.set(at, Width::Word, segment.kind)?;
            self.set(at + self.pick(24, 4), Width::Word, segment.flags)?;
            for (narrow, wide, value) in [
                (4, 8, segment.offset),
                (8, 16, segment.address),
                // The physical address means nothing in a user's program, and linkers repeat the other one.
                (12, 24, segment.address),
                (16, 32, segment.file_size),
                (20, 40, segment.memory_size),
                (28, 48, segment.align),
            ] {
                self.set(at + self.pick(narrow, wide), Width::Native, value)?;
            }
        }
        Ok(())
    }

    /// Where the table of section headers begins and ends; an empty range when there is none.
    pub(super) fn sections_range(&self) -> Result<(u64, u64), Problem> {
        let at = self.get(self.pick(32, 40), Width::Native)?;
        let count = self.get(self.pick(48, 60), Width::Half)?;
        Ok((at, at.saturating_add(count * self.pick(40, 64) as u64)))
    }

    /// The section headers; none when they were stripped.
    pub(super) fn sections(&self) -> Result<Vec<Section>, Problem> {
        let (at, end) = self.sections_range()?;
        if at == end {
            return Ok(Vec::new());
        }
        let size = self.pick(40, 64);
        if self.get(self.pick(46, 58), Width::Half)? != size as u64 {
            return Err(Problem::Malformed("its section headers have a strange size"));
        }
        let read = |at: usize| {
            let native = |narrow, wide| self.get(at + self.pick(narrow, wide), Width::Native);
            let section = Section {
                kind: self.get(at + 4, Width::Word)?,
                flags: native(8, 8)?,
                address: native(12, 16)?,
                offset: native(16, 24)?,
                size: native(20, 32)?,
            };
            let Section { address, offset, size, .. } = section;
            if address.max(offset).max(size) > LARGEST {
                return Err(Problem::Malformed("a section header in it is out of range"));
            }
            Ok(section)
        };
        (usize_of(at)?..usize_of(end)?).step_by(size).map(read).collect()
    }

    /// Writes the section headers where they were; their number must be the same.
    pub(super) fn set_sections(&mut self, sections: &[Section]) -> Result<(), Problem> {
        let at = usize_of(self.sections_range()?.0)?;
        let size = self.pick(40, 64);
        for (index, section) in sections.iter().enumerate() {
            let at = at + index * size;
            self.set(at + self.pick(12, 16), Width::Native, section.address)?;
            self.set(at + self.pick(16, 24), Width::Native, section.offset)?;
            self.set(at + self.pick(20, 32), Width::Native, section.size)?;
        }
        Ok(())
    }

    /// The size of one entry of the dynamic section.
    pub(super) fn dynamic_entry_size(&self) -> u64 {
        self.pick(8, 16) as u64
    }

    /// The entries of the dynamic section, tag and value, without the NULL entries that end it.
    pub(super) fn dynamic(&self, segment: &Segment) -> Result<Vec<(u64, u64)>, Problem> {
        let step = self.pick(8, 16);
        let start = usize_of(segment.offset)?;
        let end = usize_of(segment.offset.saturating_add(segment.file_size))?;
        let mut entries = Vec::new();
        let mut at = start;
        while at + step <= end {
            let (tag, value) = (self.get(at, Width::Native)?, self.get(at + step / 2, Width::Native)?);
            if tag == tag::NULL {
                return Ok(entries);
            }
            entries.push((tag, value));
            at += step;
        }
        // A linker that was told to leave no spare entry leaves not even the NULL that ends the section.
        Ok(entries)
    }

    /// Writes the dynamic section and fills what is left of it with NULL entries.
    pub(super) fn set_dynamic(&mut self, segment: &Segment, entries: &[(u64, u64)]) -> Result<(), Problem> {
        let step = self.pick(8, 16);
        let start = usize_of(segment.offset)?;
        let room = usize_of(segment.file_size)? / step;
        if entries.len() >= room {
            return Err(Problem::Malformed("its dynamic section is too small"));
        }
        let nulls = std::iter::repeat((tag::NULL, 0));
        for (index, (tag, value)) in entries.iter().copied().chain(nulls).take(room).enumerate() {
            self.set(start + index * step, Width::Native, tag)?;
            self.set(start + index * step + step / 2, Width::Native, value)?;
        }
        Ok(())
    }

    fn pick(&self, narrow: usize, wide: usize) -> usize {
        if self.wide { wide } else { narrow }
    }

    fn size(&self, width: Width) -> usize {
        match width {
            Width::Half => 2,
            Width::Word => 4,
            Width::Native => self.pick(4, 8),
        }
    }

    fn get(&self, at: usize, width: Width) -> Result<u64, Problem> {
        let bytes = at
            .checked_add(self.size(width))
            .and_then(|end| self.bytes.get(at..end))
            .ok_or(Problem::Malformed("it is cut short"))?;
        let push = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Ok(if self.big { bytes.iter().fold(0, push) } else { bytes.iter().rev().fold(0, push) })
    }

    fn set(&mut self, at: usize, width: Width, value: u64) -> Result<(), Problem> {
        let size = self.size(width);
        if size < 8 && value >> (8 * size) != 0 {
            return Err(Problem::Unsupported("it would grow beyond what its header can say"));
        }
        let slot = at
            .checked_add(size)
            .and_then(|end| self.bytes.get_mut(at..end))
            .ok_or(Problem::Malformed("it is cut short"))?;
        let bytes = value.to_be_bytes();
        slot.copy_from_slice(&bytes[8 - size..]);
        if !self.big {
            slot.reverse();
        }
        Ok(())
    }
}

/// The file's number as an index; on this machine they are of one size.
pub(super) fn usize_of(value: u64) -> Result<usize, Problem> {
    usize::try_from(value)
        .ok()
        .filter(|value| *value < usize::MAX / 2)
        .ok_or(Problem::Malformed("a number in it is out of range"))
}
