//! Whole archives, written and read again, cut, changed and forged.

use std::io::Cursor;

use super::{Fault, FileInfo, FileMeta, Format, Kind, Limits, Options, Sink, create, read};

/// An entry in a test: what was put in, or what came out with its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    name: Vec<u8>,
    kind: Kind,
    content: Vec<u8>,
}

pub(super) const PLENTY: Limits = Limits { entries: 10_000, bytes: 1 << 30 };

pub(super) fn folder(name: &str) -> Entry {
    Entry { name: name.into(), kind: Kind::Folder, content: Vec::new() }
}

pub(super) fn link(name: &str, target: &str) -> Entry {
    Entry { name: name.into(), kind: Kind::Link(target.into()), content: Vec::new() }
}

pub(super) fn file(name: impl Into<Vec<u8>>, executable: bool, content: Vec<u8>) -> Entry {
    // An even number of seconds: a zip archive of others has no odd ones.
    let info = FileInfo { executable, modified: 1_600_000_000, size: content.len() as u64 };
    Entry { name: name.into(), kind: Kind::File(info), content }
}

/// Bytes that hardly shrink, the same every time.
pub(super) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A bit of everything: empty files, long names, names that are no text, large files that shrink and that do not.
pub(super) fn sample() -> Vec<Entry> {
    let long = "long".repeat(60);
    let mut text = Vec::new();
    for line in 0..60_000 {
        text.extend_from_slice(format!("line {line}\n").as_bytes());
    }
    let mut entries = vec![
        folder("bin"),
        file("bin/tool", true, b"#!/bin/sh\n".to_vec()),
        folder("empty"),
        folder("lib"),
        folder(&format!("lib/{long}")),
        file(format!("lib/{long}/{long}"), false, b"deep".to_vec()),
        link("lib/libx.so", "libx.so.1"),
        file("lib/libx.so.1", true, noise(2_500_001)),
        file(b"lib/name-\xff\xfe".to_vec(), false, b"bytes".to_vec()),
        link("lib/there", &format!("{long}/{long}")),
        file("lib/zeros", false, vec![0; 700_000]),
        folder("share"),
        file("share/empty", false, Vec::new()),
        folder("share/many"),
        file("text", false, text),
    ];
    let many = (0..300).map(|it| file(format!("share/many/{it:03}"), it % 2 == 0, noise(it)));
    entries.splice(14..14, many);
    entries
}

pub(super) fn put(sink: &mut dyn Sink, entry: &Entry) -> Result<(), super::SinkError> {
    match &entry.kind {
        Kind::Folder => sink.folder(&entry.name),
        Kind::Link(target) => sink.link(&entry.name, target),
        Kind::File(info) => {
            let meta = FileMeta { executable: info.executable, modified: info.modified };
            sink.file(&entry.name, meta, info.size, &mut entry.content.as_slice())
        }
    }
}

pub(super) fn write(format: Format, level: Option<i32>, threads: u32, entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut sink = create(format, Options { level, threads }, &mut out).unwrap();
    for entry in entries {
        put(&mut *sink, entry).unwrap();
    }
    sink.finish().unwrap();
    out
}

/// Reads everything, and makes sure that every content is as long as it was said to be.
pub(super) fn read_all(bytes: &[u8], first: &[&str], limits: Limits) -> Result<Vec<Entry>, Fault> {
    let mut source = read(Box::new(Cursor::new(bytes.to_vec())), first, limits)?;
    let mut entries = Vec::new();
    while let Some(member) = source.next()? {
        let mut content = Vec::new();
        member.data.read_to_end(&mut content)?;
        if let Kind::File(info) = &member.kind {
            assert_eq!(info.size, content.len() as u64, "{}", member.name.escape_ascii());
        }
        entries.push(Entry { name: member.name, kind: member.kind, content });
    }
    Ok(entries)
}

