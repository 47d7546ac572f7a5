//! Good archives in every format, cut short at every byte.

use std::{
    fs::{self, File},
    io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use rayon::prelude::{ParallelIterator as _, ParallelSlice as _};

use super::{Machine, UnpackError, UnpackRequest, unpack};
use crate::{
    archive::{EPOCH, FileMeta, Format, Options, SELF_EXTRACTING, create},
    base::{Cancel, Digest, Progress},
    pack::tests::contents,
    tree::{
        BINARY, DigestOf, Digests, Entries, Entry, FILES, FOLDER, FORMAT, HEAD, HEADER, Header, LINKS, NEEDS, PLACES,
        Places, Relocation, TEXT, placeholder,
    },
};

/// How many cuts one thread makes before it asks for more.
const CHUNK: usize = 256;

/// A program and a link that name the prefix, and a file that does not. As the update since another tree it is said to hold
/// no more than what is new.
fn small(last: &[u8], since: Option<Digest>) -> Entries {
    let old = placeholder(120);
    let script = format!("#!{old}/bin/sh\n").into_bytes();
    let target = format!("{old}/bin/x").into_bytes();
    let mut entries = Entries::new();
    for folder in ["bin", "conda-meta", FOLDER] {
        entries.insert(folder.into(), Entry::Folder);
    }
    entries.insert(b"bin/x".to_vec(), Entry::made(script, true));
    entries.insert(b"bin/y".to_vec(), Entry::Link(target.clone()));
    entries.insert(b"z".to_vec(), Entry::made(last.to_vec(), false));
    let mut relocation = Relocation::default();
    relocation.places.insert(b"bin/x".to_vec(), Places::Text(vec![2]));
    relocation.links.insert(b"bin/y".to_vec(), target);
    let lists = [
        (NEEDS, b"{}".to_vec()),
        (PLACES, relocation.places_list()),
        (BINARY, Vec::new()),
        (LINKS, relocation.links_list()),
        (TEXT, b"bin/x\0".to_vec()),
    ];
    entries.extend(lists.map(|(name, list)| (name.into(), Entry::made(list, false))));
    let digest = |(name, entry): (&Vec<u8>, &Entry)| {
        let (kind, content) = match entry {
            Entry::Folder => ('D', Vec::new()),
            Entry::Link(target) => ('L', target.clone()),
            Entry::File(file) => {
                let mut content = Vec::new();
                file.content.open().unwrap().read_to_end(&mut content).unwrap();
                (if file.executable { 'X' } else { 'F' }, content)
            }
        };
        (name.clone(), DigestOf { kind, digest: Digest::of(&content), size: content.len() as u64 })
    };
    let digests = Digests(entries.iter().map(digest).collect());
    let list = digests.to_bytes();
    let header = Header {
        format: FORMAT,
        prefix: old.clone(),
        placeholder: old,
        name: None,
        platform: "linux-64".to_owned(),
        holds: digests.counts(),
        tree: Digest::of(&list),
        since,
    };
    entries.insert(FILES.into(), Entry::made(list, false));
    entries.insert(HEADER.into(), Entry::made(header.to_bytes(), false));
    entries
}

/// The bytes of that tree as an archive.
fn archive(format: Format, entries: &Entries) -> Vec<u8> {
    let mut file = tempfile::tempfile().unwrap();
    let out = BufWriter::new(file.try_clone().unwrap());
    let mut sink = create(format, Options { level: None, threads: 1 }, out).unwrap();
    let head = HEAD.map(|name| (name.as_bytes(), &entries[name.as_bytes()]));
    let rest = entries.iter().map(|(name, entry)| (name.as_slice(), entry));
    let rest = rest.filter(|(name, _)| !HEAD.iter().any(|it| it.as_bytes() == *name));
    for (name, entry) in head.into_iter().chain(rest) {
        match entry {
            Entry::Folder => sink.folder(name).unwrap(),
            Entry::Link(target) => sink.link(name, target).unwrap(),
            Entry::File(file) => {
                let meta = FileMeta { executable: file.executable, modified: EPOCH };
                let mut content = file.content.open().unwrap();
                sink.file(name, meta, file.content.size(), &mut content).unwrap();
            }
        }
    }
    sink.finish().unwrap();
    let mut bytes = Vec::new();
    if format == Format::SelfExtracting {
        bytes = [SELF_EXTRACTING, b"600\nexit 1\n"].concat();
        bytes.resize(600, b'\n');
    }
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

fn unpack_at(archive: &Path, prefix: &Path) -> Result<(), UnpackError> {
    const ANY: &Machine = &Machine { platform: None, glibc: None };
    let request =
        UnpackRequest { archive, prefix, machine: ANY, threads: 1, progress: Progress::none(), cancel: &Cancel::new() };
    unpack(&request).map(drop)
}

/// A folder where thousands of files come and go: disks think hard about where to put the next.
fn in_memory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// Cuts an archive at these lengths, the longest first.
fn cut_at(lengths: &[usize], bytes: &[u8], format: Format) {
    let root = in_memory();
    let (cut, place) = (root.path().join("cut"), root.path().join("place"));
    let prefix = place.join("env");
    fs::create_dir(&place).unwrap();
    let mut file = File::create(&cut).unwrap();
    file.write_all(bytes).unwrap();
    unpack_at(&cut, &prefix).unwrap();
    let whole = contents(&prefix);
    fs::remove_dir_all(&prefix).unwrap();
    for length in lengths.iter().rev() {
        file.set_len(*length as u64).unwrap();
        let what = format!("{} of {} bytes of a {}", length, bytes.len(), format.name());
        match unpack_at(&cut, &prefix) {
            Err(UnpackError::Damaged { .. } | UnpackError::NotAnArchive { .. }) => {}
            Err(error) => panic!("{what}: {error}"),
            Ok(()) => {
                assert!(bytes[*length..].iter().all(|byte| *byte == 0), "{what} pass for the whole");
                assert!(contents(&prefix) == whole, "{what} give another tree");
                fs::remove_dir_all(&prefix).unwrap();
            }
        }
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "{what} leave something");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "{what} leave something beside the goal");
    }
}

