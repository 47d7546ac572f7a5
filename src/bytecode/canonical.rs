//! Bytecode files (`.pyc`) in one form.

use std::{
    io::{Error, ErrorKind},
    path::Path,
};

use super::marshal::{self, Layout, Malformed};
use crate::base::{FsError, fs};

/// The bytes before the code: the magic number, the flags and eight that tell of the source
/// (`Lib/importlib/_bootstrap_external.py`).
const HEADER: usize = 16;

const OLD: Layout = Layout { numbers: 6, before: 8, after: 1 };
const NEW: Layout = Layout { numbers: 5, before: 8, after: 2 };

/// The magic numbers of CPython 3.9 to 3.13, and how these write code. They change with the bytecode, in no patch release.
const MAGIC: [(u16, Layout); 5] = [(3425, OLD), (3439, OLD), (3495, NEW), (3531, NEW), (3571, NEW)];

/// Rewrites a bytecode file so that it depends on the code alone, and on nothing else that the Python which wrote it has
/// done: compiled alone or after a thousand others, it has the same bytes. The file is replaced whole, with its mode. What
/// is of a Python whose form is not known here stays as it is, and so does what is not there.
///
/// # Errors
/// When the file cannot be read or written, or is not what its Python writes.
pub fn settle(file: &Path) -> Result<(), FsError> {
    let Some(bytes) = fs::read_if_there(file)? else { return Ok(()) };
    let settled = canonical(&bytes)
        .map_err(|error| FsError::new("rewrite the bytecode", file, Error::new(ErrorKind::InvalidData, error)))?;
    match settled {
        Some(settled) if settled != bytes => fs::replace(file, &settled),
        _ => Ok(()),
    }
}

/// The one form of a bytecode file's bytes; nothing when they are of no Python that is known.
pub(super) fn canonical(bytes: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    let Some((header, code)) = bytes.split_at_checked(HEADER) else { return Ok(None) };
    let Some(layout) = layout(header) else { return Ok(None) };
    Ok(Some([header, &marshal::canonical(code, layout)?].concat()))
}

fn layout(header: &[u8]) -> Option<Layout> {
    let [low, high, b'\r', b'\n', ..] = header else { return None };
    let number = u16::from_le_bytes([*low, *high]);
    MAGIC.iter().find(|(known, _)| *known == number).map(|(_, layout)| *layout)
}
