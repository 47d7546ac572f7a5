//! The archives that are changed, and how.

use std::{io::Write as _, process::Command};

use envbuild::archive::{FileMeta, Format, Options, create, folder};

use crate::random::Random;

/// What is done to an archive after it was changed, so that the change reaches further than a compressor's checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pack {
    Not,
    Zstd,
    Gzip,
    Bzip2,
}

/// An archive that was not changed.
pub(crate) struct Base {
    pub(crate) plain: Vec<u8>,
    pack: Pack,
    is_tar: bool,
}

/// A small archive of every format; tars also to be compressed after they were changed; and an image whose tables are
/// not compressed, where there is the program that makes one.
pub(crate) fn all() -> Vec<Base> {
    let mut bases = Vec::new();
    for format in Format::ALL.into_iter().filter(|it| *it != Format::Folder) {
        bases.push(Base { plain: written(format), pack: Pack::Not, is_tar: format == Format::Tar });
    }
    for pack in [Pack::Zstd, Pack::Gzip, Pack::Bzip2] {
        bases.push(Base { plain: written(Format::Tar), pack, is_tar: true });
    }
    bases.extend(image().map(|plain| Base { plain, pack: Pack::Not, is_tar: false }));
    bases
}

const META: FileMeta = FileMeta { executable: true, modified: 1_600_000_000 };

fn fill(sink: &mut dyn envbuild::archive::Sink) {
    sink.folder(b"a").unwrap();
    sink.file(b"a/text", META, 5, &mut &b"text\n"[..]).unwrap();
    sink.link(b"a/link", b"text").unwrap();
    sink.folder(b"b").unwrap();
    let large: Vec<u8> = (0..140_000_u32).map(|it| (it / 7 % 251) as u8).collect();
    sink.file(b"b/large", META, large.len() as u64, &mut large.as_slice()).unwrap();
    sink.file(&b"long".repeat(30), META, 0, &mut &b""[..]).unwrap();
    for number in 0..20 {
        sink.file(format!("n{number:02}").as_bytes(), META, 3, &mut &b"abc"[..]).unwrap();
    }
}

fn written(format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    let level = format.levels().map(|levels| *levels.start());
    let mut sink = create(format, Options { level, threads: 1 }, &mut bytes).unwrap();
    fill(&mut *sink);
    sink.finish().unwrap();
    bytes
}

fn image() -> Option<Vec<u8>> {
    let root = tempfile::tempdir().unwrap();
    let mut sink = folder(&root.path().join("tree")).unwrap();
    fill(&mut *sink);
    sink.finish().unwrap();
    let options = "-quiet -no-progress -noI -noId -noD -noF -noX -all-root -all-time 0 -mkfs-time 0 -processors 1";
    let mut command = Command::new("mksquashfs");
    command.args(["tree", "image"]).args(options.split(' ')).current_dir(root.path());
    let made = command.output().is_ok_and(|it| it.status.success());
    made.then(|| std::fs::read(root.path().join("image")).unwrap())
}

/// Numbers that break programs.
const NUMBERS: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];

impl Base {
    /// As it was written.
    pub(crate) fn packed(&self) -> Vec<u8> {
        pack(self.pack, self.plain.clone())
    }

    /// Changed in one to six places.
    pub(crate) fn changed(&self, random: &mut Random, other: &[u8]) -> Vec<u8> {
        let mut bytes = self.plain.clone();
        for _ in 0..=random.below(6) {
            if !bytes.is_empty() {
                change(&mut bytes, random, other);
            }
        }
        if self.is_tar && random.below(4) > 0 {
            repair(&mut bytes);
        }
        pack(self.pack, bytes)
    }
}

fn change(bytes: &mut Vec<u8>, random: &mut Random, other: &[u8]) {
    // Most of what matters stands at the beginning and at the end.
    let length = bytes.len();
    let at = match random.below(4) {
        0 => random.below(length.min(2048)),
        1 => length - 1 - random.below(length.min(4096)),
        _ => random.below(length),
    };
    let count = random.below(64).min(length - at);
    match random.below(12) {
        0..=3 => bytes[at] ^= 1 << random.below(8),
        4 => bytes[at] = random.next() as u8,
        5..=7 => {
            let number = random.choose(&NUMBERS).to_le_bytes();
            let width = (1 << random.below(4)).min(length - at);
            bytes[at..at + width].copy_from_slice(&number[..width]);
        }
        8 => bytes.truncate(at),
        9 => drop(bytes.drain(at..at + count)),
        10 => {
            let again = bytes[at..at + count].to_vec();
            bytes.splice(at..at, again);
        }
        _ => {
            let from = random.below(other.len());
            let piece = &other[from..(from + count).min(other.len())];
            bytes.splice(at..at + count, piece.iter().copied());
        }
    }
}

/// Gives every block of a tar archive that could be a header the right sum.
fn repair(bytes: &mut [u8]) {
    for block in bytes.as_chunks_mut::<512>().0 {
        if block[257..262] == *b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

fn pack(how: Pack, bytes: Vec<u8>) -> Vec<u8> {
    match how {
        Pack::Not => bytes,
        Pack::Zstd => zstd::encode_all(bytes.as_slice(), 1).unwrap(),
        Pack::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        }
        Pack::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        }
    }
}
