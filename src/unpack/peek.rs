//! Reads single files of an archive that stays packed.

use std::{fs::File, io::Read as _, path::Path};

use super::{
    error::UnpackError,
    members::{self, Fault, Kind, Member},
};
use crate::base::FsError;

/// Longer files are not what somebody looks for in an archive.
const LONGEST: u64 = 64 << 20;

/// The regular files right in a folder of an archive, with their bytes, in its order. Nothing is written.
///
/// # Errors
/// When the archive is not one of ours, is damaged, or cannot be read.
pub fn files_in(archive: &Path, folder: &str) -> Result<Vec<(String, Vec<u8>)>, UnpackError> {
    let path = || archive.to_owned();
    let damaged = |source| UnpackError::Damaged { path: path(), source };
    let file = File::open(archive).map_err(|error| FsError::new("read", archive, error))?;
    let stream = zstd::Decoder::new(file).map_err(damaged)?;
    let mut tar = tar::Archive::new(stream);
    let mut entries = tar.entries().map_err(damaged)?.raw(true);
    let mut found = Vec::new();
    let mut is_first = true;
    loop {
        let next = members::next(&mut entries).map_err(|fault| match fault {
            // Whatever is wrong right away, most likely the file is something else.
            Fault::Stream(error) if is_first => UnpackError::NotAnArchive { path: path(), reason: error.to_string() },
            Fault::Stream(error) => damaged(error),
            Fault::Entry { name, why } => {
                UnpackError::Refused { path: path(), entry: name.escape_ascii().to_string(), why }
            }
        })?;
        is_first = false;
        let Some(Member { name, kind, mut data }) = next else { return Ok(found) };
        let name = String::from_utf8_lossy(&name).into_owned();
        let wanted = matches!(kind, Kind::File(info) if info.size <= LONGEST);
        if !wanted || name.rsplit_once('/').is_none_or(|(at, _)| at != folder) {
            continue;
        }
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes).map_err(damaged)?;
        found.push((name, bytes));
    }
}
