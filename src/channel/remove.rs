//! What is in the channel's folders, and how it is deleted.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use super::{LocalChannel, error::ChannelError, index};
use crate::base::{FileLock, fs};

impl LocalChannel {
    /// Every archive in the channel's folders, whether the index names it or not, sorted. Folders behind links are not
    /// looked into.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn archives(&self) -> Result<Vec<PathBuf>, ChannelError> {
        self.files(|name| {
            [".conda", ".tar.bz2"].iter().any(|it| name.ends_with(it)) && !name.starts_with(fs::TEMPORARY)
        })
    }

    /// What a killed writer has left in the channel's folders.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn leftovers(&self) -> Result<Vec<PathBuf>, ChannelError> {
        self.files(|name| name.starts_with(fs::TEMPORARY))
    }

    fn files(&self, fits: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, ChannelError> {
        let mut found = Vec::new();
        for folder in self.folders()? {
            let name = |it: &PathBuf| it.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.extend(fs::list(&folder)?.into_iter().filter(|it| fits(&name(it))));
        }
        Ok(found)
    }

    fn folders(&self) -> Result<Vec<PathBuf>, ChannelError> {
        let mut folders = fs::list(&self.root)?;
        folders.retain(|it| it.symlink_metadata().is_ok_and(|it| it.is_dir()));
        Ok(folders)
    }

    /// The archives that the index names, whether they are there or not.
    ///
    /// # Errors
    /// When an index cannot be read.
    pub fn listed(&self) -> Result<Vec<PathBuf>, ChannelError> {
        let mut listed = Vec::new();
        for folder in self.folders()? {
            let subdir = folder.file_name().unwrap_or_default().to_string_lossy();
            let index = index::read(&folder, &subdir)?;
            let names = index.packages.keys().chain(index.conda_packages.keys());
            listed.extend(names.map(|it| folder.join(it.to_file_name())));
        }
        Ok(listed)
    }

    /// Deletes files of the channel. Gives those that stay, because the index names them by now: another project may
    /// share the channel.
    ///
    /// # Errors
    /// When one cannot be deleted, an index cannot be read, or the channel stays locked.
    pub fn discard<'a>(&self, files: &[&'a Path]) -> Result<Vec<&'a Path>, ChannelError> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let _lock = self.lock()?;
        let listed: HashSet<PathBuf> = self.listed()?.into_iter().collect();
        let (kept, unlisted): (Vec<&Path>, Vec<&Path>) = files.iter().partition(|it| listed.contains(**it));
        for file in unlisted {
            fs::remove_file(file)?;
        }
        Ok(kept)
    }

    /// Deletes the whole channel, while nobody writes to it. A link to a channel elsewhere is removed, and that channel
    /// stays.
    ///
    /// # Errors
    /// When something cannot be deleted, or the channel stays locked.
    pub fn delete(&self) -> Result<(), ChannelError> {
        if !self.root.is_symlink() {
            let _lock = self.lock()?;
            let lock = self.lock_file();
            // The lock is the last thing to go: others wait for it until nothing is left to quarrel about.
            for path in fs::list(&self.root)?.iter().filter(|it| !FileLock::is_part(&lock, it)) {
                fs::remove(path)?;
            }
        }
        Ok(fs::remove(&self.root)?)
    }
}
