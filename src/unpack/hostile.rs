//! Archives that nobody should trust, and good ones that were cut.

use std::{fs, io::Write as _, path::Path};

use super::UnpackError;
use crate::{
    base::Digest,
    pack::{
        stage::stage,
        tests::{pack_at, unpack_at},
    },
    tree::{BINARY, Counts, FILES, FOLDER, FORMAT, HEADER, Header, LINKS, NEEDS, PLACES, TEXT, placeholder},
};

type Change = fn(&mut tar::Header);

/// A tar archive made by hand, entry by entry.
struct Forged(tar::Builder<Vec<u8>>);

impl Forged {
    fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    fn add(mut self, name: &[u8], content: &[u8], change: Change) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        change(&mut header);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    /// The entries with which our archives begin, and two of the lists in it.
    fn with_head(self, files: &[u8], places: &[u8]) -> Self {
        let placeholder = placeholder(255);
        let header = Header {
            format: FORMAT,
            prefix: placeholder.clone(),
            placeholder,
            name: "x".into(),
            platform: "linux-64".into(),
            holds: Counts::default(),
            tree: Digest::of(files),
        };
        self.with_lists(&serde_json::to_vec(&header).unwrap(), files, places)
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

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// A list of digests with one file of 300 bytes.
fn listed(name: &str) -> Vec<u8> {
    format!("F{}:300 {name}\0", Digest::of("")).into_bytes()
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
    let cases: [(&str, Forged); 13] = [
        ("absolute", Forged::new().with_head(b"", b"").add(b"/tmp/envbuild-evil", b"x", file)),
        ("out of", Forged::new().with_head(b"", b"").add(b"../evil", b"x", file)),
        ("out of", Forged::new().with_head(b"", b"").add(b"bin/../../evil", b"x", file)),
        ("no folder", Forged::new().with_head(b"", b"").add(b"out", b"", link_outside).add(b"out/evil", b"x", file)),
        ("no folder", Forged::new().with_head(b"", b"").add(b"f", b"x", file).add(b"f/g", b"x", file)),
        ("twice", Forged::new().with_head(b"", b"").add(b"out", b"", link_outside).add(b"out", b"x", file)),
        ("twice", Forged::new().with_head(b"", b"").add(b"a", b"x", file).add(b"./a", b"y", file)),
        ("twice", Forged::new().with_head(b"", b"").add(b"conda-meta/envbuild/prefix", b"/x", file)),
        (
            "hard link",
            Forged::new().with_head(b"", b"").add(b"hard", b"", |header| {
                header.set_entry_type(tar::EntryType::Link);
                header.set_link_name("/etc/passwd").unwrap();
            }),
        ),
        (
            "device",
            Forged::new().with_head(b"", b"").add(b"null", b"", |header| header.set_entry_type(tar::EntryType::Char)),
        ),
        (
            "pipe",
            Forged::new().with_head(b"", b"").add(b"pipe", b"", |header| header.set_entry_type(tar::EntryType::Fifo)),
        ),
        (
            "kind",
            Forged::new().with_head(b"", b"").add(b"pax", b"", |header| header.set_entry_type(tar::EntryType::XHeader)),
        ),
        ("listed", Forged::new().with_head(&listed("bin/not-there"), b"t0 bin/not-there\0")),
    ];
    for (expected, forged) in cases {
        let error = refusal(&forged.bytes());
        assert!(matches!(error, UnpackError::Refused { .. }), "{expected}: {error}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
    assert!(!Path::new("/tmp/envbuild-evil").exists());
}

#[test]
fn archives_of_others_are_refused() {
    let later = format!(r#"{{"format": {}, "more": true}}"#, FORMAT + 1);
    let head = |json: &[u8]| Forged::new().with_lists(json, b"", b"").bytes();
    let error = refusal(&head(later.as_bytes()));
    assert!(matches!(error, UnpackError::Format { found, known: FORMAT, .. } if found == FORMAT + 1), "{error}");
    for tar in [
        head(b"{}"),
        head(b"["),
        Forged::new().with_head(b"no NUL at the end", b"").bytes(),
        Forged::new().with_head(&listed("a"), b"t0 no-NUL").bytes(),
        Forged::new().with_head(&listed("a"), b"t0 unknown\0").bytes(),
        Forged::new().with_head(&listed("a"), b"t46 a\0").bytes(),
        Forged::new().with_head(&listed("a"), b"t0 a\0t0 a\0").bytes(),
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
    compress(&Forged::new().with_head(b"", b"").add(b"tool", b"x", |header| header.set_mode(0o7777)).bytes(), &archive);
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
    compress(&Forged::new().with_head(b"", b"").bytes(), &archive);
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
