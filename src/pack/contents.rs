//! Decides what the archive holds: the staging prefix, its relocation list, clean records, and envbuild's scripts.

use std::{
    collections::BTreeSet,
    fs::File as OsFile,
    io::{self, Read as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::{
    bytecode,
    entries::{self, Content, Entries, Entry, File},
    error::PackError,
    records::{self, Changes},
    relocation::{self, Header, Relocation},
    rewrite::Mode,
    scan::{Findings, Needles},
    scripts::Scripts,
    shebang,
};
use crate::base::{FsError, fs};

/// Everything that the archive holds.
///
/// # Errors
/// When the staging prefix cannot be packed or read.
pub(super) fn of(staging: &Path, scripts: &Scripts<'_>, platform: &str) -> Result<Entries, PackError> {
    let mut entries = entries::list(staging)?;
    add_scripts(&mut entries, scripts)?;
    quote_interpreters(&mut entries, scripts.placeholder)?;

    let spellings = spellings(staging);
    let needles = Needles::new(scripts.placeholder.as_bytes(), &spellings);
    let mut relocation = Relocation::default();
    let mut machine = BTreeSet::new();
    // Records are looked at after they were cleaned, which needs the findings of all other files.
    look(&entries, &needles, |name| !records::is_record(name), &mut relocation, &mut machine)?;
    let left_out = bytecode::settle(&mut entries, &relocation)?.into_iter().collect();
    clean_records(&mut entries, &Changed { relocation: &relocation, left_out: &left_out })?;
    look(&entries, &needles, records::is_record, &mut relocation, &mut machine)?;
    machine.retain(|name| !left_out.contains(name));
    if let Some(first) = machine.first() {
        let first = PathBuf::from(std::ffi::OsStr::from_bytes(first));
        return Err(PackError::MachinePath { staging: staging.to_owned(), first, count: machine.len() });
    }

    let header = Header {
        format: relocation::FORMAT,
        placeholder: scripts.placeholder.to_owned(),
        name: scripts.name.to_owned(),
        platform: platform.to_owned(),
    };
    let mut header = serde_json::to_vec_pretty(&header).expect("strings and numbers are always JSON");
    header.push(b'\n');
    entries.insert(relocation::FOLDER.into(), Entry::Folder);
    for (name, bytes) in [
        (relocation::HEADER, header),
        (relocation::TEXT, relocation.files_in(Mode::Text)),
        (relocation::BINARY, relocation.files_in(Mode::Binary)),
        (relocation::LINKS, relocation.links_list()),
    ] {
        entries.insert(name.into(), Entry::made(bytes, false));
    }
    Ok(entries)
}

/// Conda takes a folder with a history for an environment; an empty one has no dates. `conda-unpack` is always ours, the
/// other two yield to an environment that ships conda itself.
fn add_scripts(entries: &mut Entries, scripts: &Scripts<'_>) -> Result<(), PackError> {
    for folder in ["bin", "conda-meta"] {
        if *entries.entry(folder.into()).or_insert(Entry::Folder) != Entry::Folder {
            return Err(PackError::FileType { path: folder.into(), what: "not a folder" });
        }
    }
    entries.insert(b"conda-meta/history".to_vec(), Entry::made(Vec::new(), false));
    entries.insert(b"bin/conda-unpack".to_vec(), Entry::made(scripts.conda_unpack().into(), true));
    let theirs = ["bin/activate", "bin/deactivate"].iter().any(|name| entries.contains_key(name.as_bytes()));
    if !theirs {
        entries.insert(b"bin/activate".to_vec(), Entry::made(scripts.activate().into(), false));
        entries.insert(b"bin/deactivate".to_vec(), Entry::made(scripts.deactivate().into(), false));
    }
    Ok(())
}

/// See [`shebang`].
fn quote_interpreters(entries: &mut Entries, placeholder: &str) -> Result<(), PackError> {
    let placeholder = placeholder.as_bytes();
    for entry in entries.values_mut() {
        let Entry::File(File { content, executable: true, .. }) = entry else { continue };
        let Content::Staged { path, .. } = &*content else { continue };
        let mut beginning = Vec::new();
        OsFile::open(path)
            .and_then(|file| file.take(shebang::beginning(placeholder) as u64).read_to_end(&mut beginning))
            .map_err(|error| FsError::new("read", path, error))?;
        if shebang::may_need_quotes(&beginning, placeholder)
            && let Some(quoted) = shebang::quoted(&fs::read(path)?, placeholder)
        {
            *content = Content::Made(quoted);
        }
    }
    Ok(())
}

/// Looks through the files and links that `which` selects, in parallel, and notes what they hold.
fn look(
    entries: &Entries,
    needles: &Needles<'_>,
    which: impl Fn(&[u8]) -> bool,
    relocation: &mut Relocation,
    machine: &mut BTreeSet<Vec<u8>>,
) -> Result<(), PackError> {
    let selected: Vec<(&Vec<u8>, &Entry)> = entries.iter().filter(|(name, _)| which(name)).collect();
    let found: Vec<Findings> = selected
        .par_iter()
        .map(|(name, entry)| {
            findings(entry, needles)
                .map_err(|error| FsError::new("read", String::from_utf8_lossy(name).into_owned(), error))
        })
        .collect::<Result<_, FsError>>()?;
    for ((name, entry), Findings { placeholder, nul, staging }) in selected.into_iter().zip(found) {
        if staging {
            machine.insert(name.clone());
        }
        // The script searches for the placeholder and must go on to do so.
        if !placeholder || bytecode::is_bytecode(name) || name == b"bin/conda-unpack" {
            continue;
        }
        if let Entry::Link(target) = entry {
            relocation.links.insert(name.clone(), target.clone());
        } else {
            relocation.files.insert(name.clone(), if nul { Mode::Binary } else { Mode::Text });
        }
    }
    Ok(())
}

fn findings(entry: &Entry, needles: &Needles<'_>) -> io::Result<Findings> {
    match entry {
        Entry::Folder => Ok(Findings::default()),
        Entry::Link(target) => needles.look(target.as_slice()),
        Entry::File(File { content: Content::Made(bytes), .. }) => needles.look(bytes.as_slice()),
        Entry::File(File { content: Content::Staged { path, .. }, .. }) => needles.look(OsFile::open(path)?),
    }
}

struct Changed<'a> {
    relocation: &'a Relocation,
    left_out: &'a BTreeSet<Vec<u8>>,
}

impl Changes for Changed<'_> {
    fn relocated(&self, name: &str) -> bool {
        self.relocation.files.contains_key(name.as_bytes())
    }

    fn left_out(&self, name: &str) -> bool {
        self.left_out.contains(name.as_bytes())
    }
}

fn clean_records(entries: &mut Entries, changes: &Changed<'_>) -> Result<(), PackError> {
    for (name, entry) in entries.iter_mut().filter(|(name, _)| records::is_record(name)) {
        let Entry::File(File { content, .. }) = entry else { continue };
        let Content::Staged { path, .. } = &*content else { continue };
        let clean = records::sanitised(&fs::read(path)?, changes)
            .map_err(|reason| PackError::Record { path: PathBuf::from(std::ffi::OsStr::from_bytes(name)), reason })?;
        *content = Content::Made(clean);
    }
    Ok(())
}

/// The ways in which a program that ran in the staging prefix may have written its path. Short ones occur by chance.
fn spellings(staging: &Path) -> Vec<Vec<u8>> {
    let absolute = std::path::absolute(staging).ok();
    let canonical = staging.canonicalize().ok();
    let paths: BTreeSet<Vec<u8>> = [absolute, canonical]
        .into_iter()
        .flatten()
        .map(|path| path.components().collect::<PathBuf>().as_os_str().as_bytes().to_vec())
        .filter(|path| path.len() >= 8)
        .collect();
    paths.into_iter().collect()
}
