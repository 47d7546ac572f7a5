//! Python's cached bytecode: which of it still holds for the archive's sources.
//!
//! A `.pyc` file either names its source's time and size or, when it is hash-based and unchecked, is believed blindly.
//! Hence two rules. A source keeps the time that its valid bytecode names, or Python would compile it again on every
//! start in a read-only environment. And bytecode of a source that holds the placeholder stays out, because it would
//! go on naming the placeholder after the source was given the real path.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
};

use super::error::PackError;
use crate::{
    base::FsError,
    tree::{Entries, Entry, Relocation},
};

/// Applies both rules. Gives the names that were left out.
///
/// # Errors
/// When a bytecode file cannot be read.
pub(super) fn settle(entries: &mut Entries, relocation: &Relocation) -> Result<Vec<Vec<u8>>, PackError> {
    let mut stale = Vec::new();
    let mut times = BTreeMap::new();
    for (name, entry) in &*entries {
        let Entry::File(file) = entry else { continue };
        let Some(source_name) = source_of(name) else { continue };
        if relocation.places.contains_key(&source_name) {
            stale.push(name.clone());
            continue;
        }
        let Some(Entry::File(source)) = entries.get(&source_name) else { continue };
        let (Some((path, _)), Some((_, modified))) = (file.content.on_disk(), source.content.on_disk()) else {
            continue;
        };
        let size = source.content.size();
        let header = match file.content.seen() {
            Some(seen) => header(seen.beginning()),
            None => read_header(path).map_err(|error| FsError::new("read", path, error))?,
        };
        // The header holds the lower 32 bits of either number.
        if header == Some((modified as u32, size as u32)) {
            times.insert(source_name, modified);
        }
    }
    for name in &stale {
        entries.remove(name);
    }
    for (name, modified) in times {
        if let Some(Entry::File(file)) = entries.get_mut(&name) {
            file.modified = modified;
        }
    }
    Ok(stale)
}

/// Whether a file is bytecode. Its strings carry their length, so that no other string can be put in their place;
/// Python corrects the path inside when it imports the module.
pub(super) fn is_bytecode(name: &[u8]) -> bool {
    name.ends_with(b".pyc") || name.ends_with(b".pyo")
}

/// `lib/__pycache__/os.cpython-311.opt-1.pyc` is made from `lib/os.py`.
pub(super) fn source_of(name: &[u8]) -> Option<Vec<u8>> {
    let slash = name.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let (folder, file) = name.split_at(slash);
    let stem = file.strip_suffix(b".pyc")?;
    let (folder, module) = match folder.strip_suffix(b"__pycache__/") {
        Some(folder) => (folder, stem.split(|byte| *byte == b'.').next()?),
        None => (folder, stem),
    };
    Some([folder, module, b".py"].concat())
}

fn read_header(path: &std::path::Path) -> io::Result<Option<(u32, u32)>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(16).read_to_end(&mut bytes)?;
    Ok(header(&bytes))
}

/// The source's time and size that a timestamp-based bytecode file names.
fn header(bytes: &[u8]) -> Option<(u32, u32)> {
    let word = |at: usize| bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_le_bytes);
    match (word(4), word(8), word(12)) {
        (Some(0), Some(time), Some(size)) => Some((time, size)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::source_of;

    #[test]
    fn bytecode_names_its_source() {
        let of = |name: &str| source_of(name.as_bytes()).map(|source| String::from_utf8(source).unwrap());
        assert_eq!(of("lib/__pycache__/os.cpython-311.opt-1.pyc").unwrap(), "lib/os.py");
        assert_eq!(of("__pycache__/os.cpython-311.pyc").unwrap(), "os.py");
        assert_eq!(of("lib/old.pyc").unwrap(), "lib/old.py");
        assert_eq!(of("lib/os.py"), None);
    }
}
