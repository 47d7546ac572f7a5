//! Reads and sets the run path of a file.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    error::{ElfError, Problem},
    image::{Image, Segment, segment, tag, usize_of},
    room::{self, Addition},
};
use crate::base::{FsError, Scratch, fs};

/// Under which tag the run path stands.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum RunPathKind {
    /// `DT_RPATH`, which comes before `LD_LIBRARY_PATH`.
    #[default]
    Rpath,
    /// `DT_RUNPATH`, which `LD_LIBRARY_PATH` overrides.
    Runpath,
}

impl RunPathKind {
    pub(super) fn tag(self) -> u64 {
        match self {
            Self::Rpath => tag::RPATH,
            Self::Runpath => tag::RUNPATH,
        }
    }
}

/// Gives an executable or shared library this run path, in place of any that it has under either tag; an empty one
/// takes it away. The file's mode stays, and a failure leaves the file as it was. A symbolic link is followed.
///
/// # Errors
/// When the file is no dynamically linked ELF file, contradicts itself, leaves no room for the change, or cannot be read
/// or written.
pub fn set_run_path(file: &Path, run_path: &str, kind: RunPathKind) -> Result<(), ElfError> {
    if run_path.contains('\0') {
        return Err(ElfError::Usage("a run path cannot hold a NUL byte".to_owned()));
    }
    let path = file.canonicalize().map_err(|error| FsError::new("find", file, error))?;
    let mut image = Image::new(fs::read(&path)?).map_err(|problem| problem.of(&path))?;
    if edit(&mut image, run_path, kind).map_err(|problem| problem.of(&path))? {
        replace(&path, &image.bytes)?;
    }
    Ok(())
}

/// The run path of an executable or shared library and its tag; nothing when it has none.
///
/// # Errors
/// When the file is no dynamically linked ELF file, contradicts itself, or cannot be read.
pub fn run_path(file: &Path) -> Result<Option<(String, RunPathKind)>, ElfError> {
    let image = Image::new(fs::read(file)?).map_err(|problem| problem.of(file))?;
    read(&image).map_err(|problem| problem.of(file))
}

fn read(image: &Image) -> Result<Option<(String, RunPathKind)>, Problem> {
    let segments = image.segments()?;
    let entries = image.dynamic(room::dynamic(&segments)?)?;
    let strings = strings(image, &segments, &entries)?;
    // The loader ignores the one when there is the other.
    for kind in [RunPathKind::Runpath, RunPathKind::Rpath] {
        if let Some((_, at)) = entries.iter().find(|(tag, _)| *tag == kind.tag()) {
            let text = strings.get(usize_of(*at)?..).ok_or(Problem::Malformed("its run path is out of range"))?;
            let end = memchr::memchr(0, text).unwrap_or(text.len());
            return Ok(Some((String::from_utf8_lossy(&text[..end]).into_owned(), kind)));
        }
    }
    Ok(None)
}

/// Changes the file in memory. Gives whether anything changed.
pub(super) fn edit(image: &mut Image, run_path: &str, kind: RunPathKind) -> Result<bool, Problem> {
    let segments = image.segments()?;
    let dynamic = *room::dynamic(&segments)?;
    let before = image.dynamic(&dynamic)?;
    let is_run_path = |(tag, _): &(u64, u64)| *tag == tag::RPATH || *tag == tag::RUNPATH;
    let mut entries = before.clone();
    if run_path.is_empty() {
        entries.retain(|entry| !is_run_path(entry));
    } else {
        let place = entries.iter().position(is_run_path).unwrap_or(entries.len());
        entries.retain(|entry| !is_run_path(entry));
        entries.insert(place, (kind.tag(), 0));
        let room = dynamic.file_size / image.dynamic_entry_size();
        // One NULL entry ends the section; linkers leave some more, and where they do not the section has to move.
        let needed = entries.len() as u64 + 1;
        let larger = (needed > room).then(|| (needed + 4) * image.dynamic_entry_size());
        entries[place].1 = add_string(image, run_path, larger, &mut entries)?;
    }
    if entries == before {
        return Ok(false);
    }
    let dynamic = *room::dynamic(&image.segments()?)?;
    image.set_dynamic(&dynamic, &entries)?;
    Ok(true)
}

/// Puts a string into the string table, unless it is there, and moves the dynamic section when it needs a larger place.
/// Gives the string's offset.
fn add_string(image: &mut Image, text: &str, larger: Option<u64>, entries: &mut [(u64, u64)]) -> Result<u64, Problem> {
    let text = [text.as_bytes(), b"\0"].concat();
    let mut strings = strings(image, &image.segments()?, entries)?.to_vec();
    let found = memchr::memmem::find(&strings, &text);
    let at = found.unwrap_or(strings.len()) as u64;
    if larger.is_none() && (found.is_some() || room::extend(image, &text, entries)?) {
        return Ok(at);
    }
    if found.is_none() {
        strings.extend_from_slice(&text);
    }
    room::append(image, &Addition { dynamic: larger, strings }, entries)?;
    Ok(at)
}

/// The string table, by the address that the dynamic section gives.
fn strings<'a>(image: &'a Image, segments: &[Segment], entries: &[(u64, u64)]) -> Result<&'a [u8], Problem> {
    let (address, size) = (room::value(entries, tag::STRTAB)?, room::value(entries, tag::STRSZ)?);
    let loaded = segments
        .iter()
        .find(|it| it.kind == segment::LOAD && it.address <= address && address - it.address < it.file_size);
    let loaded = loaded.ok_or(Problem::Malformed("its string table is not loaded"))?;
    let at = usize_of(loaded.offset.saturating_add(address - loaded.address))?;
    let end = at.saturating_add(usize_of(size)?);
    image.bytes.get(at..end).ok_or(Problem::Malformed("its string table is out of range"))
}

/// Writes the file beside its place, with its mode, and renames it.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let mode = path.metadata().map_err(|error| FsError::new("look at", path, error))?.permissions().mode();
    let scratch = Scratch::inside(path.parent().unwrap_or(Path::new("/")))?;
    let beside: PathBuf = scratch.path().join("elf");
    std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(mode & 0o7777)))
        .map_err(|error| FsError::new("write", path, error))?;
    fs::rename(&beside, path)
}
