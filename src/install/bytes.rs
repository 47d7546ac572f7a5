//! The bytes of `file://` packages, checked before anything is installed from them: no conda client does it for us.

use std::{collections::BTreeSet, io, path::Path};

use rattler_conda_types::RepoDataRecord;
use rattler_digest::Sha256Hash;

use super::error::InstallError;
use crate::{base::FsError, pkgcache};

/// Reads the file of every `file://` record and compares it with the record's sha256. A package under `under`, the
/// project's own channel, must have one; of other channels those are compared that have one.
///
/// # Errors
/// The first file that is gone, unreadable or altered; the error names it with the expected and the found sha256.
pub fn verify(records: &[RepoDataRecord], under: &Path) -> Result<(), InstallError> {
    let mut seen = BTreeSet::new();
    for record in records.iter().filter(|record| record.url.scheme() == "file") {
        let Ok(path) = record.url.to_file_path() else { continue };
        let expected = record.package_record.sha256;
        if (expected.is_none() && !path.starts_with(under)) || !seen.insert((path.clone(), expected)) {
            continue;
        }
        let found = sha256(&path)?;
        if expected != Some(found) {
            let expected = expected.map_or("none".to_owned(), hex::encode);
            return Err(InstallError::Altered { path, expected, found: hex::encode(found) });
        }
    }
    Ok(())
}

/// The sha256 of a package's file.
fn sha256(path: &Path) -> Result<Sha256Hash, InstallError> {
    pkgcache::sha256(path).map_err(gone)
}

/// A package's file that is not there is told as such.
pub(super) fn gone(error: FsError) -> InstallError {
    match error.kind() {
        io::ErrorKind::NotFound => InstallError::Gone(error.path().to_owned()),
        _ => error.into(),
    }
}
