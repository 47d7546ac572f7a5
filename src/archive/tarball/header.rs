//! The header of an entry: one block of 512 bytes, described in GNU tar's manual, "Basic Tar Format".

use crate::archive::error::Fault;

/// Everything in a tar archive begins at a multiple of this.
pub(super) const BLOCK: usize = 512;

/// What an entry is, by the letter in its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Type {
    File = b'0',
    Link = b'2',
    Folder = b'5',
    LongName = b'L',
    LongTarget = b'K',
}

/// A header that is written.
pub(super) struct Header<'a> {
    pub(super) kind: Type,
    pub(super) name: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) mode: u32,
    pub(super) modified: u64,
    pub(super) size: u64,
}

// Where the fields are.
const NAME: std::ops::Range<usize> = 0..100;
const MODE: std::ops::Range<usize> = 100..108;
const OWNER: std::ops::Range<usize> = 108..116;
const GROUP: std::ops::Range<usize> = 116..124;
const SIZE: std::ops::Range<usize> = 124..136;
const MODIFIED: std::ops::Range<usize> = 136..148;
const SUM: std::ops::Range<usize> = 148..156;
const TYPE: usize = 156;
const TARGET: std::ops::Range<usize> = 157..257;
const MAGIC: std::ops::Range<usize> = 257..265;
const PREFIX: std::ops::Range<usize> = 345..500;

const GNU: &[u8; 8] = b"ustar  \0";
const USTAR: &[u8; 6] = b"ustar\0";

impl Header<'_> {
    /// The longest name that fits into the header.
    pub(super) const LONGEST: usize = 100;

    /// Of names that are too long, the beginning is written.
    pub(super) fn bytes(&self) -> [u8; BLOCK] {
        let mut bytes = [0; BLOCK];
        let mut text = |field: std::ops::Range<usize>, text: &[u8]| {
            let fits = text.len().min(field.len());
            bytes[field.start..field.start + fits].copy_from_slice(&text[..fits]);
        };
        text(NAME, self.name);
        text(TARGET, self.target);
        text(MAGIC, GNU);
        text(SUM, b"        ");
        bytes[TYPE] = self.kind as u8;
        number(&mut bytes[MODE], u64::from(self.mode));
        number(&mut bytes[OWNER], 0);
        number(&mut bytes[GROUP], 0);
        number(&mut bytes[SIZE], self.size);
        number(&mut bytes[MODIFIED], self.modified);
        let sum = format!("{:06o}\0 ", sum(&bytes));
        bytes[SUM].copy_from_slice(sum.as_bytes());
        bytes
    }
}

/// Octal digits and a NUL; a number that is too large for them stands in binary, with the first bit set, as GNU does it.
fn number(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    if value >> (3 * digits) == 0 {
        let text = format!("{value:0digits$o}\0");
        field.copy_from_slice(text.as_bytes());
    } else {
        let bytes = value.to_be_bytes();
        let (fill, rest) = field.split_at_mut(field.len() - bytes.len());
        fill.fill(0);
        fill[0] = 0x80;
        rest.copy_from_slice(&bytes);
    }
}

fn sum(bytes: &[u8; BLOCK]) -> u64 {
    bytes.iter().enumerate().map(|(at, byte)| if SUM.contains(&at) { 32 } else { u64::from(*byte) }).sum()
}

/// Whether a file that begins like this is a tar archive: its first block is a header, or empty as in an empty archive.
pub(in crate::archive) fn is_header(start: &[u8]) -> bool {
    let Some(block) = start.first_chunk::<BLOCK>() else { return false };
    block.iter().all(|byte| *byte == 0) || parse(block).is_ok()
}

/// What a header says that was read.
pub(super) struct Parsed {
    pub(super) name: Vec<u8>,
    pub(super) target: Vec<u8>,
    /// The letter of its type.
    pub(super) kind: u8,
    pub(super) mode: u64,
    pub(super) size: u64,
    pub(super) modified: u64,
}

/// Reads a header that is not all zeros.
pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Parsed, Fault> {
    let bad = || Fault::damaged("an entry begins with something else than a header");
    if value(&block[SUM]) != Some(sum(block)) {
        return Err(bad());
    }
    let mut name = until_nul(&block[NAME]).to_vec();
    if block[MAGIC].starts_with(USTAR) {
        let prefix = until_nul(&block[PREFIX]);
        if !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
    } else if block[MAGIC] != *GNU && block[MAGIC] != [0; 8] {
        return Err(bad());
    }
    let size = value(&block[SIZE]).ok_or_else(|| Fault::entry(&name, "has no size"))?;
    let mode = value(&block[MODE]).ok_or_else(|| Fault::entry(&name, "has no mode"))?;
    // A time before 1970 is no reason to refuse.
    let modified = value(&block[MODIFIED]).unwrap_or(0);
    Ok(Parsed { name, target: until_nul(&block[TARGET]).to_vec(), kind: block[TYPE], mode, size, modified })
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number as [`number`] writes it, or with blanks around it as old programs do; nothing when it is none or negative.
fn value(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 != 0 {
        let (fill, rest) = field.split_at(field.len() - 8);
        let positive = fill.split_first().is_none_or(|(first, rest)| *first == 0x80 && rest.iter().all(|it| *it == 0));
        // In a field of eight bytes the flag stands in the number itself.
        let mut bytes: [u8; 8] = rest.try_into().ok()?;
        if fill.is_empty() {
            bytes[0] &= 0x7f;
        }
        return positive.then(|| u64::from_be_bytes(bytes)).filter(|it| *it <= i64::MAX as u64);
    }
    let text = until_nul(field).trim_ascii();
    if text.is_empty() {
        return Some(0);
    }
    text.iter().try_fold(0_u64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}
