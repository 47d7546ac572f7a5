//! Writes entries below a fresh folder, never through anything that an entry made but a folder.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::{self, Read},
    os::unix::{ffi::OsStringExt as _, fs::OpenOptionsExt as _},
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use super::{
    error::UnpackError,
    head::Head,
    members::FileInfo,
    whole::{Unpacked, below},
};
use crate::{
    base::FsError,
    tree::{MARKER, Splicer, with_prefix},
};

/// The growing environment.
pub(super) struct Tree<'a> {
    root: &'a Path,
    archive: &'a Path,
    head: &'a Head,
    new: &'a [u8],
    /// What exists by now: `true` for folders.
    made: BTreeMap<Vec<u8>, bool>,
    done: Unpacked,
}

impl<'a> Tree<'a> {
    /// `root` is an empty folder; `new` is the prefix that its files are to name.
    pub(super) fn new(root: &'a Path, archive: &'a Path, head: &'a Head, new: &'a [u8]) -> Self {
        Self { root, archive, head, new, made: BTreeMap::new(), done: Unpacked::default() }
    }

    /// The markers are ours: no entry may have their names.
    pub(super) fn reserve_marker(&mut self) {
        self.made.insert(MARKER.into(), false);
        self.made.insert(format!("{MARKER}.part").into_bytes(), false);
    }

    pub(super) fn folder(&mut self, name: &[u8]) -> Result<(), UnpackError> {
        self.claim(name)?;
        self.make_folder(name)
    }

    pub(super) fn link(&mut self, name: &[u8], target: Vec<u8>) -> Result<(), UnpackError> {
        self.claim(name)?;
        let target = match self.head.relocation.links.get(name) {
            Some(canonical) => {
                self.done.replaced += 1;
                with_prefix(canonical, self.head.header.placeholder.as_bytes(), self.new)
            }
            None => target,
        };
        let path = below(self.root, name);
        std::os::unix::fs::symlink(OsString::from_vec(target), &path)
            .map_err(|error| FsError::new("make the link", path, error))?;
        self.made.insert(name.to_owned(), false);
        Ok(())
    }

    pub(super) fn file(&mut self, name: &[u8], info: FileInfo, data: &mut dyn Read) -> Result<(), UnpackError> {
        self.claim(name)?;
        let path = below(self.root, name);
        let mode = if info.executable { 0o755 } else { 0o644 };
        let fail = |error| FsError::new("write", &path, error);
        let file = File::options().write(true).create_new(true).mode(mode).open(&path).map_err(fail)?;
        self.made.insert(name.to_owned(), false);
        let header = &self.head.header;
        let mut file = file;
        let (copied, size) = match self.head.relocation.places.get(name) {
            // The new content is of now, as it is after `sed`.
            Some(places) => {
                self.done.replaced += 1;
                let splices = places.splices(header.placeholder.len(), header.prefix.as_bytes(), self.new);
                let size = splices.size_after(info.size);
                let mut spliced = Splicer::new(io::BufReader::with_capacity(64 * 1024, data), &splices);
                let copied = self.copy(&mut spliced, &mut file, &path)?;
                (copied, size)
            }
            None => {
                let copied = self.copy(data, &mut file, &path)?;
                let modified = UNIX_EPOCH.checked_add(Duration::from_secs(info.modified)).unwrap_or(UNIX_EPOCH);
                file.set_modified(modified).map_err(fail)?;
                (copied, info.size)
            }
        };
        if copied != size {
            return Err(self.damaged(io::ErrorKind::UnexpectedEof.into()));
        }
        self.done.files += 1;
        self.done.bytes += info.size;
        Ok(())
    }

    /// Writes the marker, when everything that the lists name was there.
    pub(super) fn finish(self) -> Result<Unpacked, UnpackError> {
        let names = self.head.relocation.places.keys().chain(self.head.relocation.links.keys());
        if let Some(name) = names.into_iter().find(|name| self.made.get(*name) != Some(&false)) {
            return Err(self.refused(name, "is listed for relocation and is not there"));
        }
        let path = below(self.root, MARKER.as_bytes());
        std::fs::write(&path, [self.new, b"\n"].concat()).map_err(|error| FsError::new("write", path, error))?;
        Ok(self.done)
    }

    /// Makes the parents of a name and checks that the name is free.
    fn claim(&mut self, name: &[u8]) -> Result<(), UnpackError> {
        for (at, _) in name.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            match self.made.get(&name[..at]) {
                Some(true) => {}
                Some(false) => return Err(self.refused(name, "would be written through something that is no folder")),
                None => self.make_folder(&name[..at])?,
            }
        }
        match self.made.get(name) {
            Some(_) => Err(self.refused(name, "is there twice")),
            None => Ok(()),
        }
    }

    fn make_folder(&mut self, name: &[u8]) -> Result<(), UnpackError> {
        let path = below(self.root, name);
        std::fs::create_dir(&path).map_err(|error| FsError::new("make the folder", path, error))?;
        self.made.insert(name.to_owned(), true);
        Ok(())
    }

    fn copy(&self, from: &mut dyn Read, to: &mut dyn io::Write, path: &Path) -> Result<u64, UnpackError> {
        let mut buffer = vec![0; 128 * 1024];
        let mut copied = 0;
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => return Ok(copied),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.damaged(error)),
            };
            to.write_all(&buffer[..read]).map_err(|error| FsError::new("write", path, error))?;
            copied += read as u64;
        }
    }

    fn damaged(&self, source: io::Error) -> UnpackError {
        UnpackError::Damaged { path: self.archive.to_owned(), source }
    }

    fn refused(&self, name: &[u8], why: &'static str) -> UnpackError {
        UnpackError::Refused { path: self.archive.to_owned(), entry: name.escape_ascii().to_string(), why }
    }
}
