//! What the environment in an archive needs, without unpacking it.

use std::{collections::BTreeMap, io::Read as _, path::Path};

use miette::Diagnostic as _;

use super::{
    error::NeedsError,
    model::{Needs, Owner},
    stream::Stream,
};
use crate::{
    archive::{Fault, Kind, Limits, Member, open},
    conda::is_record,
    tree::NEEDS,
};

/// More than any environment has; what they hold is looked at one after the other.
const LIMITS: Limits = Limits { entries: 1 << 23, bytes: u64::MAX };
/// No list of needs is longer, in bytes.
const LONGEST: u64 = 64 << 20;
/// What every environment has, so that a folder around it in the archive is recognised.
const META: &[u8] = b"conda-meta";

/// What the environment in an archive needs: as the archive says itself, and when it does not, read from all that it holds.
/// All formats will do, also those of others who pack environments.
///
/// # Errors
/// When it cannot be read or is no archive; and as for [`of_folder`](super::of_folder).
pub fn of_archive(archive: &Path) -> Result<Needs, NeedsError> {
    let fail = |fault: Fault| strange(archive, &fault);
    let mut source = open(archive, &[NEEDS], LIMITS).map_err(fail)?;
    let mut stream = Stream::new();
    let mut around = None;
    while let Some(Member { name, kind, data }) = source.next().map_err(fail)? {
        let around = around.get_or_insert_with(|| folder_around(&name));
        let name = name.strip_prefix(around.as_slice()).unwrap_or(&name);
        match kind {
            Kind::Folder => {}
            Kind::Link(target) => stream.link(name, &target),
            Kind::File(_) if name == NEEDS.as_bytes() => {
                let mut bytes = Vec::new();
                data.take(LONGEST).read_to_end(&mut bytes).map_err(|error| fail(error.into()))?;
                // What another version has written is found out anew.
                if let Ok(needs) = Needs::parse(&bytes) {
                    return Ok(needs);
                }
            }
            Kind::File(info) => stream.file(name, info.size, data)?,
        }
    }
    Ok(stream.finish())
}

/// More of the packages in an archive, as their records tell, by `name-version-build`. [`of_archive`] does not give it where
/// an archive says itself what it needs.
///
/// # Errors
/// As for [`of_archive`].
pub fn owners_in(archive: &Path) -> Result<BTreeMap<String, Owner>, NeedsError> {
    let fail = |fault: Fault| strange(archive, &fault);
    let mut source = open(archive, &[], LIMITS).map_err(fail)?;
    let mut stream = Stream::new();
    while let Some(Member { name, kind, data }) = source.next().map_err(fail)? {
        let name = name.strip_prefix(folder_around(&name).as_slice()).unwrap_or(&name);
        if let Kind::File(info) = kind
            && is_record(name)
        {
            stream.file(name, info.size, data)?;
        }
    }
    Ok(stream.finish().owners)
}

fn strange(archive: &Path, fault: &Fault) -> NeedsError {
    NeedsError::Archive {
        path: archive.to_owned(),
        help: fault.help().map_or_else(|| "see that it is there and can be read".to_owned(), |it| it.to_string()),
        reason: fault.to_string(),
    }
}

/// The folder in which an archive holds its environment, with a slash, by the name of its first entry, which is one of
/// envbuild's; empty when it is another's.
fn folder_around(first: &[u8]) -> Vec<u8> {
    let mut at = 0;
    for part in first.split(|it| *it == b'/') {
        if part == META {
            return first[..at].to_owned();
        }
        at += part.len() + 1;
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::folder_around;

    #[test]
    fn a_folder_around_the_environment_is_recognised() {
        for (first, expected) in [
            ("conda-meta/envbuild/relocate.json", ""),
            ("opt/env/conda-meta/envbuild/relocate.json", "opt/env/"),
            ("env/conda-meta", "env/"),
            ("bin/python", ""),
        ] {
            assert_eq!(folder_around(first.as_bytes()), expected.as_bytes(), "{first}");
        }
    }
}
