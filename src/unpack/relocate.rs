//! Writes into the files of an environment where it lies now, as often as one likes.
//!
//! Each file is written beside and renamed, so at any moment it is as it was or as it will be, and its canonical form
//! tells which. Meanwhile [`PART`](crate::tree::PART) stands in the marker's place and names every prefix that a file may
//! hold, so that a run that was interrupted is completed by the next, there or elsewhere.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{
    crew,
    deployed::{Deployed, bytes_of},
    edited,
    error::UnpackError,
    machine::check_prefix,
    rewrite::Rewriter,
    whole::below,
};
use crate::{
    base::{Cancel, Meter, Progress, Scratch, fs},
    tree::{DigestOf, FOLDER, MARKER, PART, with_prefix},
};

/// What to relocate.
#[derive(Debug, Clone, Copy)]
pub struct RelocateRequest<'a> {
    /// The environment, at the path that its files are to name. A relative path is made absolute.
    pub prefix: &'a Path,
    /// Threads that rewrite, at least one.
    pub threads: u32,
    /// Is told how many bytes of the files that hold the prefix are done.
    pub progress: Progress<'a>,
    /// When it is raised, it stops between two files.
    pub cancel: &'a Cancel,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relocated {
    /// The prefixes that the files named before.
    pub from: Vec<PathBuf>,
    /// How many files and links were rewritten.
    pub rewritten: u64,
    /// Files and links that somebody changed since they came, sorted by name.
    pub edited: Vec<Edited>,
    /// Files and links that are listed and gone, sorted.
    pub missing: Vec<Vec<u8>>,
}

/// A file that is not what it was, so that its lists do not say where the prefix stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// Its name, relative to the environment.
    pub name: Vec<u8>,
    /// How often the old prefix was found there, as a whole path, and replaced.
    pub replaced: usize,
    /// Whether it still names the old prefix, because there is no room for the new one.
    pub left: bool,
}

/// Makes an environment name the path at which it lies: after it was moved or copied, after `conda-unpack`, after `tar`
/// alone, after a run that was interrupted.
///
/// # Errors
/// When it did not come from an archive of ours, or cannot live at its path; when a file cannot be read or written; when
/// somebody wants it to stop. The next run goes on from there.
pub fn relocate(request: &RelocateRequest<'_>) -> Result<Relocated, UnpackError> {
    let deployed = Deployed::at(request.prefix)?;
    check_prefix(&deployed.prefix, deployed.head.header.placeholder.len())?;
    let new = bytes_of(&deployed.prefix).to_vec();
    let path_of = |bytes: &Vec<u8>| PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes));
    let from = deployed.named.iter().map(path_of).collect();
    let marker = below(&deployed.prefix, MARKER.as_bytes());
    let folder = below(&deployed.prefix, FOLDER.as_bytes());
    let part = below(&deployed.prefix, PART.as_bytes());
    if deployed.whole && deployed.named == [new.as_slice()] && marker.is_file() {
        // Whoever wrote the marker may have been killed before he was done.
        fs::remove_file(&part)?;
        fs::sweep(&folder)?;
        return Ok(Relocated { from, ..Relocated::default() });
    }
    let mut lines = vec![new.as_slice()];
    lines.extend(deployed.named.iter().map(Vec::as_slice).filter(|it| *it != new.as_slice()));
    fs::write_atomic(&part, &[lines.join(&b'\n'), b"\n".to_vec()].concat())?;
    fs::remove_file(&marker)?;
    fs::sweep(&folder)?;
    let scratch = Scratch::inside(&folder)?;
    let rewriter = Rewriter::new(scratch.path(), &deployed.prefix);

    let mut items: Vec<(&[u8], &DigestOf)> = Vec::new();
    for name in deployed.head.relocation.names() {
        items.extend(deployed.head.digests.0.get_key_value(name).map(|(name, of)| (name.as_slice(), of)));
    }
    items.sort_by_key(|(_, of)| std::cmp::Reverse(of.size));
    let meter = Meter::new(request.progress, items.iter().map(|(_, of)| of.size).sum());
    let outcomes = crew::each(request.threads, &items, |(name, of)| {
        if request.cancel.is_cancelled() {
            return Err(UnpackError::StoppedHalfway(deployed.prefix.clone()));
        }
        let outcome = one(&deployed, &rewriter, name, of, &new);
        meter.add(of.size);
        outcome
    });
    let mut done = Relocated { from, ..Relocated::default() };
    for ((name, _), outcome) in items.iter().zip(outcomes) {
        match outcome? {
            Outcome::Same => {}
            Outcome::Rewritten => done.rewritten += 1,
            Outcome::Missing => done.missing.push(name.to_vec()),
            Outcome::Edited(edited) => {
                done.rewritten += u64::from(edited.replaced > 0);
                done.edited.push(edited);
            }
        }
    }
    done.missing.sort();
    done.edited.sort_by(|one, other| one.name.cmp(&other.name));
    fs::write_atomic(&marker, &[new.as_slice(), b"\n"].concat())?;
    fs::remove_file(&part)?;
    Ok(done)
}

enum Outcome {
    Same,
    Rewritten,
    Missing,
    Edited(Edited),
}

fn one(
    deployed: &Deployed,
    rewriter: &Rewriter<'_>,
    name: &[u8],
    of: &DigestOf,
    new: &[u8],
) -> Result<Outcome, UnpackError> {
    let head = &deployed.head;
    let canonical = head.header.placeholder.as_bytes();
    let state = match deployed.state(name, of) {
        Ok(state) => state,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Outcome::Missing);
        }
        Err(error) => return Err(error.into()),
    };
    let Some(now) = state.map(|index| deployed.named[index].as_slice()) else {
        return edited::rewrite(deployed, rewriter, name, new).map(Outcome::Edited);
    };
    if now == new {
        return Ok(Outcome::Same);
    }
    if let Some(link) = head.relocation.links.get(name) {
        rewriter.link(name, &with_prefix(link, canonical, new))?;
    } else if let Some(places) = head.relocation.places.get(name) {
        rewriter.file(name, &places.splices(canonical.len(), now, new))?;
    }
    Ok(Outcome::Rewritten)
}
