//! Writes the files of an environment, from several threads, each with its prefix already right.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use super::{error::UnpackError, head::Head, reader::of_fault, whole::below};
use crate::{
    archive::FileInfo,
    base::{Digest, FsError, Meter},
    tree::{DigestOf, Places, Splicer},
};

/// Where an environment grows, and from what.
pub(super) struct Site<'a> {
    /// The folder that becomes the environment.
    pub(super) root: &'a Path,
    pub(super) archive: &'a Path,
    pub(super) head: &'a Head,
    /// The prefix that its files are to name.
    pub(super) new: &'a [u8],
    pub(super) meter: Meter<'a>,
}

impl Site<'_> {
    /// What the list says of a file; nothing of the two that cannot be in it.
    ///
    /// # Errors
    /// When it is not in the list, or has another mode or size there.
    pub(super) fn listed(&self, name: &[u8], info: FileInfo) -> Result<Option<DigestOf>, UnpackError> {
        if super::head::is_beside_the_list(name) {
            return Ok(None);
        }
        let of = self.head.digests.0.get(name).ok_or_else(|| self.refused(name, NOT_LISTED))?;
        if of.kind != if info.executable { 'X' } else { 'F' } {
            return Err(self.refused(name, "is of another kind in the archive's list"));
        }
        let size = match self.head.relocation.places.get(name) {
            Some(places) => self.splices_to(places, self.head.header.prefix.as_bytes()).size_after(of.size),
            None => of.size,
        };
        if info.size != size {
            return Err(self.refused(name, "has another size in the archive's list"));
        }
        Ok(Some(*of))
    }

    /// Writes a file whose bytes are in memory.
    pub(super) fn write(&self, name: &[u8], info: FileInfo, bytes: &[u8]) -> Result<(), UnpackError> {
        let of = self.listed(name, info)?;
        let path = below(self.root, name);
        if let Some(places) = self.head.relocation.places.get(name) {
            let mut spliced = Vec::with_capacity(bytes.len() + 256);
            let digest = self.splice(places, bytes, &mut spliced, &path)?;
            self.check(name, of, digest)?;
            let mut file = create(&path, info)?;
            file.write_all(&spliced).map_err(|error| FsError::new("write", path, error))?;
        } else {
            if of.is_some() {
                self.check(name, of, Digest::of(bytes))?;
            }
            let mut file = create(&path, info)?;
            file.write_all(bytes).map_err(|error| FsError::new("write", &path, error))?;
            set_time(&file, info.modified).map_err(|error| FsError::new("write", path, error))?;
        }
        self.meter.add(info.size);
        Ok(())
    }

    /// Writes a file whose bytes come by.
    pub(super) fn stream(&self, name: &[u8], info: FileInfo, data: &mut dyn Read) -> Result<(), UnpackError> {
        let of = self.listed(name, info)?;
        let path = below(self.root, name);
        let mut file = create(&path, info)?;
        let mut metered = Metered { inner: data, meter: &self.meter, count: 0 };
        let digest = if let Some(places) = self.head.relocation.places.get(name) {
            self.splice(places, &mut metered, &mut file, &path)?
        } else {
            let mut hasher = blake3::Hasher::new();
            self.copy(&mut metered, &mut file, &path, |piece| {
                hasher.update(piece);
            })?;
            set_time(&file, info.modified).map_err(|error| FsError::new("write", path, error))?;
            hasher.into()
        };
        if metered.count != info.size {
            return Err(self.damaged(io::ErrorKind::UnexpectedEof.into()));
        }
        self.check(name, of, digest)
    }

    /// Turns what the archive holds into the canonical form, whose digest it gives, and that into what is wanted here.
    fn splice(
        &self,
        places: &Places,
        data: impl Read,
        out: &mut dyn io::Write,
        path: &Path,
    ) -> Result<Digest, UnpackError> {
        let header = &self.head.header;
        let canonical = header.placeholder.as_bytes();
        let back = places.splices(canonical.len(), header.prefix.as_bytes(), canonical);
        let there = self.splices_to(places, self.new);
        let mut hashing =
            Hashing { inner: buffered(Splicer::new(buffered(data), &back)), hasher: blake3::Hasher::new() };
        self.copy(&mut Splicer::new(buffered(&mut hashing), &there), out, path, |_| {})?;
        Ok(hashing.hasher.into())
    }

    fn splices_to(&self, places: &Places, to: &[u8]) -> crate::tree::Splices {
        let canonical = self.head.header.placeholder.as_bytes();
        places.splices(canonical.len(), canonical, to)
    }

    /// The file's own faults are the disk's, and those of the data are the archive's.
    fn copy(
        &self,
        from: &mut dyn Read,
        to: &mut dyn io::Write,
        path: &Path,
        mut see: impl FnMut(&[u8]),
    ) -> Result<(), UnpackError> {
        let mut buffer = vec![0; 128 << 10];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.damaged(error)),
            };
            see(&buffer[..read]);
            to.write_all(&buffer[..read]).map_err(|error| FsError::new("write", path, error))?;
        }
    }

    /// Compares what came with the list.
    pub(super) fn check(&self, name: &[u8], of: Option<DigestOf>, digest: Digest) -> Result<(), UnpackError> {
        match of {
            Some(of) if of.digest != digest => {
                let text = format!("`{}` does not have the digest that is listed", name.escape_ascii());
                Err(self.damaged(io::Error::other(text)))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn damaged(&self, error: io::Error) -> UnpackError {
        of_fault(self.archive, error.into())
    }

    pub(super) fn refused(&self, name: &[u8], why: &'static str) -> UnpackError {
        UnpackError::Refused { path: self.archive.to_owned(), entry: name.escape_ascii().to_string(), why }
    }
}

pub(super) const NOT_LISTED: &str = "is not in the archive's list";

fn buffered<R: Read>(inner: R) -> BufReader<R> {
    BufReader::with_capacity(32 << 10, inner)
}

/// Makes a file that is not there yet, through no link.
fn create(path: &PathBuf, info: FileInfo) -> Result<File, UnpackError> {
    let mode = if info.executable { 0o755 } else { 0o644 };
    let file = File::options().write(true).create_new(true).mode(mode).open(path);
    file.map_err(|error| FsError::new("write", path, error).into())
}

fn set_time(file: &File, modified: u64) -> io::Result<()> {
    file.set_modified(UNIX_EPOCH.checked_add(Duration::from_secs(modified)).unwrap_or(UNIX_EPOCH))
}

/// Hashes what is read.
struct Hashing<R> {
    inner: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

/// Counts what is read.
struct Metered<'a, R> {
    inner: R,
    meter: &'a Meter<'a>,
    count: u64,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count += read as u64;
        self.meter.add(read as u64);
        Ok(read)
    }
}
