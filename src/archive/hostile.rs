//! Archives that nobody should trust, made by hand.

use std::io::{Cursor, Write as _};

use super::{
    Fault, Format, Limits, read,
    tests::{PLENTY, file, folder, link, noise, read_all, write},
};

pub(crate) type Change = fn(&mut tar::Header);

/// A tar archive made by hand, entry by entry.
pub(crate) struct Forged(tar::Builder<Vec<u8>>);

impl Forged {
    pub(crate) fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    pub(crate) fn add(mut self, name: &[u8], content: &[u8], change: Change) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        change(&mut header);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn nothing(_: &mut tar::Header) {}

/// Reads everything and gives the error, in every compression.
#[track_caller]
fn refusal(tar: &[u8]) -> String {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(tar).unwrap();
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
    xz.write_all(tar).unwrap();
    let packed = [tar.to_vec(), zstd::encode_all(tar, 1).unwrap(), gzip.finish().unwrap(), xz.finish().unwrap()];
    let errors = packed.map(|bytes| read_all(&bytes, &[], PLENTY).unwrap_err().to_string());
    assert!(errors.iter().all(|it| *it == errors[0]), "{errors:?}");
    errors[0].clone()
}

#[test]
fn tar_entries_that_reach_outside_or_are_no_files_are_refused() {
    let cases: [(&str, Forged); 17] = [
        ("no name", Forged::new().add(b"", b"", nothing)),
        ("absolute", Forged::new().add(b"/tmp/envbuild-evil", b"x", nothing)),
        ("out of", Forged::new().add(b"../evil", b"x", nothing)),
        ("out of", Forged::new().add(b"bin/../../evil", b"x", nothing)),
        ("no file", Forged::new().add(b"./", b"x", nothing)),
        ("hard link", Forged::new().add(b"hard", b"", |it| it.set_entry_type(tar::EntryType::Link))),
        ("device", Forged::new().add(b"null", b"", |it| it.set_entry_type(tar::EntryType::Char))),
        ("device", Forged::new().add(b"disk", b"", |it| it.set_entry_type(tar::EntryType::Block))),
        ("pipe", Forged::new().add(b"pipe", b"", |it| it.set_entry_type(tar::EntryType::Fifo))),
        ("sparse", Forged::new().add(b"holes", b"", |it| it.set_entry_type(tar::EntryType::GNUSparse))),
        ("kind", Forged::new().add(b"what", b"", |it| it.set_entry_type(tar::EntryType::new(b'Z')))),
        ("owner", Forged::new().add(b"su", b"x", |it| it.set_mode(0o4755))),
        ("owner", Forged::new().add(b"sg", b"x", |it| it.set_mode(0o2755))),
        ("to nothing", Forged::new().add(b"link", b"", |it| it.set_entry_type(tar::EntryType::Symlink))),
        ("no file", Forged::new().add(b"link", b"x", |it| it.set_entry_type(tar::EntryType::Directory))),
        ("ends where", Forged::new().add(b"x", b"long name\0", |it| it.set_entry_type(tar::EntryType::GNULongName))),
        ("two names", {
            let long: Change = |it| it.set_entry_type(tar::EntryType::GNULongName);
            Forged::new().add(b"x", b"one\0", long).add(b"x", b"two\0", long)
        }),
    ];
    for (expected, forged) in cases {
        let error = refusal(&forged.bytes());
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn tar_names_of_any_kind_are_looked_at() {
    let long: Change = |it| it.set_entry_type(tar::EntryType::GNULongName);
    let extended: Change = |it| it.set_entry_type(tar::EntryType::XHeader);
    let huge = vec![b'a'; 5000];
    let endless = (0..8).fold(Forged::new(), |forged, _| forged.add(b"x", b"11 path=xx\n", extended));
    let cases = [
        ("out of", Forged::new().add(b"x", b"a/../../b\0", long).add(b"x", b"", nothing)),
        ("NUL", Forged::new().add(b"x", b"a\0b\0", long).add(b"x", b"", nothing)),
        ("too long", Forged::new().add(b"x", &huge, long).add(b"x", b"", nothing)),
        ("too long", Forged::new().add(b"x", &huge[..256], long).add(b"x", b"", nothing)),
        ("absolute", Forged::new().add(b"x", b"11 path=/x\n", extended).add(b"x", b"", nothing)),
        ("understood", Forged::new().add(b"x", b"99 path=/x\n", extended).add(b"x", b"", nothing)),
        ("understood", Forged::new().add(b"x", b"0 path=/x\n", extended).add(b"x", b"", nothing)),
        ("understood", Forged::new().add(b"x", b"18446744073709551616 path=/x\n", extended).add(b"x", b"", nothing)),
        ("sparse", Forged::new().add(b"x", b"22 GNU.sparse.major=1\n", extended).add(b"x", b"", nothing)),
        ("without an entry", endless.add(b"x", b"", nothing)),
    ];
    for (expected, forged) in cases {
        let error = refusal(&forged.bytes());
        assert!(error.contains(expected), "{expected}: {error}");
    }
    // A size in an extended header counts, also against the limits.
    let lies = Forged::new().add(b"x", b"14 size=99999\n", extended).add(b"x", b"", nothing);
    assert!(read_all(&lies.bytes(), &[], PLENTY).is_err());
}

#[test]
fn other_modes_of_a_tar_give_no_more_than_execution() {
    let forged = Forged::new().add(b"tool", b"x", |it| it.set_mode(0o1777)).add(b"d", b"", |it| {
        it.set_entry_type(tar::EntryType::Directory);
        it.set_mode(0o2777);
    });
    let found = read_all(&forged.bytes(), &[], PLENTY).unwrap();
    assert_eq!(found.len(), 2);
}

#[test]
fn nothing_comes_before_or_after() {
    for bytes in [&b""[..], b"P", b"PK", b"not an archive", &[0; 511], &noise(2000)] {
        assert!(read_all(bytes, &[], PLENTY).is_err(), "{}", bytes.len());
    }
    let whole = Forged::new().add(b"x", b"x", nothing).bytes();
    assert!(read_all(&whole, &[], PLENTY).is_ok());
    let one_block_short = &whole[..whole.len() - 512];
    assert!(read_all(one_block_short, &[], PLENTY).is_err());
    let again = [whole.clone(), whole.clone()].concat();
    assert!(refusal(&again).contains("after its end"));
    assert!(refusal(&[whole, vec![0; 2 << 20]].concat()).contains("after its end"));
}

#[test]
fn a_source_that_failed_stays_so() {
    let bytes = Forged::new().add(b"x", b"x", nothing).add(b"../x", b"x", nothing).add(b"y", b"y", nothing).bytes();
    let mut source = read(Box::new(Cursor::new(bytes)), &[], PLENTY).unwrap();
    assert!(source.next().unwrap().is_some());
    for _ in 0..3 {
        assert!(source.next().is_err());
    }
}

/// Changes bytes of an archive and gives the error.
#[track_caller]
fn changed(bytes: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Fault {
    let mut bytes = bytes.to_vec();
    change(&mut bytes);
    read_all(&bytes, &[], PLENTY).unwrap_err()
}

/// Replaces all that stands in one place or several.
fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + from.len()].copy_from_slice(to);
    }
}

#[test]
fn zip_entries_that_lie_are_refused() {
    let content = noise(5000);
    let zip = write(Format::Zip, None, 1, &[file("abc", false, content), link("lll", "abc"), folder("ddd")]);
    assert_eq!(read_all(&zip, &[], PLENTY).unwrap().len(), 3);
    let entry = |name: &[u8]| (0..zip.len()).rev().find(|at| zip[*at..].starts_with(name)).unwrap() - 46;
    for name in [b"../", b"/ab", b"a\0b"] {
        let error = changed(&zip, |it| replace(it, b"abc", name));
        assert!(matches!(error, Fault::Entry { .. }), "{error}");
    }
    let error = changed(&zip, |it| it[30..33].copy_from_slice(b"xyz"));
    assert!(error.to_string().contains("two ways"), "{error}");
    let error = changed(&zip, |it| it[100] ^= 1);
    assert!(error.to_string().contains("changed"), "{error}");
    // A mode of each kind that is refused: pipe, device, socket, setuid.
    for (mode, expected) in [(0o1_0644, "pipe"), (0o2_0644, "device"), (0o14_0644, "kind"), (0o10_4755, "owner")] {
        let mode = u16::try_from(mode).unwrap().to_le_bytes();
        let error = changed(&zip, |it| it[entry(b"abc") + 40..][..2].copy_from_slice(&mode));
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
    // Sizes: of the content, and of what it is compressed to.
    for field in [20, 24] {
        for size in [0_u32, 4999, 5001, 1 << 30, u32::MAX] {
            changed(&zip, |it| it[entry(b"abc") + field..][..4].copy_from_slice(&size.to_le_bytes()));
        }
    }
    let error = changed(&zip, |it| it[entry(b"lll") + 42..][..4].copy_from_slice(&[0; 4]));
    assert!(error.to_string().contains("shares its bytes"), "{error}");
    let error = changed(&zip, |it| it[entry(b"abc") + 8] |= 1);
    assert!(matches!(error, Fault::Unsupported(_)), "{error}");
    let error = changed(&zip, |it| it[entry(b"abc") + 10] = 99);
    assert!(matches!(error, Fault::Entry { .. } | Fault::Unsupported(_)), "{error}");
}

#[test]
fn what_is_asked_for_twice_or_is_no_file_does_no_harm() {
    let entries = [folder("a"), file("a/b", false, b"x".to_vec()), link("l", "a")];
    for format in [Format::Zip, Format::Squashfs] {
        let bytes = write(format, None, 1, &entries);
        for first in [&["a", "a/b", "a/b/c", "l", "l/b"][..], &["a/b", "", "/", "..", "a//b"]] {
            let found = read_all(&bytes, first, PLENTY).unwrap();
            assert_eq!(found.len(), 3, "{} {first:?}", format.name());
        }
    }
}

#[test]
fn bombs_stop_at_the_limit() {
    // Zeros, which every compressor makes a thousand times smaller.
    let entries = [file("zeros", false, vec![0; 30 << 20])];
    for format in [Format::TarZst, Format::TarGz, Format::TarBz2, Format::TarXz, Format::Zip, Format::Squashfs] {
        let bytes = write(format, None, 2, &entries);
        assert!(bytes.len() < 200 << 10, "{}: {}", format.name(), bytes.len());
        let error = read_all(&bytes, &[], Limits { entries: 10, bytes: 1 << 20 }).unwrap_err();
        assert!(matches!(error, Fault::Limit { what: "bytes", limit: 1_048_576 }), "{error}");
    }
    // A stream that wants more memory than there may be: xz with a dictionary of 1.5 GiB.
    let mut options = lzma_rust2::XzOptions::with_preset(0);
    options.lzma_options.dict_size = 1 << 20;
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    xz.write_all(&Forged::new().bytes()).unwrap();
    let mut bytes = xz.finish().unwrap();
    // The header of the first block: its size, flags, the filter and its one property, filled, and a CRC32.
    assert_eq!(bytes[14..16], [0x21, 1]);
    bytes[16] = 39;
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..20]);
    bytes[20..24].copy_from_slice(&crc.sum().to_le_bytes());
    let error = read_all(&bytes, &[], PLENTY).unwrap_err();
    assert!(error.to_string().contains("mem"), "{error}");
}

#[test]
fn an_image_with_a_folder_inside_itself_is_refused() {
    // The one entry of the root is made to lead to the root: its inode stands where the root's does, behind the other.
    let bytes = write(Format::Squashfs, None, 1, &[folder("loop")]);
    let root = u64::from_le_bytes(bytes[32..40].try_into().unwrap());
    let table = u64::from_le_bytes(bytes[72..80].try_into().unwrap()) as usize;
    // Both tables are too small to be compressed.
    let mut looped = bytes.clone();
    let entry = table + 2 + 12;
    assert_eq!(&bytes[entry + 8..entry + 12], b"loop");
    looped[entry..entry + 2].copy_from_slice(&(root as u16).to_le_bytes());
    let error = read_all(&looped, &[], PLENTY).unwrap_err();
    assert!(matches!(&error, Fault::Entry { .. } | Fault::Limit { .. }), "{error}");
    let found = read_all(&bytes, &[], PLENTY).unwrap();
    assert_eq!(found, [folder("loop")]);
}
