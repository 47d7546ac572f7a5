//! `/etc/ld.so.cache`: which libraries `ldconfig` has found.
//!
//! The format is that of `sysdeps/generic/dl-cache.h` of the GNU C library: a header `glibc-ld.so.cache1.1`, entries of 24
//! bytes, and texts whose offsets count from the header. An older header, `ld.so-1.7.0` with entries of 12 bytes, may stand
//! before it for the loaders of another age.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

const OLD: &[u8] = b"ld.so-1.7.0";
const NEW: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_HEADER: usize = 16;
const OLD_ENTRY: usize = 12;
const NEW_HEADER: usize = 48;
const NEW_ENTRY: usize = 24;

/// The paths that the cache holds, by library name, in its order. A file that is not there or of another format holds
/// none, as for the loader. Entries for some processors of a kind only (`glibc-hwcaps`) are left out: they are never the
/// only ones of their name.
pub(super) fn read(file: &Path) -> HashMap<String, Vec<PathBuf>> {
    std::fs::read(file).ok().and_then(|bytes| parse(&bytes)).unwrap_or_default()
}

fn parse(bytes: &[u8]) -> Option<HashMap<String, Vec<PathBuf>>> {
    let cache = if bytes.starts_with(OLD) {
        let entries = usize::try_from(u32::from_ne_bytes(bytes.get(12..16)?.try_into().ok()?)).ok()?;
        let end = OLD_HEADER.checked_add(entries.checked_mul(OLD_ENTRY)?)?;
        bytes.get(end.next_multiple_of(8)..)?
    } else {
        bytes
    };
    if !cache.starts_with(NEW) {
        return None;
    }
    // The byte order: 0 was written before there was a mark, and then it is this machine's.
    let big = match cache.get(28)? & 3 {
        0 => cfg!(target_endian = "big"),
        2 => false,
        3 => true,
        _ => return None,
    };
    let word = |at: usize| -> Option<usize> {
        let bytes: [u8; 4] = cache.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }).ok()
    };
    let text = |at: usize| -> Option<&str> {
        let bytes = cache.get(at..)?;
        std::str::from_utf8(&bytes[..memchr::memchr(0, bytes)?]).ok()
    };
    let mut found: HashMap<String, Vec<PathBuf>> = HashMap::new();
    for index in 0..word(20)? {
        let at = NEW_HEADER + index * NEW_ENTRY;
        // An entry is its flags, where its name and its path are, a number out of use, and 64 bits of capabilities.
        let (name, path) = (text(word(at + 4)?)?, text(word(at + 8)?)?);
        if cache.get(at + 16..at + 24)?.iter().all(|it| *it == 0) {
            found.entry(name.to_owned()).or_default().push(PathBuf::from(path));
        }
    }
    Some(found)
}