#[test]
fn an_archive_that_is_cut_at_any_byte_leaves_nothing() {
    let entries = small(b"last\n", None);
    for format in Format::ALL.into_iter().filter(|it| *it != Format::Folder) {
        let bytes = archive(format, &entries);
        let lengths: Vec<usize> = (0..bytes.len()).collect();
        lengths.par_chunks(CHUNK).for_each(|lengths| cut_at(lengths, &bytes, format));
    }
}

/// Cuts the update of a tree at these lengths.
fn cut_update_at(lengths: &[usize], (old, update): (&[u8], &[u8]), format: Format) {
    let root = in_memory();
    let (whole, cut, place) = (root.path().join("whole"), root.path().join("cut"), root.path().join("place"));
    let prefix = place.join("env");
    fs::create_dir(&place).unwrap();
    fs::write(&whole, old).unwrap();
    fs::write(&cut, update).unwrap();
    unpack_at(&whole, &prefix).unwrap();
    let before = contents(&prefix);
    let file = File::options().write(true).open(&cut).unwrap();
    for length in lengths.iter().rev() {
        file.set_len(*length as u64).unwrap();
        let what = format!("{length} of {} bytes of the update as {}", update.len(), format.name());
        let error = unpack_at(&cut, &prefix).unwrap_err();
        let is_known = matches!(error, UnpackError::Damaged { .. } | UnpackError::NotAnArchive { .. });
        assert!(is_known, "{what}: {error}");
        assert!(contents(&prefix) == before, "{what} change the old tree");
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1, "{what} leave something");
    }
    fs::write(&cut, update).unwrap();
    unpack_at(&cut, &prefix).unwrap();
    assert_eq!(fs::read(prefix.join("z")).unwrap(), b"new\n");
}

#[test]
fn an_update_that_is_cut_at_any_byte_leaves_the_old_tree() {
    let old = small(b"old\n", None);
    let Entry::File(list) = &old[FILES.as_bytes()] else { panic!("the list is no file") };
    let mut bytes = Vec::new();
    list.content.open().unwrap().read_to_end(&mut bytes).unwrap();
    let mut new = small(b"new\n", Some(Digest::of(&bytes)));
    new.retain(|name, _| name == b"z" || HEAD.iter().any(|it| it.as_bytes() == name));
    // In a tar archive nothing but zeros may be cut off and leave it whole.
    for format in [Format::TarZst, Format::Zip] {
        let (old, update) = (archive(format, &old), archive(format, &new));
        let lengths: Vec<usize> = (0..update.len()).collect();
        lengths.par_chunks(CHUNK).for_each(|lengths| cut_update_at(lengths, (&old, &update), format));
    }
}
