//! An environment that was unpacked, as the tree that it is at another place of this machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use super::{
    deployed::{Deployed, absolute, bytes_of},
    edited,
    error::UnpackError,
    machine::check_prefix,
    verify::{Verified, VerifyRequest, compare},
    whole::below,
};
use crate::{
    base::FsError,
    tree::{DigestOf, Entries, Entry, FILES, File, HEADER, MARKER, Places, with_prefix},
};

/// An environment as it is elsewhere.
#[derive(Debug)]
pub struct Transplanted {
    /// What is as it came, with the lists that say so and the marker of the new place.
    pub entries: Entries,
    /// What somebody changed, with the new prefix where the old one stands as a whole path, and whether it does.
    pub changed: BTreeMap<Vec<u8>, (Entry, bool)>,
    /// Of these, the binary files that go on naming the old prefix, because there is no room for the new one.
    pub left: Vec<Vec<u8>>,
    /// How many of the `entries` have another prefix now.
    pub replaced: u64,
    /// The prefix that the files named.
    pub named: PathBuf,
    /// How the environment differs from its digests.
    pub verified: Verified,
}

/// Reads the environment of a request and gives the tree that it is at `to`; nothing when it did not come from an archive of
/// ours. What is in no list is not in that tree.
///
/// # Errors
/// When its lists cannot be understood, it was left half relocated, it cannot live at that path, a file cannot be read, or
/// somebody wants it to stop.
pub fn transplant(request: &VerifyRequest<'_>, to: &Path) -> Result<Option<Transplanted>, UnpackError> {
    if !below(request.prefix, HEADER.as_bytes()).is_file() {
        return Ok(None);
    }
    let deployed = Deployed::at(request.prefix)?;
    let to = absolute(to)?;
    check_prefix(&to, deployed.head.header.placeholder.len())?;
    let verified = compare(&deployed, request)?;
    // There is one, or nothing could have been compared.
    let named = bytes_of(&verified.named).to_vec();
    let new = bytes_of(&to);
    let mut tree = Transplanted {
        entries: Entries::new(),
        changed: BTreeMap::new(),
        left: Vec::new(),
        replaced: 0,
        named: verified.named.clone(),
        verified,
    };
    let missing: BTreeSet<&Vec<u8>> = tree.verified.missing.iter().collect();
    let changed: BTreeSet<&Vec<u8>> = tree.verified.changed.iter().collect();
    for (name, of) in deployed.head.digests.0.iter().filter(|(name, _)| !missing.contains(name)) {
        if changed.contains(name) {
            let found = edited(&deployed, name, &named, new, &mut tree.left)?;
            tree.changed.extend(found.map(|it| (name.clone(), it)));
        } else {
            let (entry, replaced) = same(&deployed, name, *of, &named, new)?;
            tree.replaced += u64::from(replaced);
            tree.entries.insert(name.clone(), entry);
        }
    }
    for name in [HEADER, FILES] {
        tree.entries.insert(name.into(), on_disk(&deployed, name.as_bytes())?);
    }
    tree.entries.insert(MARKER.into(), Entry::made([new, b"\n"].concat(), false));
    Ok(Some(tree))
}

/// What is as it came, and whether it names the new prefix instead of the old one.
fn same(
    deployed: &Deployed,
    name: &[u8],
    of: DigestOf,
    named: &[u8],
    new: &[u8],
) -> Result<(Entry, bool), UnpackError> {
    let canonical = deployed.head.header.placeholder.as_bytes();
    let relocation = &deployed.head.relocation;
    if of.kind == 'D' {
        return Ok((Entry::Folder, false));
    }
    if let Some(link) = relocation.links.get(name) {
        return Ok((Entry::Link(with_prefix(link, canonical, new)), true));
    }
    let entry = on_disk(deployed, name)?;
    Ok(match relocation.places.get(name) {
        Some(places) => (spliced(entry, places, canonical.len(), named, new), true),
        None => (entry, false),
    })
}

/// The same for what somebody changed; nothing for what is neither a file, a folder nor a link.
fn edited(
    deployed: &Deployed,
    name: &[u8],
    named: &[u8],
    new: &[u8],
    left: &mut Vec<Vec<u8>>,
) -> Result<Option<(Entry, bool)>, UnpackError> {
    let path = below(&deployed.prefix, name);
    let metadata = path.symlink_metadata().map_err(|error| FsError::new("look at", &path, error))?;
    if metadata.is_dir() {
        return Ok(Some((Entry::Folder, false)));
    }
    let entry = match on_disk(deployed, name)? {
        Entry::Link(mut target) => {
            let replaced = edited::replace(&mut target, named, new, true);
            let replaced = replaced.map_err(|error| FsError::new("read the link", &path, error))?;
            return Ok(Some((Entry::Link(target), replaced > 0)));
        }
        _ if !metadata.is_file() => return Ok(None),
        entry => entry,
    };
    let places = edited::find(&path, named, new, true).map_err(|error| FsError::new("read", &path, error))?;
    Ok(match places {
        Some(Places::Binary(_)) if new.len() > named.len() => {
            left.push(name.to_vec());
            Some((entry, false))
        }
        Some(places) => Some((spliced(entry, &places, named.len(), named, new), true)),
        None => Some((entry, false)),
    })
}

fn spliced(entry: Entry, places: &Places, canonical: usize, named: &[u8], new: &[u8]) -> Entry {
    match entry {
        Entry::File(File { content, executable, modified }) => {
            let content = content.spliced(places.splices(canonical, named, new));
            Entry::File(File { content, executable, modified })
        }
        other => other,
    }
}

/// A file or link as it is there.
fn on_disk(deployed: &Deployed, name: &[u8]) -> Result<Entry, FsError> {
    let path = below(&deployed.prefix, name);
    let metadata = path.symlink_metadata().map_err(|error| FsError::new("look at", &path, error))?;
    if metadata.is_symlink() {
        let target = path.read_link().map_err(|error| FsError::new("read the link", &path, error))?;
        return Ok(Entry::Link(target.into_os_string().into_vec()));
    }
    Ok(Entry::File(File::on_disk(path, &metadata)))
}
