//! Archives that nobody should trust, and good ones that were cut.

use std::{fs, io::Write as _, path::Path};

use super::{Machine, UnpackError, UnpackRequest, unpack};
use crate::{
    archive::hostile::Forged,
    base::{Cancel, Digest, Progress},
    pack::{
        stage::stage,
        tests::{pack_at, unpack_at},
    },
    tree::{
        BINARY, Counts, DigestOf, Digests, FILES, FOLDER, FORMAT, HEADER, Header, LINKS, NEEDS, PLACES, TEXT,
        placeholder,
    },
};

impl Forged {
    /// The entries with which our archives begin: files that are listed with kind and content, and the list of places.
    fn with_head(self, listed: &[Listed<'_>], places: &[u8]) -> Self {
        let list = list(listed, places);
        self.with_header(&Header { tree: Digest::of(&list), holds: counts(&list), ..header() }, &list, places)
    }

    fn with_header(self, header: &Header, files: &[u8], places: &[u8]) -> Self {
        self.with_lists(&header.to_bytes(), files, places)
    }

    fn with_lists(self, header: &[u8], files: &[u8], places: &[u8]) -> Self {
        self.add(b"conda-meta", b"", folder)
            .add(FOLDER.as_bytes(), b"", folder)
            .add(HEADER.as_bytes(), header, file)
            .add(NEEDS.as_bytes(), b"{}", file)
            .add(FILES.as_bytes(), files, file)
            .add(PLACES.as_bytes(), places, file)
            .add(BINARY.as_bytes(), b"", file)
            .add(LINKS.as_bytes(), b"", file)
            .add(TEXT.as_bytes(), b"", file)
    }
}

/// Kind, name and content or target.
type Listed<'a> = (char, &'a str, &'a [u8]);

fn header() -> Header {
    Header {
        format: FORMAT,
        prefix: placeholder(255),
        placeholder: placeholder(255),
        name: Some("x".into()),
        platform: "linux-64".into(),
        holds: Counts::default(),
        tree: Digest::default(),
        since: None,
    }
}

fn counts(list: &[u8]) -> Counts {
    Digests::parse(list).map(|it| it.counts()).unwrap_or_default()
}

/// A list of digests: of what stands first, and of these.
fn list(listed: &[Listed<'_>], places: &[u8]) -> Vec<u8> {
    let first: [Listed<'_>; 7] = [
        ('D', "conda-meta", b""),
        ('D', FOLDER, b""),
        ('F', NEEDS, b"{}"),
        ('F', PLACES, places),
        ('F', BINARY, b""),
        ('F', LINKS, b""),
        ('F', TEXT, b""),
    ];
    let one = |(kind, name, content): &Listed<'_>| {
        (name.as_bytes().to_vec(), DigestOf { kind: *kind, digest: Digest::of(content), size: content.len() as u64 })
    };
    Digests(first.iter().chain(listed).map(one).collect()).to_bytes()
}

fn file(_: &mut tar::Header) {}

fn folder(header: &mut tar::Header) {
    header.set_entry_type(tar::EntryType::Directory);
}

fn link_outside(header: &mut tar::Header) {
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_link_name("../..").unwrap();
}

fn compress(tar: &[u8], path: &Path) {
    let mut encoder = zstd::Encoder::new(fs::File::create(path).unwrap(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(tar).unwrap();
    encoder.finish().unwrap();
}

/// Unpacks, expects a refusal and nothing left on disk, and gives the error.
fn refusal(tar: &[u8]) -> UnpackError {
    let root = tempfile::tempdir().unwrap();
    let archive = root.path().join("x.tar.zst");
    compress(tar, &archive);
    let place = root.path().join("place");
    fs::create_dir(&place).unwrap();
    let error = unpack_at(&archive, &place.join("env")).unwrap_err();
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "{error}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2, "{error}");
    error
}

#[test]
fn entries_that_reach_outside_are_refused() {
    let with = |listed: &[Listed<'_>]| Forged::new().with_head(listed, b"");
    let out: Listed<'_> = ('L', "out", b"../..");
    let cases: [(&str, Forged); 13] = [
        ("absolute", with(&[]).add(b"/tmp/envbuild-evil", b"x", file)),
        ("out of", with(&[]).add(b"../evil", b"x", file)),
        ("out of", with(&[]).add(b"bin/../../evil", b"x", file)),
        (
            "no folder",
            with(&[out, ('F', "out/evil", b"x")]).add(b"out", b"", link_outside).add(b"out/evil", b"x", file),
        ),
        ("no folder", with(&[('F', "f", b"x"), ('F', "f/g", b"x")]).add(b"f", b"x", file).add(b"f/g", b"x", file)),
        ("twice", with(&[out]).add(b"out", b"", link_outside).add(b"out", b"x", file)),
        ("twice", with(&[('F', "a", b"x")]).add(b"a", b"x", file).add(b"./a", b"y", file)),
        ("twice", with(&[]).add(b"conda-meta/envbuild/prefix", b"/x", file)),
        ("twice", with(&[]).add(b"conda-meta/envbuild/prefix.part", b"/x", file)),
        (
            "hard link",
            with(&[]).add(b"hard", b"", |header| {
                header.set_entry_type(tar::EntryType::Link);
                header.set_link_name("/etc/passwd").unwrap();
            }),
        ),
        ("device", with(&[]).add(b"null", b"", |header| header.set_entry_type(tar::EntryType::Char))),
        ("pipe", with(&[]).add(b"pipe", b"", |header| header.set_entry_type(tar::EntryType::Fifo))),
        ("kind", with(&[]).add(b"pax", b"", |header| header.set_entry_type(tar::EntryType::new(b'Q')))),
    ];
    for (expected, forged) in cases {
        let error = refusal(&forged.bytes());
        assert!(matches!(error, UnpackError::Refused { .. }), "{expected}: {error}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
    assert!(!Path::new("/tmp/envbuild-evil").exists());
}

#[test]
fn what_the_list_does_not_say_is_refused() {
    let with = |listed: &[Listed<'_>]| Forged::new().with_head(listed, b"");
    let x: Listed<'_> = ('F', "bin/x", b"content");
    let cases: [(&str, Forged); 12] = [
        ("not there", with(&[x])),
        ("not there", with(&[('D', "empty", b"")])),
        ("not in the", with(&[]).add(b"bin/x", b"content", file)),
        ("not in the", with(&[]).add(b"more", b"", folder)),
        ("not in the", with(&[]).add(b"out", b"", link_outside)),
        ("another kind", with(&[x]).add(b"bin/x", b"content", |header| header.set_mode(0o755))),
        ("another kind", with(&[x]).add(b"bin/x", b"", folder)),
        ("another kind", with(&[x]).add(b"bin/x", b"", link_outside)),
        ("another kind", with(&[('L', "a", b"b"), ('F', "a/c", b"x")]).add(b"a/c", b"x", file)),
        ("another size", with(&[x]).add(b"bin/x", b"content ", file)),
        ("another size", with(&[x]).add(b"bin/x", b"", file)),
        // Four terabytes of zeros are not even begun.
        (
            "another size",
            with(&[x]).add(b"bin/x", b"content", |header| {
                header.set_size(1 << 42);
            }),
        ),
    ];
    for (expected, forged) in cases {
        let error = refusal(&forged.bytes());
        assert!(matches!(error, UnpackError::Refused { .. }), "{expected}: {error}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
    for (what, forged) in [
        ("digest", with(&[x]).add(b"bin/x", b"CONTENT", file)),
        ("digest", with(&[('L', "out", b"elsewhere")]).add(b"out", b"", link_outside)),
    ] {
        let error = refusal(&forged.bytes());
        let UnpackError::Damaged { source, .. } = error else { panic!("{what}: {error}") };
        assert!(source.to_string().contains(what), "{source}");
    }
}

#[test]
fn counts_that_lie_and_trees_without_room_are_refused() {
    let files = list(&[], b"");
    let told = counts(&files);
    for holds in [Counts { bytes: told.bytes + 1, ..told }, Counts { entries: 0, ..told }] {
        let header = Header { tree: Digest::of(&files), holds, ..header() };
        let error = refusal(&Forged::new().with_header(&header, &files, b"").bytes());
        assert!(matches!(error, UnpackError::NotAnArchive { .. }), "{error}");
    }
    let huge = DigestOf { kind: 'F', digest: Digest::of(""), size: 1 << 60 };
    let mut all = Digests::parse(&list(&[], b"")).unwrap();
    all.0.insert(b"huge".to_vec(), huge);
    let files = all.to_bytes();
    let header = Header { tree: Digest::of(&files), holds: all.counts(), ..header() };
    let error = refusal(&Forged::new().with_header(&header, &files, b"").bytes());
    assert!(matches!(error, UnpackError::NoRoom { .. }), "{error}");
}

#[test]
fn environments_for_other_machines_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let archive = root.path().join("x.tar.zst");
    compress(&Forged::new().with_head(&[], b"").bytes(), &archive);
    let prefix = root.path().join("env");
    let mut machine = Machine { platform: Some("linux-aarch64".into()), glibc: None };
    let cancel = Cancel::new();
    let unpack_on = |machine: &Machine| {
        let progress = Progress::none();
        unpack(&UnpackRequest { archive: &archive, prefix: &prefix, machine, threads: 2, progress, cancel: &cancel })
    };
    let error = unpack_on(&machine).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the environment in `{}` cannot run on this machine: it is for linux-64, and this machine is linux-aarch64",
            archive.display()
        )
    );
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    machine.platform = Some("linux-64".into());
    unpack_on(&machine).unwrap();
}

#[test]
fn archives_of_others_are_refused() {
    let later = format!(r#"{{"format": {}, "more": true}}"#, FORMAT + 1);
    let head = |json: &[u8]| Forged::new().with_lists(json, b"", b"").bytes();
    let a: Listed<'_> = ('F', "a", &[b'x'; 300]);
    let error = refusal(&head(later.as_bytes()));
    assert!(matches!(error, UnpackError::Format { found, known: FORMAT, .. } if found == FORMAT + 1), "{error}");
    for tar in [
        head(b"{}"),
        head(b"["),
        Forged::new().with_header(&Header { tree: Digest::of(b"no NUL"), ..header() }, b"no NUL", b"").bytes(),
        Forged::new().with_head(&[a], b"t0 no-NUL").bytes(),
        Forged::new().with_head(&[a], b"t0 unknown\0").bytes(),
        Forged::new().with_head(&[a], b"t46 a\0").bytes(),
        Forged::new().with_head(&[a], b"t0 a\0t0 a\0").bytes(),
        Forged::new().add(b"bin/x", b"x", file).bytes(),
        Forged::new().bytes(),
        Vec::new(),
        b"not a tar archive".to_vec(),
    ] {
        let error = refusal(&tar);
        assert!(matches!(error, UnpackError::NotAnArchive { .. }), "{error}");
    }
    let root = tempfile::tempdir().unwrap();
    let plain = root.path().join("plain");
    fs::write(&plain, "not even compressed").unwrap();
    let error = unpack_at(&plain, &root.path().join("env")).unwrap_err();
    assert!(matches!(error, UnpackError::NotAnArchive { .. }), "{error}");
    let error = unpack_at(&root.path().join("absent"), &root.path().join("env")).unwrap_err();
    assert!(matches!(error, UnpackError::File(_)), "{error}");
}

#[test]
fn a_mode_of_the_archive_gives_no_more_than_execution() {
    let root = tempfile::tempdir().unwrap();
    let archive = root.path().join("x.tar.zst");
    compress(
        &Forged::new()
            .with_head(&[('X', "tool", b"x")], b"")
            .add(b"tool", b"x", |header| header.set_mode(0o777))
            .bytes(),
        &archive,
    );
    unpack_at(&archive, &root.path().join("env")).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(root.path().join("env/tool")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7022, 0, "{mode:o}");
    assert_eq!(mode & 0o700, 0o700, "{mode:o}");
}

#[test]
fn a_cut_archive_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let old = placeholder(255);
    let whole = root.path().join("whole.tar.zst");
    pack_at(&stage(root.path(), &old), &old, &whole, 1).unwrap();
    let bytes = fs::read(&whole).unwrap();
    let place = root.path().join("place");
    fs::create_dir(&place).unwrap();
    let cut = root.path().join("cut.tar.zst");
    let check = |what: &str| {
        let error = unpack_at(&cut, &place.join("env")).unwrap_err();
        let expected = matches!(error, UnpackError::Damaged { .. } | UnpackError::NotAnArchive { .. });
        assert!(expected, "{what}: {error}");
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "{what}: {error}");
    };
    let step = bytes.len() / 40;
    for length in (0..bytes.len()).step_by(step).chain([bytes.len() - 1, bytes.len() - 4, 1, 5]) {
        fs::write(&cut, &bytes[..length]).unwrap();
        check(&format!("{length} bytes"));
    }
    // One flipped bit is noticed too, at the latest by the checksum.
    for at in (20..bytes.len()).step_by(step) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        fs::write(&cut, flipped).unwrap();
        if let Err(error) = unpack_at(&cut, &place.join("env")) {
            assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "{error}");
        } else {
            panic!("a flipped bit at {at} passed");
        }
    }
    // Cut before it was compressed: the stream is whole and the archive is not.
    let mut tar = zstd::decode_all(bytes.as_slice()).unwrap();
    let content = tar.iter().rposition(|byte| *byte != 0).unwrap();
    tar.truncate((content / 512 + 3) * 512);
    for length in (0..tar.len() / 512).step_by(tar.len() / 512 / 40).chain([tar.len() / 512 - 1]) {
        for extra in [0, 100] {
            compress(&tar[..length * 512 + extra], &cut);
            check(&format!("{length} blocks and {extra} bytes"));
        }
    }
}

#[test]
fn nothing_is_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let archive = root.path().join("x.tar.zst");
    compress(&Forged::new().with_head(&[], b"").bytes(), &archive);
    let full = root.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("x"), "").unwrap();
    std::os::unix::fs::symlink(root.path().join("empty"), root.path().join("link")).unwrap();
    for place in ["full", "full/x", "link", ".", "full/.."] {
        let error = unpack_at(&archive, &root.path().join(place)).unwrap_err();
        assert!(matches!(error, UnpackError::Occupied(_)), "{place}: {error}");
    }
    let inside = root.path().join("full/../deep/er/env/");
    unpack_at(&archive, &inside).unwrap();
    let marker = fs::read_to_string(root.path().join("deep/er/env/conda-meta/envbuild/prefix")).unwrap();
    assert_eq!(marker, format!("{}\n", root.path().canonicalize().unwrap().join("deep/er/env").display()));
}
