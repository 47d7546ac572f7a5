//! Lets an environment grow below a fresh folder, entry by entry, never through anything that an entry made but a folder.

use std::{collections::BTreeMap, ffi::OsString, io::Read, os::unix::ffi::OsStringExt as _, path::Path};

use super::{
    crew::Bench,
    error::UnpackError,
    head::Head,
    site::{NOT_LISTED, Site},
    whole::{Unpacked, below},
};
use crate::{
    archive::FileInfo,
    base::{Digest, FsError},
    tree::{HEADER, MARKER, PART, with_prefix},
};

/// Longer files are written while they are read; others wait in memory for a thread that writes them.
const SMALL: u64 = 1 << 20;

/// A small file.
pub(super) struct Job {
    pub(super) name: Vec<u8>,
    pub(super) info: FileInfo,
    pub(super) bytes: Vec<u8>,
}

/// The growing environment.
pub(super) struct Tree<'a> {
    site: &'a Site<'a>,
    bench: &'a Bench<'a, Job, UnpackError>,
    /// What exists by now: `true` for folders.
    made: BTreeMap<Vec<u8>, bool>,
    done: Unpacked,
}

impl<'a> Tree<'a> {
    /// The site's folder is empty. The markers are ours: no entry may have their names.
    pub(super) fn new(site: &'a Site<'a>, bench: &'a Bench<'a, Job, UnpackError>) -> Self {
        let made = [MARKER, PART].map(|name| (name.as_bytes().to_vec(), false)).into();
        Self { site, bench, made, done: Unpacked::default() }
    }

    /// Writes the entries that stand first.
    pub(super) fn head(&mut self) -> Result<(), UnpackError> {
        let site = self.site;
        for (name, content) in &site.head.contents {
            let Some(content) = content else {
                self.folder(name.as_bytes())?;
                continue;
            };
            let mut bytes = content.bytes.clone();
            if *name == HEADER && site.head.header.since.is_some() {
                // The tree is to be the one that the whole archive gives.
                bytes = crate::tree::Header { since: None, ..site.head.header.clone() }.to_bytes();
            }
            let (executable, modified) = (content.executable, content.modified);
            let info = FileInfo { executable, modified, size: bytes.len() as u64 };
            self.file(name.as_bytes(), info, &mut bytes.as_slice())?;
        }
        Ok(())
    }

    pub(super) fn folder(&mut self, name: &[u8]) -> Result<(), UnpackError> {
        // The two that stand first come again where a format gives them later.
        let is_first =
            self.site.head.contents.iter().any(|(first, content)| content.is_none() && first.as_bytes() == name);
        if is_first && self.made.get(name) == Some(&true) {
            return Ok(());
        }
        self.claim(name)?;
        self.listed(name, 'D')?;
        self.make_folder(name)
    }

    pub(super) fn link(&mut self, name: &[u8], target: &[u8]) -> Result<(), UnpackError> {
        self.claim(name)?;
        let of = self.listed(name, 'L')?;
        let header = &self.site.head.header;
        let placeholder = header.placeholder.as_bytes();
        let canonical = self.site.head.relocation.links.get(name);
        let expected = canonical.map(|canonical| with_prefix(canonical, placeholder, header.prefix.as_bytes()));
        if expected.is_some_and(|expected| expected != target) {
            return Err(self.site.refused(name, "is another link in the archive's list"));
        }
        self.site.check(name, Some(of), Digest::of(canonical.map_or(target, Vec::as_slice)))?;
        self.make_link(name, target)
    }

    /// Makes a link to where it leads when the environment is at its place.
    fn make_link(&mut self, name: &[u8], target: &[u8]) -> Result<(), UnpackError> {
        let head = self.site.head;
        let target = match head.relocation.links.get(name) {
            Some(canonical) => {
                self.done.replaced += 1;
                with_prefix(canonical, head.header.placeholder.as_bytes(), self.site.new)
            }
            None => target.to_owned(),
        };
        let path = below(self.site.root, name);
        std::os::unix::fs::symlink(OsString::from_vec(target), &path)
            .map_err(|error| FsError::new("make the link", path, error))?;
        self.made.insert(name.to_owned(), false);
        Ok(())
    }

    pub(super) fn file(&mut self, name: &[u8], info: FileInfo, data: &mut dyn Read) -> Result<(), UnpackError> {
        let site = self.site;
        if name == MARKER.as_bytes() && is_settled(site.head) {
            return self.marker(data);
        }
        self.claim(name)?;
        site.listed(name, info)?;
        self.made.insert(name.to_owned(), false);
        self.done.files += 1;
        self.done.bytes += info.size;
        self.done.replaced += u64::from(site.head.relocation.places.contains_key(name));
        if info.size > SMALL {
            return site.stream(name, info, data);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(info.size).unwrap_or_default());
        data.take(info.size).read_to_end(&mut bytes).map_err(|error| site.damaged(error))?;
        if bytes.len() as u64 != info.size {
            return Err(site.damaged(std::io::ErrorKind::UnexpectedEof.into()));
        }
        // An empty file is work, too.
        self.bench.bring(bytes.len() + 512, Job { name: name.to_owned(), info, bytes })
    }

