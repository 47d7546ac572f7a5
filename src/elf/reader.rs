//! An ELF file that is read in a few small pieces: libraries of gigabytes are looked at, too, and some are not on disk.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::Path,
};

use super::{
    error::{ElfError, Problem},
    image::{Image, Segment, segment, tag, usize_of},
};
use crate::base::FsError;

/// Bytes that can be read from any place: a file's, or those of one that is in memory.
pub trait Pieces {
    /// Reads what there is from this place on, and gives how many bytes that were; 0 at the end.
    ///
    /// # Errors
    /// When they cannot be read.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;
}

impl Pieces for File {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, at)
    }
}

impl Pieces for [u8] {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let rest = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

/// The table of program headers is nowhere near as long.
const LONGEST_HEAD: u64 = 1 << 20;
/// Nor is a dynamic section.
const LONGEST_SECTION: u64 = 4 << 20;
/// Nor a name or a run path.
const LONGEST_TEXT: u64 = 1 << 16;
/// Nor all names that are read of one file together, each with what it costs to keep it.
const ALL_TEXTS: u64 = 1 << 20;
const COST: u64 = 32;
/// What is read at first of a text.
const TEXT: u64 = 256;
/// What is read at once, from a multiple of it on, and how many of these are kept: tables that are read in many steps
/// are near each other.
const PAGE: u64 = 4096;
const PAGES: usize = 64;

/// Why a piece cannot be read.
#[derive(Debug)]
pub(super) enum Fault {
    Elf(Problem),
    Io(io::Error),
}

impl Fault {
    pub(super) fn of(self, path: &Path) -> ElfError {
        match self {
            Self::Elf(problem) => problem.of(path),
            Self::Io(error) => FsError::new("read", path, error).into(),
        }
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Elf(problem)
    }
}

const CUT: Fault = Fault::Elf(Problem::Malformed("it is cut short"));

/// A file with its header and program headers.
pub(super) struct Reader<'a, P: ?Sized> {
    source: &'a P,
    pub(super) head: Image,
    pub(super) segments: Vec<Segment>,
    pages: RefCell<BTreeMap<u64, Vec<u8>>>,
    texts: Cell<u64>,
}

/// The dynamic section.
pub(super) struct Dynamic {
    /// Where it is in the file.
    pub(super) at: u64,
    pub(super) piece: Image,
    /// Tags and values.
    pub(super) entries: Vec<(u64, u64)>,
    /// Where the string table is in the file.
    strings: u64,
}

/// Opens a regular file: opening a pipe would wait for somebody to write into it.
pub(super) fn open(path: &Path) -> Result<File, ElfError> {
    let fail = |error| FsError::new("read", path, error);
    if !path.metadata().map_err(fail)?.is_file() {
        return Err(fail(io::Error::other("it is no regular file")).into());
    }
    Ok(File::open(path).map_err(fail)?)
}

/// Puts bytes into a file, at these places.
pub(super) fn write(path: &Path, places: &[(u64, Vec<u8>)]) -> Result<(), ElfError> {
    let written = File::options().write(true).open(path).and_then(|open| {
        places.iter().try_for_each(|(at, bytes)| open.write_all_at(bytes, *at))?;
        open.sync_all()
    });
    Ok(written.map_err(|error| FsError::new("write", path, error))?)
}

impl<'a, P: Pieces + ?Sized> Reader<'a, P> {
    pub(super) fn new(source: &'a P) -> Result<Self, Fault> {
        let mut head = Image::new(read_up_to(source, 0, PAGE)?)?;
        let pages = RefCell::new(BTreeMap::from([(0, head.bytes.clone())]));
        let end = head.segments_at()?.saturating_add(head.segment_count()? * head.segment_size());
        if end > LONGEST_HEAD {
            return Err(Problem::Unsupported("its program headers are not at its beginning").into());
        }
        if end > head.bytes.len() as u64 {
            head = head.piece(read_up_to(source, 0, end)?);
        }
        let segments = head.segments()?;
        Ok(Self { source, head, segments, pages, texts: Cell::new(0) })
    }