/// The formats that are a single file and nothing else.
fn files() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(|it| !matches!(it, Format::Folder | Format::SelfExtracting))
}

#[test]
fn what_is_written_is_read() {
    let entries = sample();
    for format in files() {
        let bytes = write(format, None, 2, &entries);
        let mut found = read_all(&bytes, &[], PLENTY).unwrap_or_else(|error| panic!("{}: {error}", format.name()));
        assert_eq!(found.len(), entries.len(), "{}", format.name());
        // An image has an order of its own.
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let mut entries: Vec<_> = entries.iter().collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for (found, entry) in found.iter().zip(entries) {
            assert!(*found == *entry, "{}: {}", format.name(), entry.name.escape_ascii());
        }
    }
}

#[test]
fn threads_do_not_change_the_bytes() {
    let entries = sample();
    for format in files() {
        // The usual levels of two take long, and differ from the lowest in nothing that threads could change.
        let usual = (!matches!(format, Format::TarBz2 | Format::TarXz)).then_some(None);
        for level in usual.into_iter().chain([format.levels().map(|it| *it.start())]) {
            let one = write(format, level, 1, &entries);
            for threads in [2, 7] {
                assert!(one == write(format, level, threads, &entries), "{} with {threads}", format.name());
            }
        }
    }
}

#[test]
fn a_cut_archive_is_never_whole() {
    let long = "long".repeat(30);
    let entries = [folder("a"), file("a/f", true, noise(700)), link("a/l", "f"), file(long, false, b"text".to_vec())];
    for format in files() {
        let bytes = write(format, None, 1, &entries);
        assert_eq!(read_all(&bytes, &["a/l"], PLENTY).unwrap().len(), 4, "{}", format.name());
        for length in 0..bytes.len() {
            let result = read_all(&bytes[..length], &["a/l"], PLENTY);
            // The zeros that fill the last record of a tar archive, or an image, carry nothing.
            let whole = match format {
                Format::Tar => length >= bytes.len() - zeros_at_end(&bytes) + 1024 && length % 512 == 0,
                Format::Squashfs => length as u64 == u64::from_le_bytes(bytes[40..48].try_into().unwrap()),
                _ => false,
            };
            assert!(result.is_err() || whole, "{}: {length} of {} bytes", format.name(), bytes.len());
        }
        let mut longer = bytes.clone();
        longer.extend_from_slice(b"more");
        assert!(read_all(&longer, &[], PLENTY).is_err(), "{} with more behind it", format.name());
    }
}

fn zeros_at_end(bytes: &[u8]) -> usize {
    (bytes.iter().rev().take_while(|byte| **byte == 0).count()) / 512 * 512
}

#[test]
fn limits_hold() {
    let entries: Vec<Entry> = (0..100).map(|it| file(format!("{it:02}"), false, vec![0; 1000])).collect();
    for format in files() {
        let bytes = write(format, None, 1, &entries);
        let read = |entries, bytes_| read_all(&bytes, &[], Limits { entries, bytes: bytes_ });
        assert_eq!(read(100, 100_000).unwrap().len(), 100);
        assert!(matches!(read(99, 100_000), Err(Fault::Limit { what: "entries", limit: 99 })), "{}", format.name());
        assert!(matches!(read(100, 99_999), Err(Fault::Limit { what: "bytes", limit: 99_999 })), "{}", format.name());
    }
}

#[test]
fn sizes_that_lie_are_noticed() {
    for format in files() {
        for (size, found) in [(2, "more"), (4, "fewer"), (0, "more"), (5 << 20, "fewer")] {
            let mut out = Vec::new();
            let mut sink = create(format, Options { level: None, threads: 1 }, &mut out).unwrap();
            let meta = FileMeta { executable: false, modified: 0 };
            let error = sink.file(b"f", meta, size, &mut &b"abc"[..]).unwrap_err();
            assert!(matches!(&error, super::SinkError::Size { found: it, .. } if *it == found), "{error}");
        }
    }
}
