//! What a package is, apart from its name's digits: two archives of the same content have the same bytes.

use std::{io, path::Path};

use blake3::{Hash, Hasher};

use super::{
    CondaError,
    archive::{Archive, Member},
    name,
};
use crate::base::Digest;

// Raised when the same digests would come of other bytes, such as by another compression.
// 1: paths, and info files but the recipe's. 2: every byte but the digits, compressed by one version of one library.
const SCHEMA: u32 = 2;

/// The content of an open archive, whose `info` was read with a provisional build string.
pub(super) fn content_of(archive: &mut Archive, info: &[u8]) -> Result<Digest, CondaError> {
    let metadata = hash(archive, Member::Metadata)?;
    // As it is stored: what is compressed differently has other bytes, and bytes of one name are equal.
    let pkg = hash(archive, Member::Pkg)?;
    Ok(combine(metadata, pkg, blake3::hash(info)).into())
}

/// Every part has one length, so that no two lists of them give the same bytes.
pub(super) fn combine(metadata: Hash, pkg: Hash, info: Hash) -> Hasher {
    let mut hasher = Hasher::new();
    hasher.update(&SCHEMA.to_le_bytes()).update(&zstd::zstd_safe::version_number().to_le_bytes());
    hasher.update(metadata.as_bytes()).update(pkg.as_bytes()).update(info.as_bytes());
    hasher
}

pub(super) fn hash(archive: &mut Archive, member: Member) -> Result<Hash, CondaError> {
    let mut hasher = Hasher::new();
    let read = io::copy(&mut archive.member(member)?, &mut hasher);
    read.map_err(|error| archive.bad(error))?;
    Ok(hasher.finalize())
}

/// The content of an archive that has its final name; nothing when the digits at the end of its build string are not
/// those of its content, because somebody changed it or another program made it.
///
/// # Errors
/// When the archive cannot be read or is not a conda package.
pub fn sealed_content(archive: &Path) -> Result<Option<Digest>, CondaError> {
    let mut archive = Archive::open(archive)?;
    let build = archive.build()?;
    let Some((provisional, digits)) = name::unfinished(&build) else { return Ok(None) };
    let info = archive.info(&build, &provisional)?;
    let content = content_of(&mut archive, &info)?;
    Ok((content.short(name::DIGITS) == digits).then_some(content))
}
