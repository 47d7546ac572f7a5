//! Replaces files of an environment, each by one rename. A file that shares its content with others (a hard link) gets a
//! content of its own.

use std::{
    ffi::OsString,
    fs::{File, Permissions},
    io::{self, BufReader, Write as _},
    os::unix::{
        ffi::OsStringExt as _,
        fs::{MetadataExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::{error::UnpackError, whole::below};
use crate::{
    base::{FsError, fs},
    tree::{Splicer, Splices},
};

/// Writes into a folder on the same file system and renames.
pub(super) struct Rewriter<'a> {
    scratch: &'a Path,
    prefix: &'a Path,
    next: AtomicU64,
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(scratch: &'a Path, prefix: &'a Path) -> Self {
        Self { scratch, prefix, next: AtomicU64::new(0) }
    }

    fn beside(&self) -> PathBuf {
        self.scratch.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Rewrites a file. Its mode stays, and its owner where that is allowed.
    pub(super) fn file(&self, name: &[u8], splices: &Splices) -> Result<(), UnpackError> {
        let path = below(self.prefix, name);
        let beside = self.beside();
        let write = || -> io::Result<()> {
            let old = File::open(&path)?;
            let metadata = old.metadata()?;
            let mut from = Splicer::new(BufReader::with_capacity(64 << 10, old), splices);
            let mut to = io::BufWriter::with_capacity(64 << 10, File::create_new(&beside)?);
            io::copy(&mut from, &mut to)?;
            to.flush()?;
            let to = to.into_inner().map_err(io::IntoInnerError::into_error)?;
            let ours = to.metadata()?;
            if (ours.uid(), ours.gid()) != (metadata.uid(), metadata.gid()) {
                // Only root may give files away, and who may not has them himself afterwards.
                drop(std::os::unix::fs::fchown(&to, Some(metadata.uid()), Some(metadata.gid())));
            }
            to.set_permissions(Permissions::from_mode(metadata.mode() & 0o7777))
        };
        write().map_err(|error| FsError::new("rewrite", &path, error))?;
        Ok(fs::rename(&beside, &path)?)
    }

    /// Makes a link lead elsewhere.
    pub(super) fn link(&self, name: &[u8], target: &[u8]) -> Result<(), UnpackError> {
        let beside = self.beside();
        std::os::unix::fs::symlink(OsString::from_vec(target.to_vec()), &beside)
            .map_err(|error| FsError::new("make the link", &beside, error))?;
        Ok(fs::rename(&beside, &below(self.prefix, name))?)
    }
}