    /// An archive that was made for one place brings the marker, which is written when everything else is there.
    fn marker(&mut self, data: &mut dyn Read) -> Result<(), UnpackError> {
        let expected = [self.site.head.header.prefix.as_bytes(), b"\n"].concat();
        let mut found = Vec::new();
        let length = expected.len() as u64 + 1;
        data.take(length).read_to_end(&mut found).map_err(|error| self.site.damaged(error))?;
        if found != expected || self.made.insert(b"".to_vec(), false).is_some() {
            return Err(self.site.refused(MARKER.as_bytes(), "names another prefix than the archive's list"));
        }
        Ok(())
    }

    /// Whether a file or link has not come. For an update the caller knows where it is; for folders it does not matter.
    pub(super) fn is_missing(&self, name: &[u8]) -> bool {
        !self.made.contains_key(name)
    }

    /// Makes a folder of the old tree again.
    pub(super) fn kept_folder(&mut self, name: &[u8]) -> Result<(), UnpackError> {
        self.claim(name)?;
        self.make_folder(name)
    }

    /// Takes a file of the old tree; where the file system has no hard links, a copy of it.
    pub(super) fn kept(&mut self, name: &[u8], old: &Path) -> Result<(), UnpackError> {
        self.claim(name)?;
        self.made.insert(name.to_owned(), false);
        let new = below(self.site.root, name);
        if std::fs::hard_link(old, &new).is_ok() {
            return Ok(());
        }
        let copy = || -> std::io::Result<()> {
            std::fs::copy(old, &new)?;
            let modified = old.metadata()?.modified()?;
            std::fs::File::options().write(true).open(&new)?.set_modified(modified)
        };
        copy().map_err(|error| FsError::new("copy", old, error).into())
    }

    /// Makes a link of the old tree again.
    pub(super) fn kept_link(&mut self, name: &[u8], target: &[u8]) -> Result<(), UnpackError> {
        self.claim(name)?;
        self.make_link(name, target)
    }

    /// That an entry is not welcome.
    pub(super) fn refused(&self, name: &[u8], why: &'static str) -> UnpackError {
        self.site.refused(name, why)
    }

    /// Gives what was done, when everything that is listed was there.
    pub(super) fn finish(self) -> Result<Unpacked, UnpackError> {
        let made = |name: &Vec<u8>, kind| self.made.get(name) == Some(&(kind == 'D'));
        match self.site.head.digests.0.iter().find(|(name, of)| !made(name, of.kind)) {
            Some((name, _)) => Err(self.site.refused(name, "is in the archive's list and is not there")),
            None => Ok(self.done),
        }
    }

    /// Makes the parents of a name and checks that the name is free.
    fn claim(&mut self, name: &[u8]) -> Result<(), UnpackError> {
        for (at, _) in name.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            match self.made.get(&name[..at]) {
                Some(true) => {}
                Some(false) => {
                    return Err(self.site.refused(name, "would be written through something that is no folder"));
                }
                None => self.make_folder(&name[..at])?,
            }
        }
        match self.made.get(name) {
            Some(_) => Err(self.site.refused(name, "is there twice")),
            None => Ok(()),
        }
    }

    fn listed(&self, name: &[u8], kind: char) -> Result<crate::tree::DigestOf, UnpackError> {
        match self.site.head.digests.0.get(name) {
            None => Err(self.site.refused(name, NOT_LISTED)),
            Some(of) if of.kind != kind => Err(self.site.refused(name, "is of another kind in the archive's list")),
            Some(of) => Ok(*of),
        }
    }

    fn make_folder(&mut self, name: &[u8]) -> Result<(), UnpackError> {
        if self.site.head.digests.0.get(name).is_some_and(|of| of.kind != 'D') {
            return Err(self.site.refused(name, "is of another kind in the archive's list"));
        }
        let path = below(self.site.root, name);
        std::fs::create_dir(&path).map_err(|error| FsError::new("make the folder", path, error))?;
        self.made.insert(name.to_owned(), true);
        Ok(())
    }
}

/// Whether an archive was made for one place, whose path its files name.
fn is_settled(head: &Head) -> bool {
    head.header.prefix != head.header.placeholder
}

/// Writes the marker into a finished environment.
pub(super) fn mark(root: &Path, new: &[u8]) -> Result<(), UnpackError> {
    let path = below(root, MARKER.as_bytes());
    std::fs::write(&path, [new, b"\n"].concat()).map_err(|error| FsError::new("write", path, error).into())
}
