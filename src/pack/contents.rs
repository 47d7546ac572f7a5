//! Decides what the archive holds: the tree, clean records, envbuild's scripts, and what says where the prefix stands.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
};

use super::{
    bytecode,
    error::PackError,
    records::{self, Changes},
    request::Prepared,
    scripts::Scripts,
    shebang,
};
use crate::{
    base::Digest,
    conda::is_record,
    tree::{
        self, BINARY, COUNTS, Content, DigestOf, Digests, Entries, Entry, FILES, FOLDER, FORMAT, File, HEADER, Header,
        LINKS, Look, Mode, NEEDS, Needles, PLACES, Relocation, TEXT, TreeError,
    },
};

/// What is added to a tree.
pub(super) struct Additions<'a> {
    pub(super) scripts: Scripts<'a>,
    /// The environment's name, if it has one.
    pub(super) name: Option<&'a str>,
    pub(super) platform: &'a str,
    /// What an archive is for, if it is for one path only.
    pub(super) prefix: Option<&'a str>,
    /// The paths that no file may name.
    pub(super) foreign: &'a [PathBuf],
    /// Folders whose channels have no place that says anything elsewhere.
    pub(super) own: &'a [PathBuf],
    pub(super) needs: &'a [u8],
    pub(super) more: &'a [(String, Vec<u8>)],
}

/// Everything that the archive holds, and the digests of it all.
///
/// # Errors
/// When the tree cannot be packed or read.
pub(super) fn complete(mut entries: Entries, add: &Additions<'_>) -> Result<Prepared, PackError> {
    let scripts = &add.scripts;
    add_scripts(&mut entries, scripts)?;
    quote_interpreters(&mut entries, scripts.placeholder)?;

    let spellings = spellings(add.foreign);
    let needles = Needles::new(scripts.placeholder.as_bytes(), &spellings);
    // Records are looked at after they were cleaned, which needs what is known of all other files.
    let mut looks = tree::look(&entries, &needles, |name| !is_record(name))?;
    let mut relocation = Relocation::default();
    note(&entries, &looks, &mut relocation);
    let left_out = bytecode::settle(&mut entries, &relocation)?.into_iter().collect();
    clean_records(&mut entries, &Changed { relocation: &relocation, left_out: &left_out }, add.own)?;
    looks.extend(tree::look(&entries, &needles, is_record)?);
    looks.retain(|name, _| !left_out.contains(name));
    note(&entries, &looks, &mut relocation);
    let machine: Vec<&Vec<u8>> = looks.iter().filter(|(_, look)| look.other).map(|(name, _)| name).collect();
    if let Some(first) = machine.first() {
        let first = PathBuf::from(std::ffi::OsStr::from_bytes(first));
        let foreign = add.foreign.first().cloned().unwrap_or_default();
        return Err(PackError::MachinePath { foreign, first, count: machine.len() });
    }

    let mut ours: Vec<(String, Vec<u8>)> = vec![
        (NEEDS.to_owned(), add.needs.to_vec()),
        (TEXT.to_owned(), relocation.files_in(Mode::Text)),
        (BINARY.to_owned(), relocation.files_in(Mode::Binary)),
        (LINKS.to_owned(), relocation.links_list()),
        (PLACES.to_owned(), relocation.places_list()),
        (COUNTS.to_owned(), relocation.counts()),
    ];
    ours.extend(add.more.iter().map(|(name, bytes)| (format!("{FOLDER}/{name}"), bytes.clone())));
    entries.insert(FOLDER.into(), Entry::Folder);
    for (name, bytes) in ours {
        let look = Look { digest: Digest::of(&bytes), size: bytes.len() as u64, ..Look::default() };
        looks.insert(name.clone().into_bytes(), look);
        entries.insert(name.into_bytes(), Entry::made(bytes, false));
    }
    let digests = digests(&entries, &looks);
    let list = digests.to_bytes();
    let tree = Digest::of(&list);
    let header = Header {
        format: FORMAT,
        placeholder: scripts.placeholder.to_owned(),
        prefix: add.prefix.unwrap_or(scripts.placeholder).to_owned(),
        name: add.name.map(str::to_owned),
        platform: add.platform.to_owned(),
        holds: digests.counts(),
        tree,
        since: None,
    };
    entries.insert(FILES.into(), Entry::made(list, false));
    entries.insert(HEADER.into(), Entry::made(header.to_bytes(), false));
    if let Some(prefix) = add.prefix {
        settle_in(&mut entries, &relocation, scripts.placeholder, prefix);
    }
    Ok(Prepared { entries, digests, tree })
}

/// Reads what has no other prefix in it than on disk, and notes what is seen: whoever asks later what the files hold, as
/// [`pack()`](super::pack()) with the same placeholder and folders, need not read them again.
///
/// # Errors
/// When a file cannot be read, or changed meanwhile.
pub fn see(entries: &mut Entries, placeholder: &str, foreign: &[PathBuf]) -> Result<(), PackError> {
    Ok(tree::see(entries, &Needles::new(placeholder.as_bytes(), &spellings(foreign)))?)
}

