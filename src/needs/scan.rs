//! Looks at the files of a tree, in parallel.

use std::{
    io::Read as _,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::{
    error::NeedsError,
    gather::Gathered,
    model::Needs,
    record::{Record, is_ledger},
    wheel::{self, Wheel},
};
use crate::{
    base::{FsError, fs},
    conda::is_record,
    elf::{self, Demands, ElfError, Pieces},
    ledger::Ledger,
    tree::{Content, Entries, Entry},
};

/// Where the bytes of a file are.
#[derive(Debug, Clone)]
pub enum Source {
    /// In a file.
    Disk(PathBuf),
    /// Here.
    Made(Vec<u8>),
}

/// What one file has to say.
#[derive(Debug)]
pub(super) enum Told {
    Nothing,
    Elf(Box<Demands>),
    /// It begins as an ELF file and contradicts itself.
    Damaged,
    Record(Record),
    Ledger(Ledger),
    Wheel(Wheel),
}

/// Folders of a conda installation that hold other environments and packages that are not installed.
const OTHERS: [&[u8]; 3] = [b"conda-bld", b"envs", b"pkgs"];

/// What the environment in a folder needs. Its links are not followed; what is neither file, folder nor link is passed over.
///
/// # Errors
/// When a file cannot be read, or a record or a ledger is damaged.
pub fn of_folder(prefix: &Path) -> Result<Needs, NeedsError> {
    let (mut files, mut links) = (Vec::new(), Vec::new());
    let mut folders = vec![(prefix.to_owned(), Vec::new())];
    while let Some((folder, name)) = folders.pop() {
        let fail = |error| FsError::new("list", &folder, error);
        for entry in std::fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let mut child: Vec<u8> = name.clone();
            if !child.is_empty() {
                child.push(b'/');
            }
            child.extend_from_slice(entry.file_name().as_bytes());
            let kind = entry.file_type().map_err(fail)?;
            if kind.is_dir() && !OTHERS.contains(&child.as_slice()) {
                folders.push((entry.path(), child));
            } else if kind.is_file() {
                files.push((child, Source::Disk(entry.path())));
            } else if kind.is_symlink() {
                let target = std::fs::read_link(entry.path()).map_err(fail)?;
                links.push((child, target.into_os_string().into_vec()));
            }
        }
    }
    of_files(&files, links)
}

/// What a tree of these files and symbolic links needs: names relative to the prefix with where the bytes are, and names
/// with targets. Where the prefix stands in a file does not matter, and packages' records and ledgers have to be among them.
///
/// # Errors
/// As for [`of_folder`].
pub fn of_files(files: &[(Vec<u8>, Source)], links: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Needs, NeedsError> {
    let told: Vec<Told> = files.par_iter().map(|(name, source)| ask(name, source)).collect::<Result<_, _>>()?;
    let mut gathered = Gathered::default();
    gathered.links = links;
    for ((name, _), told) in files.iter().zip(told) {
        gathered.add(name, told);
    }
    Ok(gathered.needs())
}

/// What a tree that is ready to be written needs.
///
/// # Errors
/// As for [`of_folder`].
pub fn of_entries(entries: &Entries) -> Result<Needs, NeedsError> {
    let told: Vec<Option<Told>> = entries
        .par_iter()
        .map(|(name, entry)| match entry {
            Entry::File(file) => ask_content(name, &file.content).map(Some),
            Entry::Folder | Entry::Link(_) => Ok(None),
        })
        .collect::<Result<_, _>>()?;
    let mut gathered = Gathered::default();
    for ((name, entry), told) in entries.iter().zip(told) {
        match (entry, told) {
            (Entry::Link(target), _) => gathered.links.push((name.clone(), target.clone())),
            (_, Some(told)) => gathered.add(name, told),
            _ => {}
        }
    }
    Ok(gathered.needs())
}

/// Another prefix in a file leaves its headers where they are, so an ELF file is looked at where it comes from.
fn ask_content(name: &[u8], content: &Content) -> Result<Told, NeedsError> {
    if is_text(name) {
        let fail = |error| FsError::new("read", String::from_utf8_lossy(name).into_owned(), error);
        let mut bytes = Vec::new();
        content.open()?.read_to_end(&mut bytes).map_err(fail)?;
        return read(name, &bytes);
    }
    if content.seen().is_some_and(|it| !it.is_elf()) {
        return Ok(Told::Nothing);
    }
    let mut inner = content;
    while let Content::Spliced { inner: next, .. } = inner {
        inner = next;
    }
    match inner {
        Content::Made(bytes) => look(name, &bytes[..]),
        other => other.path().map_or(Ok(Told::Nothing), |path| judged(elf::demands(path))),
    }
}

fn ask(name: &[u8], source: &Source) -> Result<Told, NeedsError> {
    if is_text(name) {
        return match source {
            Source::Disk(path) => read(name, &fs::read(path)?),
            Source::Made(bytes) => read(name, bytes),
        };
    }
    match source {
        Source::Disk(path) => judged(elf::demands(path)),
        Source::Made(bytes) => look(name, &bytes[..]),
    }
}

/// Whether a file is read whole, because it says something of others.
pub(super) fn is_text(name: &[u8]) -> bool {
    is_record(name) || is_ledger(name) || wheel::is_record(name)
}

/// Reads a record, a ledger or a wheel's list of files.
pub(super) fn read(name: &[u8], bytes: &[u8]) -> Result<Told, NeedsError> {
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(name));
    if is_ledger(name) {
        return Ok(Told::Ledger(Ledger::parse(bytes, &path)?));
    }
    if let Some(wheel) = wheel::read(name, bytes) {
        return Ok(Told::Wheel(wheel));
    }
    let record = serde_json::from_slice(bytes);
    Ok(Told::Record(record.map_err(|error| NeedsError::Record { path, reason: error.to_string() })?))
}

/// Looks at what may be an ELF file.
pub(super) fn look<P: Pieces + ?Sized>(name: &[u8], bytes: &P) -> Result<Told, NeedsError> {
    judged(elf::demands_of(bytes, Path::new(std::ffi::OsStr::from_bytes(name))))
}

fn judged(found: Result<Option<Demands>, ElfError>) -> Result<Told, NeedsError> {
    match found {
        Ok(Some(demands)) => Ok(Told::Elf(Box::new(demands))),
        Ok(None) => Ok(Told::Nothing),
        Err(error @ ElfError::File(_)) => Err(error.into()),
        Err(_) => Ok(Told::Damaged),
    }
}
