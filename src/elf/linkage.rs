//! What a file is linked with, read in a few small pieces: libraries of gigabytes are looked at, too.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use super::{
    edit::RunPathKind,
    error::{ElfError, Problem},
    image::{Image, Segment, segment, tag, usize_of},
};
use crate::base::FsError;

/// What the loader reads of an executable or shared library before it maps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linkage {
    /// What machine it is for.
    pub machine: Machine,
    /// The loader that it asks for; only programs do.
    pub interpreter: Option<PathBuf>,
    /// The name that others need it by.
    pub soname: Option<String>,
    /// The libraries that it needs, in its order.
    pub needed: Vec<String>,
    /// Its run path; when it has both, that of `DT_RUNPATH`, because the loader ignores the other one then.
    pub run_path: Option<(String, RunPathKind)>,
    /// The digits of its GNU build-id.
    pub build_id: Option<String>,
    /// Whether the loader must not look for its libraries in the default folders (`DF_1_NODEFLIB`).
    pub no_default: bool,
}

/// A kind of processor and the width of its addresses. Programs and libraries of different ones do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Whether addresses have 64 bits.
    pub wide: bool,
    /// `e_machine`, as the ELF specification numbers it.
    pub number: u64,
}

/// A version of symbols that a file needs of a library, or defines itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SymbolVersion {
    /// The library's name; of a definition, the empty text.
    pub library: String,
    /// The version, such as `GLIBC_2.34`.
    pub version: String,
}

/// The table of program headers is nowhere near as long.
const LONGEST_HEAD: u64 = 1 << 20;
/// Nor is a dynamic section.
const LONGEST_SECTION: u64 = 4 << 20;
/// Nor notes, of which only the first part is looked at.
const LONGEST_NOTES: u64 = 1 << 16;
/// Nor a name or a run path.
const LONGEST_TEXT: u64 = 1 << 16;
/// What is read at first of a file, and of a text.
const HEAD: u64 = 4096;
const TEXT: u64 = 256;
/// `NT_GNU_BUILD_ID`.
const BUILD_ID: u64 = 3;
/// `DF_1_NODEFLIB`.
const NO_DEFAULT: u64 = 0x800;

/// Reads what a file is linked with. A file without a dynamic section needs nothing.
///
/// # Errors
/// When it is no ELF executable or shared library, contradicts itself, or cannot be read.
pub fn linkage(file: &Path) -> Result<Linkage, ElfError> {
    let reader = Reader::open(file)?;
    reader.linkage().map_err(|fault| fault.of(file))
}

/// The versions of symbols that a file needs, by library.
///
/// # Errors
/// As for [`linkage`].
pub fn needed_versions(file: &Path) -> Result<Vec<SymbolVersion>, ElfError> {
    let reader = Reader::open(file)?;
    reader.versions(tag::VERNEED, tag::VERNEEDNUM).map_err(|fault| fault.of(file))
}

/// The versions of symbols that a library defines.
///
/// # Errors
/// As for [`linkage`].
pub fn defined_versions(file: &Path) -> Result<Vec<SymbolVersion>, ElfError> {
    let reader = Reader::open(file)?;
    reader.versions(tag::VERDEF, tag::VERDEFNUM).map_err(|fault| fault.of(file))
}

/// Puts the run path under this tag, in the file itself: neither its length nor any other byte changes. Other names of
/// the file see the change. Gives whether anything changed.
///
/// # Errors
/// As for [`linkage`], and when it cannot be written.
pub fn set_run_path_kind(file: &Path, kind: RunPathKind) -> Result<bool, ElfError> {
    let reader = Reader::open(file)?;
    let places = reader.run_path_places(kind).map_err(|fault| fault.of(file))?;
    if places.is_empty() {
        return Ok(false);
    }
    let written = File::options().write(true).open(file).and_then(|open| {
        places.iter().try_for_each(|(at, bytes)| open.write_all_at(bytes, *at))?;
        open.sync_all()
    });
    written.map_err(|error| FsError::new("write", file, error))?;
    Ok(true)
}

/// Why a piece cannot be read.
enum Fault {
    Elf(Problem),
    Io(std::io::Error),
}