/// Notes where the placeholder stands. Not in bytecode, whose strings carry their length: Python corrects the path inside
/// when it imports the module. Nor in `conda-unpack`, which searches for it and must go on to do so.
fn note(entries: &Entries, looks: &BTreeMap<Vec<u8>, Look>, relocation: &mut Relocation) {
    for (name, look) in looks {
        let Some(places) = &look.places else { continue };
        match entries.get(name) {
            Some(Entry::Link(target)) => {
                relocation.links.insert(name.clone(), target.clone());
            }
            Some(Entry::File(_)) if !bytecode::is_bytecode(name) && name != b"bin/conda-unpack" => {
                relocation.places.insert(name.clone(), places.clone());
            }
            _ => {}
        }
    }
}

fn digests(entries: &Entries, looks: &BTreeMap<Vec<u8>, Look>) -> Digests {
    let one = |(name, entry): (&Vec<u8>, &Entry)| {
        let kind = match entry {
            Entry::Folder => 'D',
            Entry::Link(_) => 'L',
            Entry::File(File { executable: true, .. }) => 'X',
            Entry::File(_) => 'F',
        };
        let (digest, size) = looks.get(name).map_or((Digest::of(""), 0), |look| (look.digest, look.size));
        (name.clone(), DigestOf { kind, digest, size })
    };
    Digests(entries.iter().map(one).collect())
}

/// Writes the path for which an archive is made into everything that holds the placeholder, and the marker that says so.
fn settle_in(entries: &mut Entries, relocation: &Relocation, placeholder: &str, prefix: &str) {
    for (name, places) in &relocation.places {
        if let Some(Entry::File(file)) = entries.get_mut(name) {
            let content = std::mem::replace(&mut file.content, Content::Made(Vec::new()));
            file.content =
                content.spliced(places.splices(placeholder.len(), placeholder.as_bytes(), prefix.as_bytes()));
        }
    }
    for name in relocation.links.keys() {
        if let Some(Entry::Link(target)) = entries.get_mut(name) {
            *target = tree::with_prefix(target, placeholder.as_bytes(), prefix.as_bytes());
        }
    }
    entries.insert(tree::MARKER.into(), Entry::made(format!("{prefix}\n").into_bytes(), false));
}

/// Conda takes a folder with a history for an environment; an empty one has no dates. `conda-unpack` is always ours, the
/// other two yield to an environment that ships conda itself.
fn add_scripts(entries: &mut Entries, scripts: &Scripts<'_>) -> Result<(), PackError> {
    for folder in ["bin", "conda-meta"] {
        if *entries.entry(folder.into()).or_insert(Entry::Folder) != Entry::Folder {
            return Err(TreeError::FileType { path: folder.into(), what: "not a folder" }.into());
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
        if content.seen().is_some_and(|it| !it.beginning().starts_with(b"#!")) {
            continue;
        }
        let mut beginning = Vec::new();
        let mut reader = content.open()?;
        let length = shebang::beginning(placeholder) as u64;
        reader.by_ref().take(length).read_to_end(&mut beginning).map_err(|error| content.fault(error))?;
        if shebang::may_need_quotes(&beginning, placeholder) {
            reader.read_to_end(&mut beginning).map_err(|error| content.fault(error))?;
            if let Some(quoted) = shebang::quoted(&beginning, placeholder) {
                *content = Content::Made(quoted);
            }
        }
    }
    Ok(())
}

struct Changed<'a> {
    relocation: &'a Relocation,
    left_out: &'a BTreeSet<Vec<u8>>,
}

impl Changes for Changed<'_> {
    fn relocated(&self, name: &str) -> bool {
        self.relocation.places.contains_key(name.as_bytes())
    }

    fn left_out(&self, name: &str) -> bool {
        self.left_out.contains(name.as_bytes())
    }
}

fn clean_records(entries: &mut Entries, changes: &Changed<'_>, own: &[PathBuf]) -> Result<(), PackError> {
    for (name, entry) in entries.iter_mut().filter(|(name, _)| is_record(name)) {
        let Entry::File(File { content, .. }) = entry else { continue };
        let mut record = Vec::new();
        content.open()?.read_to_end(&mut record).map_err(|error| content.fault(error))?;
        let clean = records::sanitised(&record, changes, own)
            .map_err(|reason| PackError::Record { path: PathBuf::from(std::ffi::OsStr::from_bytes(name)), reason })?;
        *content = Content::Made(clean);
    }
    Ok(())
}

/// The ways in which a program may have written a path of this machine. Short ones occur by chance.
fn spellings(foreign: &[PathBuf]) -> Vec<Vec<u8>> {
    let spell = |path: &PathBuf| [std::path::absolute(path).ok(), path.canonicalize().ok()];
    let paths: BTreeSet<Vec<u8>> = foreign
        .iter()
        .flat_map(spell)
        .flatten()
        .map(|path| path.components().collect::<PathBuf>().as_os_str().as_bytes().to_vec())
        .filter(|path| path.len() >= 8)
        .collect();
    paths.into_iter().collect()
}
