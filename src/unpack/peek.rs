//! Looks into an archive that stays packed.

use std::{io::Read, path::Path};

use super::{
    error::UnpackError,
    reader::{Reader, of_fault},
};
use crate::archive::{Kind, Member};

/// Longer files are not what somebody looks for in an archive.
const LONGEST: u64 = 64 << 20;

/// An entry of an archive that stays packed.
pub enum Peeked<'a> {
    /// A folder.
    Folder,
    /// A symbolic link with its target.
    Link(&'a [u8]),
    /// A file with its size and its content, which need not be read.
    File(u64, &'a mut dyn Read),
}

/// Shows the entries of an archive with their names, in its order, until `visit` has seen enough and gives `false`. Nothing is
/// written.
///
/// # Errors
/// When the archive is not one of ours, is damaged, or cannot be read; and whatever `visit` fails with.
pub fn peek<E: From<UnpackError>>(
    archive: &Path,
    mut visit: impl FnMut(&[u8], Peeked<'_>) -> Result<bool, E>,
) -> Result<(), E> {
    let mut reader = Reader::open(archive)?;
    while let Some(Member { name, kind, data }) = reader.next()? {
        if name.is_empty() {
            continue;
        }
        let peeked = match &kind {
            Kind::Folder => Peeked::Folder,
            Kind::Link(target) => Peeked::Link(target),
            Kind::File(info) => Peeked::File(info.size, data),
        };
        if !visit(&name, peeked)? {
            break;
        }
    }
    Ok(())
}

/// The regular files right in a folder of an archive, with their bytes, in its order. Nothing is written.
///
/// # Errors
/// As for [`peek`].
pub fn files_in(archive: &Path, folder: &str) -> Result<Vec<(String, Vec<u8>)>, UnpackError> {
    files_that(archive, &|name| name.rsplit_once('/').is_some_and(|(at, _)| at == folder))
}

/// The regular files of an archive whose names are wanted, with their bytes, in its order. Nothing is written.
///
/// # Errors
/// As for [`peek`].
pub fn files_that(archive: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<(String, Vec<u8>)>, UnpackError> {
    let mut found = Vec::new();
    peek(archive, |name, entry| {
        let name = String::from_utf8_lossy(name).into_owned();
        if let Peeked::File(size, content) = entry
            && size <= LONGEST
            && wanted(&name)
        {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes).map_err(|error| of_fault(archive, error.into()))?;
            found.push((name, bytes));
        }
        Ok::<_, UnpackError>(true)
    })?;
    Ok(found)
}
