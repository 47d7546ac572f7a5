//! Where a file's bytes come from, and a reader of them.

use std::{
    fs::File as OsFile,
    io::{self, BufReader, Read},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    seen::{Changed, Seen},
    splice::{Splicer, Splices},
};
use crate::base::FsError;

/// Where a file's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file on disk as it is; `size` in bytes, `modified` in seconds since 1970, as they were when it was listed.
    Disk {
        /// Where it is.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// When it was changed, in seconds since 1970.
        modified: u64,
        /// What is known of it, when it was read whole since.
        seen: Option<Arc<Seen>>,
    },
    /// Another content with another prefix in it.
    Spliced {
        /// That content.
        inner: Box<Content>,
        /// What changes in it.
        splices: Splices,
    },
    /// Made in memory.
    Made(Vec<u8>),
}

impl Content {
    /// The content with another prefix in it.
    #[must_use]
    pub fn spliced(self, splices: Splices) -> Self {
        if splices.is_empty() { self } else { Self::Spliced { inner: Box::new(self), splices } }
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Disk { size, .. } => *size,
            Self::Spliced { inner, splices } => splices.size_after(inner.size()),
            Self::Made(bytes) => bytes.len() as u64,
        }
    }

    /// The file on disk from which the bytes come.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Disk { path, .. } => Some(path),
            Self::Spliced { inner, .. } => inner.path(),
            Self::Made(_) => None,
        }
    }

    /// What is known of the file on disk from which the bytes come; with another prefix in it, other bytes come of it.
    pub fn seen(&self) -> Option<&Seen> {
        match self {
            Self::Disk { seen, .. } => seen.as_deref(),
            Self::Spliced { inner, .. } => inner.seen(),
            Self::Made(_) => None,
        }
    }

    /// Notes what was found out about the file on disk from which the bytes come.
    pub fn note(&mut self, what: Arc<Seen>) {
        match self {
            Self::Disk { seen, .. } => *seen = Some(what),
            Self::Spliced { inner, .. } => inner.note(what),
            Self::Made(_) => {}
        }
    }

    /// Whether these are a file's bytes just as they are on disk.
    pub fn on_disk(&self) -> Option<(&Path, u64)> {
        match self {
            Self::Disk { path, modified, .. } => Some((path, *modified)),
            Self::Spliced { .. } | Self::Made(_) => None,
        }
    }

    /// Starts to read it. The reader fails with [`io::ErrorKind::InvalidData`] when the file is not what it was, or is changed
    /// before its end is read.
    ///
    /// # Errors
    /// When the file cannot be opened; the error names it.
    pub fn open(&self) -> Result<Reader<'_>, FsError> {
        Ok(Reader(match self {
            Self::Disk { path, size, seen, .. } => {
                if let Some(bytes) = seen.as_deref().and_then(Seen::bytes) {
                    return Ok(Reader(Inner::Memory(bytes)));
                }
                let file = OsFile::open(path).map_err(|error| FsError::new("read", path, error))?;
                let seen = seen.as_deref().and_then(Seen::changed);
                let now = || changed(&file).map_err(|error| FsError::new("read", path, error));
                let changed = seen.map_or_else(now, Ok)?;
                Inner::Disk { file, left: *size, changed }
            }
            Self::Spliced { inner, splices } => {
                let inner = BufReader::with_capacity(64 * 1024, inner.open()?);
                Inner::Spliced(Box::new(Splicer::new(inner, splices)))
            }
            Self::Made(bytes) => Inner::Memory(bytes),
        }))
    }

    /// What went wrong while it was read, as an error that names the file.
    pub fn fault(&self, source: io::Error) -> FsError {
        FsError::new("read", self.path().unwrap_or(Path::new("(made in memory)")), source)
    }
}

/// Reads a [`Content`].
#[derive(Debug)]
pub struct Reader<'a>(Inner<'a>);

#[derive(Debug)]
enum Inner<'a> {
    Disk { file: OsFile, left: u64, changed: Changed },
    Spliced(Box<Splicer<'a, BufReader<Reader<'a>>>>),
    Memory(&'a [u8]),
}

impl Reader<'_> {
    /// When the file was changed that is read just as it is on disk.
    pub(super) fn changed(&self) -> Option<Changed> {
        match self.0 {
            Inner::Disk { changed, .. } => Some(changed),
            Inner::Spliced(_) | Inner::Memory(_) => None,
        }
    }
}

fn changed(file: &OsFile) -> io::Result<Changed> {
    let metadata = file.metadata()?;
    Ok((metadata.mtime(), metadata.mtime_nsec()))
}

fn is_changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it changed while it was read")
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Disk { file, left, changed: before } => {
                let read = file.read(buffer)?;
                if read == 0 && !buffer.is_empty() && (*left > 0 || changed(file)? != *before) {
                    return Err(is_changed());
                }
                *left = left.checked_sub(read as u64).ok_or_else(is_changed)?;
                Ok(read)
            }
            Inner::Spliced(splicer) => splicer.read(buffer),
            Inner::Memory(bytes) => bytes.read(buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Read as _};

    use super::Content;

    #[test]
    fn a_file_that_grew_or_shrank_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let content = Content::Disk { path: path.clone(), size: 5, modified: 0, seen: None };
        for (bytes, good) in [("12345", true), ("1234", false), ("123456", false)] {
            fs::write(&path, bytes).unwrap();
            let mut read = Vec::new();
            assert_eq!(content.open().unwrap().read_to_end(&mut read).is_ok(), good, "{bytes}");
        }
    }
}