impl Fault {
    fn of(self, path: &Path) -> ElfError {
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

/// An open file with its header and program headers.
struct Reader {
    file: File,
    head: Image,
    segments: Vec<Segment>,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, ElfError> {
        let fail = |error| FsError::new("read", path, error);
        // Opening a pipe would wait for somebody to write into it.
        if !path.metadata().map_err(fail)?.is_file() {
            return Err(fail(std::io::Error::other("it is no regular file")).into());
        }
        let file = File::open(path).map_err(fail)?;
        Self::new(file).map_err(|fault| fault.of(path))
    }

    fn new(file: File) -> Result<Self, Fault> {
        let mut head = Image::new(read_up_to(&file, 0, HEAD)?)?;
        let end = head.segments_at()?.saturating_add(head.segment_count()? * head.segment_size());
        if end > LONGEST_HEAD {
            return Err(Problem::Unsupported("its program headers are not at its beginning").into());
        }
        if end > head.bytes.len() as u64 {
            head = head.piece(read_up_to(&file, 0, end)?);
        }
        let segments = head.segments()?;
        Ok(Self { file, head, segments })
    }

    fn linkage(&self) -> Result<Linkage, Fault> {
        let (wide, number) = self.head.machine()?;
        let mut linkage = Linkage {
            machine: Machine { wide, number },
            interpreter: self.interpreter()?,
            soname: None,
            needed: Vec::new(),
            run_path: None,
            build_id: self.build_id()?,
            no_default: false,
        };
        let Some(dynamic) = self.dynamic()? else { return Ok(linkage) };
        for (tag, value) in &dynamic.entries {
            match *tag {
                tag::NEEDED => linkage.needed.push(self.text(&dynamic, *value)?),
                tag::SONAME => linkage.soname = Some(self.text(&dynamic, *value)?),
                tag::FLAGS_1 => linkage.no_default = value & NO_DEFAULT != 0,
                _ => {}
            }
        }
        for kind in [RunPathKind::Runpath, RunPathKind::Rpath] {
            // Of two entries of one tag the loader takes the last.
            let entry = dynamic.entries.iter().rfind(|(tag, _)| *tag == kind.tag());
            if let (Some((_, at)), None) = (entry, &linkage.run_path) {
                linkage.run_path = Some((self.text(&dynamic, *at)?, kind));
            }
        }
        Ok(linkage)
    }

    fn interpreter(&self) -> Result<Option<PathBuf>, Fault> {
        let Some(segment) = self.segments.iter().find(|it| it.kind == segment::INTERP) else { return Ok(None) };
        let bytes = read_up_to(&self.file, segment.offset, segment.file_size.min(LONGEST_TEXT))?;
        let end = memchr::memchr(0, &bytes).unwrap_or(bytes.len());
        Ok(Some(PathBuf::from(String::from_utf8_lossy(&bytes[..end]).into_owned())))
    }

    fn build_id(&self) -> Result<Option<String>, Fault> {
        for notes in self.segments.iter().filter(|it| it.kind == segment::NOTE) {
            let piece = self.head.piece(read_up_to(&self.file, notes.offset, notes.file_size.min(LONGEST_NOTES))?);
            if let Some(found) = find_build_id(&piece, if notes.align == 8 { 8 } else { 4 })? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn dynamic(&self) -> Result<Option<Dynamic>, Fault> {
        let Some(found) = self.segments.iter().find(|it| it.kind == segment::DYNAMIC) else { return Ok(None) };
        if found.file_size > LONGEST_SECTION {
            return Err(Problem::Malformed("its dynamic section is out of range").into());
        }
        let piece = self.head.piece(read_up_to(&self.file, found.offset, found.file_size)?);
        let entries = piece.dynamic(&Segment { offset: 0, file_size: piece.bytes.len() as u64, ..*found })?;
        // A library that needs nothing and is not called anything may do without texts.
        let strings = match entries.iter().find(|(tag, _)| *tag == tag::STRTAB) {
            Some((_, address)) => self.offset_of(*address)?,
            None => 0,
        };
        Ok(Some(Dynamic { at: found.offset, piece, entries, strings }))
    }

    /// Where an address of the loaded file is in it.
    fn offset_of(&self, address: u64) -> Result<u64, Fault> {
        let inside =
            |it: &&Segment| it.kind == segment::LOAD && it.address <= address && address - it.address < it.file_size;
        let loaded = self.segments.iter().find(inside).ok_or(Problem::Malformed("a table of it is not loaded"))?;
        Ok(loaded.offset + (address - loaded.address))
    }

    fn text(&self, dynamic: &Dynamic, at: u64) -> Result<String, Fault> {
        let mut length = TEXT;
        loop {
            let bytes = read_up_to(&self.file, dynamic.strings.saturating_add(at), length)?;
            match memchr::memchr(0, &bytes) {
                Some(end) => return Ok(String::from_utf8_lossy(&bytes[..end]).into_owned()),
                None if length < LONGEST_TEXT && bytes.len() as u64 == length => length *= 8,
                None => return Err(Problem::Malformed("a text of it is out of range").into()),
            }
        }
    }

    /// Where in the file a tag has to be written for the run path to be of this kind, and the bytes.
    fn run_path_places(&self, kind: RunPathKind) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
        let Some(dynamic) = self.dynamic()? else { return Ok(Vec::new()) };
        let other = if kind == RunPathKind::Rpath { RunPathKind::Runpath } else { RunPathKind::Rpath };
        let size = dynamic.piece.dynamic_entry_size();
        let mut places = Vec::new();
        for (index, (tag, _)) in dynamic.entries.iter().enumerate() {
            if *tag == other.tag() {
                let mut bytes = dynamic.piece.piece(vec![0; usize_of(size / 2)?]);
                bytes.set_native(0, kind.tag())?;
                places.push((dynamic.at + index as u64 * size, bytes.bytes));
            }
        }
        Ok(places)
    }

    /// `Elf_Verneed` with its `Elf_Vernaux`, or `Elf_Verdef` with its `Elf_Verdaux`, as the Linux Standard Base describes
    /// them ("Symbol Versioning"): chains of entries, each of which says how far away the next one is.
    fn versions(&self, table: u64, count: u64) -> Result<Vec<SymbolVersion>, Fault> {
        let Some(dynamic) = self.dynamic()? else { return Ok(Vec::new()) };
        let value = |wanted: u64| dynamic.entries.iter().find(|(tag, _)| *tag == wanted).map(|it| it.1);
        let (Some(address), Some(count)) = (value(table), value(count)) else { return Ok(Vec::new()) };
        let is_need = table == tag::VERNEED;
        let entry = |at: u64| Ok::<_, Fault>(self.head.piece(read_up_to(&self.file, at, 20)?));
        let mut found = Vec::new();
        let mut at = self.offset_of(address)?;
        for _ in 0..count.min(10_000) {
            let head = entry(at)?;
            let (library, own, first, next, step) = if is_need {
                (self.text(&dynamic, head.word(4)?)?, head.half(2)?, head.word(8)?, head.word(12)?, 12)
            } else {
                // The first name of a definition is its own; the others are those that it builds upon.
                (String::new(), head.half(6)?.min(1), head.word(12)?, head.word(16)?, 4)
            };
            let mut place = at + first;
            for _ in 0..own {
                let one = entry(place)?;
                let name = one.word(if is_need { 8 } else { 0 })?;
                found.push(SymbolVersion { library: library.clone(), version: self.text(&dynamic, name)? });
                let step = one.word(step)?;
                if step == 0 {
                    break;
                }
                place += step;
            }
            if next == 0 {
                break;
            }
            at += next;
        }
        Ok(found)
    }
}

struct Dynamic {
    at: u64,
    piece: Image,
    entries: Vec<(u64, u64)>,
    strings: u64,
}

fn read_up_to(file: &File, at: u64, length: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; usize_of(length)?];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], at.checked_add(filled as u64).ok_or(CUT)?) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Fault::Io(error)),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Notes are a name's length, a content's length, a kind, the name and the content, each padded.
fn find_build_id(notes: &Image, align: usize) -> Result<Option<String>, Problem> {
    let padded = |length: usize| length.div_ceil(align) * align;
    let mut at = 0;
    while at + 12 <= notes.bytes.len() {
        let (name, content) = (usize_of(notes.word(at)?)?, usize_of(notes.word(at + 4)?)?);
        let kind = notes.word(at + 8)?;
        let begin = padded(12 + name);
        let named = notes.bytes.get(at + 12..at + 12 + name);
        let bytes = notes.bytes.get(at + begin..at + begin + content);
        let (Some(named), Some(bytes)) = (named, bytes) else { return Ok(None) };
        if kind == BUILD_ID && named == b"GNU\0" && !bytes.is_empty() {
            return Ok(Some(hex::encode(bytes)));
        }
        at += begin + padded(content);
    }
    Ok(None)
}
