//! The channel as others see it: a build, a solver, an installer.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rattler_conda_types::{PackageRecord, RepoData, RepoDataRecord, Subdir};

use super::{LocalChannel, error::ChannelError, index, published::Published};
use crate::base::{FsError, fs};

impl LocalChannel {
    /// A throw-away channel at `folder` that holds these packages only, as links to the archives here, so that a build
    /// sees exactly its own dependencies. Whatever channel was at `folder` before is replaced.
    ///
    /// # Errors
    /// When a package's file is gone, or the folder cannot be written.
    pub fn view(&self, packages: &[Published], folder: &Path, platform: Subdir) -> Result<Self, ChannelError> {
        fs::remove_dir_all(folder)?;
        let view = Self::at(folder);
        let mut subdirs = vec![Subdir::NoArch.to_string(), platform.to_string()];
        subdirs.extend(packages.iter().map(|package| package.subdir.clone()));
        subdirs.sort();
        subdirs.dedup();
        for subdir in subdirs {
            let within = folder.join(&subdir);
            fs::create_dir_all(&within)?;
            let mut listed = index::empty(&subdir);
            let known = self.index(&subdir);
            for package in packages.iter().filter(|package| package.subdir == subdir) {
                let link = view.path_of(package);
                listed.conda_packages.insert(index::identifier(&link)?, self.entry_in(&known, package)?);
                if !link.exists() {
                    let linked = std::os::unix::fs::symlink(self.path_of(package), &link);
                    linked.map_err(|source| FsError::new("link", link, source))?;
                }
            }
            index::write(&within, &listed)?;
        }
        Ok(view)
    }

    /// These packages as a solver, a lock and an installer see them, in the order given.
    ///
    /// # Errors
    /// When a package's file is gone, or the index cannot be read.
    pub fn records(&self, packages: &[Published]) -> Result<Vec<RepoDataRecord>, ChannelError> {
        let root = self.url();
        let subdirs: BTreeSet<&str> = packages.iter().map(|it| it.subdir.as_str()).collect();
        let listed: BTreeMap<&str, RepoData> = subdirs.into_iter().map(|it| (it, self.index(it))).collect();
        let record = |package: &Published| {
            let path = self.path_of(package);
            let url = root.join(&format!("{}/{}", package.subdir, package.file_name));
            Ok(RepoDataRecord {
                package_record: self.entry_in(&listed[package.subdir.as_str()], package)?,
                identifier: index::identifier(&path)?,
                url: url.map_err(|error| ChannelError::archive(path, error))?,
                channel: Some(root.to_string()),
            })
        };
        packages.iter().map(record).collect()
    }

    /// The index's entry when it is about these very bytes, else one made from the archive: somebody may have deleted
    /// the index, or another file may have had this name before.
    pub(super) fn entry_of(&self, package: &Published) -> Result<PackageRecord, ChannelError> {
        self.entry_in(&self.index(&package.subdir), package)
    }

    /// The same with an index that was read before: whoever asks for many packages reads it once.
    pub(super) fn entry_in(&self, listed: &RepoData, package: &Published) -> Result<PackageRecord, ChannelError> {
        let path = self.path_of(package);
        let same = |record: &PackageRecord| is_about(record, package);
        let entry = listed.conda_packages.get(&index::identifier(&path)?);
        match entry.filter(|it| same(it)) {
            Some(entry) => Ok(entry.clone()),
            None => {
                let entry = index::entry(&path)?;
                if same(&entry) { Ok(entry) } else { Err(ChannelError::archive(path, "its bytes have changed")) }
            }
        }
    }
}

/// Whether an index entry is about the very bytes that were published.
pub(super) fn is_about(entry: &PackageRecord, package: &Published) -> bool {
    entry.size == Some(package.bytes) && entry.sha256.is_some_and(|sha256| hex::encode(sha256) == package.sha256)
}