    /// A piece of the file, shorter where it ends.
    pub(super) fn piece(&self, at: u64, length: u64) -> Result<Image, Fault> {
        Ok(self.head.piece(self.bytes(at, length)?))
    }

    pub(super) fn bytes(&self, at: u64, length: u64) -> Result<Vec<u8>, Fault> {
        if length > PAGE {
            return read_up_to(self.source, at, length);
        }
        let end = at.checked_add(length).ok_or(CUT)?;
        let mut found = Vec::with_capacity(usize_of(length)?);
        let mut pages = self.pages.borrow_mut();
        while at + (found.len() as u64) < end {
            let next = at + found.len() as u64;
            let begin = next - next % PAGE;
            if !pages.contains_key(&begin) {
                if pages.len() >= PAGES {
                    pages.clear();
                }
                pages.insert(begin, read_up_to(self.source, begin, PAGE)?);
            }
            let page = &pages[&begin];
            let from = usize_of(next - begin)?;
            let to = usize_of(end - begin)?.min(page.len());
            let Some(part) = page.get(from..to).filter(|it| !it.is_empty()) else { break };
            found.extend_from_slice(part);
        }
        Ok(found)
    }

    pub(super) fn dynamic(&self) -> Result<Option<Dynamic>, Fault> {
        let Some(found) = self.segments.iter().find(|it| it.kind == segment::DYNAMIC) else { return Ok(None) };
        if found.file_size > LONGEST_SECTION {
            return Err(Problem::Malformed("its dynamic section is out of range").into());
        }
        let piece = self.piece(found.offset, found.file_size)?;
        let entries = piece.dynamic(&Segment { offset: 0, file_size: piece.bytes.len() as u64, ..*found })?;
        // A library that needs nothing and is not called anything may do without texts.
        let strings = match entries.iter().find(|(tag, _)| *tag == tag::STRTAB) {
            Some((_, address)) => self.offset_of(*address)?,
            None => 0,
        };
        Ok(Some(Dynamic { at: found.offset, piece, entries, strings }))
    }

    /// Where an address of the loaded file is in it.
    pub(super) fn offset_of(&self, address: u64) -> Result<u64, Fault> {
        let inside =
            |it: &&Segment| it.kind == segment::LOAD && it.address <= address && address - it.address < it.file_size;
        let loaded = self.segments.iter().find(inside).ok_or(Problem::Malformed("a table of it is not loaded"))?;
        Ok(loaded.offset + (address - loaded.address))
    }

    /// The text at this place of the string table.
    pub(super) fn text(&self, dynamic: &Dynamic, at: u64) -> Result<String, Fault> {
        let mut length = TEXT;
        loop {
            let bytes = self.bytes(dynamic.strings.saturating_add(at), length)?;
            match memchr::memchr(0, &bytes) {
                Some(end) => {
                    self.texts.set(self.texts.get() + COST + end as u64);
                    if self.texts.get() > ALL_TEXTS {
                        return Err(Problem::Malformed("it names more than any file does").into());
                    }
                    return Ok(String::from_utf8_lossy(&bytes[..end]).into_owned());
                }
                None if length < LONGEST_TEXT && bytes.len() as u64 == length => length *= 8,
                None => return Err(Problem::Malformed("a text of it is out of range").into()),
            }
        }
    }

    /// The loader that a program asks for.
    pub(super) fn interpreter(&self) -> Result<Option<String>, Fault> {
        let Some(segment) = self.segments.iter().find(|it| it.kind == segment::INTERP) else { return Ok(None) };
        let bytes = self.bytes(segment.offset, segment.file_size.min(LONGEST_TEXT))?;
        let end = memchr::memchr(0, &bytes).unwrap_or(bytes.len());
        Ok(Some(String::from_utf8_lossy(&bytes[..end]).into_owned()))
    }
}

fn read_up_to<P: Pieces + ?Sized>(source: &P, at: u64, length: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; usize_of(length)?];
    let mut filled = 0;
    while filled < bytes.len() {
        match source.read_at(&mut bytes[filled..], at.checked_add(filled as u64).ok_or(CUT)?) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Fault::Io(error)),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
