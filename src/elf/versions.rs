//! The versions of symbols that a file needs or defines.
//!
//! `Elf_Verneed` with its `Elf_Vernaux`, and `Elf_Verdef` with its `Elf_Verdaux`, as the Linux Standard Base describes them
//! ("Symbol Versioning"): chains of entries, each of which says how far away the next one is.

use super::{
    image::tag,
    reader::{Dynamic, Fault, Pieces, Reader},
};

/// A version of symbols that a file needs of a library, or defines itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SymbolVersion {
    /// The library's name; of a definition, the empty text.
    pub library: String,
    /// The version, such as `GLIBC_2.34`.
    pub version: String,
    /// Whether the file can be loaded without it (`VER_FLG_WEAK`).
    pub weak: bool,
}

/// No file has more libraries, or versions of one.
const MOST: u64 = 10_000;
/// `VER_FLG_WEAK`.
const WEAK: u64 = 2;

/// Those that the file needs of others.
pub(super) fn needed<P: Pieces + ?Sized>(reader: &Reader<'_, P>) -> Result<Vec<SymbolVersion>, Fault> {
    let mut found = Vec::new();
    let Some(table) = Table::find(reader, tag::VERNEED, tag::VERNEEDNUM)? else { return Ok(found) };
    let mut at = table.at;
    for _ in 0..table.count {
        let head = reader.piece(at, 16)?;
        let (own, library) = (head.half(2)?, reader.text(&table.dynamic, head.word(4)?)?);
        let (mut place, next) = (at + head.word(8)?, head.word(12)?);
        for _ in 0..own.min(MOST) {
            let one = reader.piece(place, 16)?;
            let version = reader.text(&table.dynamic, one.word(8)?)?;
            found.push(SymbolVersion { library: library.clone(), version, weak: one.half(4)? & WEAK != 0 });
            let step = one.word(12)?;
            if step == 0 {
                break;
            }
            place += step;
        }
        if next == 0 {
            break;
        }
        at += next;
    }
    Ok(found)
}

/// Those that the file has symbols of, and its own name, which stands among them.
pub(super) fn defined<P: Pieces + ?Sized>(reader: &Reader<'_, P>) -> Result<Vec<SymbolVersion>, Fault> {
    let mut found = Vec::new();
    let Some(table) = Table::find(reader, tag::VERDEF, tag::VERDEFNUM)? else { return Ok(found) };
    let mut at = table.at;
    for _ in 0..table.count {
        let head = reader.piece(at, 20)?;
        let (flags, names, first, next) = (head.half(2)?, head.half(6)?, head.word(12)?, head.word(16)?);
        // The first name of a definition is its own; the others are those that it builds upon.
        if names > 0 {
            let version = reader.text(&table.dynamic, reader.piece(at + first, 8)?.word(0)?)?;
            found.push(SymbolVersion { library: String::new(), version, weak: flags & WEAK != 0 });
        }
        if next == 0 {
            break;
        }
        at += next;
    }
    Ok(found)
}

struct Table {
    dynamic: Dynamic,
    at: u64,
    count: u64,
}

impl Table {
    fn find<P: Pieces + ?Sized>(reader: &Reader<'_, P>, table: u64, count: u64) -> Result<Option<Self>, Fault> {
        let Some(dynamic) = reader.dynamic()? else { return Ok(None) };
        let value = |wanted: u64| dynamic.entries.iter().find(|(tag, _)| *tag == wanted).map(|it| it.1);
        let (Some(address), Some(count)) = (value(table), value(count)) else { return Ok(None) };
        Ok(Some(Self { at: reader.offset_of(address)?, count: count.min(MOST), dynamic }))
    }
}
