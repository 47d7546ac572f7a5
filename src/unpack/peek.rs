//! Looks into an archive that stays packed.

use std::path::Path;

use super::{
    error::UnpackError,
    reader::{Reader, of_fault},
};
use crate::archive::{Kind, Member};

/// Longer files are not what somebody looks for in an archive.
const LONGEST: u64 = 64 << 20;

/// The regular files right in a folder of an archive, with their bytes, in its order. Nothing is written.
///
/// # Errors
/// When the archive is not one of ours, is damaged, or cannot be read.
pub fn files_in(archive: &Path, folder: &str) -> Result<Vec<(String, Vec<u8>)>, UnpackError> {
    files_that(archive, &|name| name.rsplit_once('/').is_some_and(|(at, _)| at == folder))
}

/// The regular files of an archive whose names are wanted, with their bytes, in its order. Nothing is written.
///
/// # Errors
/// As for [`files_in`].
pub fn files_that(archive: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<(String, Vec<u8>)>, UnpackError> {
    let mut found = Vec::new();
    let mut reader = Reader::open(archive)?;
    while let Some(Member { name, kind, data }) = reader.next()? {
        let name = String::from_utf8_lossy(&name).into_owned();
        if matches!(kind, Kind::File(info) if info.size <= LONGEST) && wanted(&name) {
            let mut bytes = Vec::new();
            data.read_to_end(&mut bytes).map_err(|error| of_fault(archive, error.into()))?;
            found.push((name, bytes));
        }
    }
    Ok(found)
}
