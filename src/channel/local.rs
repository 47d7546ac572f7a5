//! The channel on disk: where things are, whether they are whole, who may write.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rattler_conda_types::{Channel, RepoData, Subdir};
use url::Url;

use super::{
    error::ChannelError,
    index,
    published::{Damage, Published},
};
use crate::base::{Cancel, FileLock, Wait, fs};

/// How long a writer waits for another one. Publishing takes a copy and two renames, so this is very long already.
const PATIENCE: Duration = Duration::from_secs(600);

/// A conda channel in a folder of the project.
#[derive(Clone, Debug)]
pub struct LocalChannel {
    pub(super) root: PathBuf,
    /// Ends a wait for another writer.
    cancel: Cancel,
}

impl LocalChannel {
    /// The channel in this folder, which need not be there yet. `root` is an absolute path.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), cancel: Cancel::new() }
    }

    /// The same channel; it waits for other writers no longer when the flag is raised.
    #[must_use]
    pub fn stopped_by(self, cancel: Cancel) -> Self {
        Self { cancel, ..self }
    }

    /// The folder that holds the channel.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The channel's `file://` URL with a trailing slash, spelt as rattler spells it in records.
    ///
    /// # Panics
    /// When the channel was made of a relative path.
    pub fn url(&self) -> Url {
        let channel = Channel::try_from_directory(&self.root).expect("the channel's folder is an absolute path");
        channel.base_url.url().clone().into()
    }

    /// Makes the folders `noarch` and `platform` with an empty index where there is none, and removes what a killed
    /// writer has left in them.
    ///
    /// # Errors
    /// When a folder or an index cannot be made, or the channel stays locked by another process.
    pub fn create(&self, platform: Subdir) -> Result<(), ChannelError> {
        if !self.root.is_absolute() {
            return Err(ChannelError::Root(self.root.clone()));
        }
        let subdirs = [Subdir::NoArch.as_str(), platform.as_str()];
        let is_ready = |subdir: &&str| -> Result<bool, ChannelError> {
            let folder = self.root.join(subdir);
            Ok(folder.join(index::FILE).exists() && fs::leftovers(&folder)?.is_empty())
        };
        if subdirs.iter().map(is_ready).collect::<Result<Vec<_>, _>>()?.iter().all(|it| *it) {
            return Ok(());
        }
        // Who holds the lock is the only one who writes: what has a temporary name now is nobody's.
        let _lock = self.lock()?;
        for subdir in subdirs {
            let folder = self.root.join(subdir);
            fs::sweep(&folder)?;
            if !folder.join(index::FILE).exists() {
                index::write(&folder, &index::empty(subdir))?;
            }
        }
        Ok(())
    }

    /// Where a package's file is, whether it is there or not.
    pub fn path_of(&self, package: &Published) -> PathBuf {
        self.root.join(&package.subdir).join(&package.file_name)
    }

    /// Where the index of a folder of the channel is.
    pub fn index_of(&self, subdir: &str) -> PathBuf {
        self.root.join(subdir).join(index::FILE)
    }

    /// Whether a package's file is there with the recorded size. It costs one look at the file, not a read.
    pub fn has(&self, package: &Published) -> bool {
        std::fs::metadata(self.path_of(package)).is_ok_and(|found| found.is_file() && found.len() == package.bytes)
    }

    /// Reads a package's file and compares it with what was published; nothing when it is whole.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn verify(&self, package: &Published) -> Result<Option<Damage>, ChannelError> {
        let path = self.path_of(package);
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Some(Damage::Missing)),
            Err(error) => return Err(ChannelError::read(path, error)),
            Ok(found) if found.len() != package.bytes => return Ok(Some(Damage::Altered)),
            Ok(_) => {}
        }
        Ok((self.sha256_of(package)? != package.sha256).then_some(Damage::Altered))
    }

    /// The sha256 of a package's file as it is now, in hexadecimal digits.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn sha256_of(&self, package: &Published) -> Result<String, ChannelError> {
        Ok(index::sha256(&self.path_of(package))?.0)
    }

    /// The index as it stands; an empty one when it cannot be read.
    pub(super) fn index(&self, subdir: &str) -> RepoData {
        index::read(&self.root.join(subdir), subdir).unwrap_or_else(|_| index::empty(subdir))
    }

    pub(super) fn lock(&self) -> Result<FileLock, ChannelError> {
        let wait = Wait { patience: PATIENCE, cancel: self.cancel.clone() };
        Ok(FileLock::acquire(&self.lock_file(), &wait, |_| {})?)
    }

    pub(super) fn lock_file(&self) -> PathBuf {
        self.root.join(".lock")
    }
}
