//! Compares an environment with the digests that came with it.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{
    crew,
    deployed::{Deployed, bytes_of},
    error::UnpackError,
};
use crate::{
    base::{Cancel, Digest, FsError, Meter, Progress},
    tree::{self, DigestOf, FILES, HEADER, MARKER, PART},
};

/// What to verify.
#[derive(Debug, Clone, Copy)]
pub struct VerifyRequest<'a> {
    /// The environment.
    pub prefix: &'a Path,
    /// Threads that read, at least one.
    pub threads: u32,
    /// Is told how many bytes are read.
    pub progress: Progress<'a>,
    /// When it is raised, it stops.
    pub cancel: &'a Cancel,
}

/// What was found. Names are bytes, relative to the environment, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The prefix that the files name: elsewhere, when the environment was moved.
    pub named: PathBuf,
    /// The digest that names the tree.
    pub tree: Digest,
    /// How many files, folders and links were compared.
    pub compared: usize,
    /// What is no longer what it was.
    pub changed: Vec<Vec<u8>>,
    /// What is gone.
    pub missing: Vec<Vec<u8>>,
    /// What came since, but for the bytecode that Python writes; of a folder that came, only itself.
    pub added: Vec<Vec<u8>>,
}

impl Verified {
    /// Whether everything that came with the environment is as it was.
    pub fn is_good(&self) -> bool {
        self.changed.is_empty() && self.missing.is_empty()
    }
}

/// Compares every file, link and folder of an environment with its digest; files are turned back into the form in which
/// they name no prefix.
///
/// # Errors
/// When it did not come from an archive of ours, or was left half relocated; when a file cannot be read; when somebody
/// wants it to stop.
pub fn verify(request: &VerifyRequest<'_>) -> Result<Verified, UnpackError> {
    let deployed = Deployed::at(request.prefix)?;
    compare(&deployed, request)
}

/// The same, for an environment whose lists are read.
pub(super) fn compare(deployed: &Deployed, request: &VerifyRequest<'_>) -> Result<Verified, UnpackError> {
    let ([named], true) = (deployed.named.as_slice(), deployed.whole) else {
        return Err(UnpackError::HalfRelocated(deployed.prefix.clone()));
    };
    let digests = &deployed.head.digests;
    let meter = Meter::new(request.progress, digests.counts().bytes);
    let mut all: Vec<(&Vec<u8>, &DigestOf)> = digests.0.iter().collect();
    // The largest first, so that none is begun when all others are done.
    all.sort_by_key(|(_, of)| std::cmp::Reverse(of.size));
    let states = crew::each(request.threads, &all, |(name, of)| {
        if request.cancel.is_cancelled() {
            return Err(UnpackError::Stopped);
        }
        let found = match deployed.state(name, of) {
            Ok(Some(_)) => None,
            Ok(None) => Some(Fault::Changed),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Some(Fault::Missing)
            }
            Err(error) => return Err(error.into()),
        };
        meter.add(of.size);
        Ok(found)
    });
    let (mut changed, mut missing) = (Vec::new(), Vec::new());
    for ((name, _), state) in all.iter().zip(states) {
        match state? {
            Some(Fault::Changed) => changed.push((*name).clone()),
            Some(Fault::Missing) => missing.push((*name).clone()),
            None => {}
        }
    }
    changed.sort();
    missing.sort();
    let added = added(deployed)?;
    let named = PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(named));
    Ok(Verified { named, tree: deployed.head.header.tree, compared: all.len(), changed, missing, added })
}

enum Fault {
    Changed,
    Missing,
}

/// What is there and not in the list.
fn added(deployed: &Deployed) -> Result<Vec<Vec<u8>>, UnpackError> {
    let digests = &deployed.head.digests;
    let ours = [HEADER, FILES, MARKER, PART].map(str::as_bytes);
    let mut added = Vec::new();
    let mut folders = vec![deployed.prefix.clone()];
    let skip = bytes_of(&deployed.prefix).len() + 1;
    while let Some(folder) = folders.pop() {
        for path in crate::base::fs::list(&folder)? {
            let name = bytes_of(&path).get(skip..).unwrap_or_default();
            let metadata = path.symlink_metadata().map_err(|error| FsError::new("look at", &path, error))?;
            let listed = digests.0.contains_key(name) || ours.contains(&name);
            let holds_listed = metadata.is_dir() && !listed && holds_listed(digests, name);
            if metadata.is_dir() && (listed || holds_listed || name.ends_with(b"/__pycache__")) {
                folders.push(path);
            } else if !listed && !is_bytecode(name) {
                added.push(name.to_vec());
            }
        }
    }
    added.sort();
    Ok(added)
}

fn holds_listed(digests: &tree::Digests, folder: &[u8]) -> bool {
    let start = [folder, b"/"].concat();
    digests.0.range(start.clone()..).next().is_some_and(|(name, _)| name.starts_with(&start))
}

fn is_bytecode(name: &[u8]) -> bool {
    name.windows(13).any(|it| it == b"/__pycache__/") && (name.ends_with(b".pyc") || name.ends_with(b".pyo"))
}
