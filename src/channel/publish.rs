//! Packages enter the channel and its index, and leave the index. One writer at a time.

use std::path::Path;

use rattler_conda_types::{PackageRecord, RepoData, Subdir};

use super::{
    LocalChannel,
    error::ChannelError,
    index,
    published::{Damage, Published},
    view::is_about,
};
use crate::{
    base::{Digest, fs},
    conda,
};

impl LocalChannel {
    /// Copies an archive into the channel and puts it into the index; the entry of `replaces` leaves the index, its
    /// file stays. `content` is the digest that the archive's name ends with. A file of that name that is there already
    /// stays as it is; one that was damaged is replaced.
    ///
    /// # Errors
    /// When the archive is not a conda package, another content has the same name, a file cannot be written, or the
    /// channel stays locked.
    pub fn publish(
        &self,
        archive: &Path,
        content: Digest,
        replaces: Option<&Published>,
    ) -> Result<Published, ChannelError> {
        let identifier = index::identifier(archive)?;
        let record = index::entry(archive)?;
        let published = Published {
            name: record.name.as_normalized().to_owned(),
            version: record.version.to_string(),
            build: record.build.to_string(),
            subdir: record.subdir.clone(),
            file_name: identifier.to_file_name(),
            sha256: hex::encode(record.sha256.expect("an entry made from an archive holds its hash")),
            bytes: record.size.expect("an entry made from an archive holds its size"),
            content,
        };
        if published.subdir.parse::<Subdir>().is_err() {
            return Err(ChannelError::archive(archive, format!("its subdir `{}` is no platform", published.subdir)));
        }
        let _lock = self.lock()?;
        // The file comes first: an index may not name what is not there.
        if let Some(damage) = self.verify(&published)? {
            let path = self.path_of(&published);
            if damage == Damage::Altered {
                refuse_clash(&path, content)?;
            }
            fs::copy_atomic(archive, &path)?;
        }
        self.set(&published, record, replaces)?;
        Ok(published)
    }

    /// Puts a package whose file is there already back into the index, in the place of `replaces`. Nothing is written
    /// when the index says so already.
    ///
    /// # Errors
    /// When the file is gone or damaged, the index cannot be written, or the channel stays locked.
    pub fn reinstate(&self, package: &Published, replaces: Option<&Published>) -> Result<(), ChannelError> {
        let _lock = self.lock()?;
        let record = self.entry_of(package)?;
        self.set(package, record, replaces)
    }

    /// Takes a package out of the index; its file stays. Nothing is written when it is not in there.
    ///
    /// # Errors
    /// When the index cannot be read or written, or the channel stays locked.
    pub fn retire(&self, subdir: &str, file_name: &str) -> Result<(), ChannelError> {
        let name = index::identifier(Path::new(file_name))?;
        let _lock = self.lock()?;
        self.change(subdir, |index| Ok(index.conda_packages.swap_remove(&name).is_some()))
    }

    /// Puts every one of these packages into the index that is not there: somebody may have deleted or damaged the index.
    /// It reads the index and no archive, and writes nothing, when all are there.
    ///
    /// # Errors
    /// When a missing one's file is gone or damaged, the index cannot be written, or the channel stays locked.
    pub fn ensure(&self, packages: &[Published]) -> Result<(), ChannelError> {
        // A client reads noarch in any case: it may not be broken when nothing is in it.
        let mut subdirs = vec![Subdir::NoArch.as_str()];
        subdirs.extend(packages.iter().map(|package| package.subdir.as_str()));
        subdirs.sort_unstable();
        subdirs.dedup();
        for subdir in subdirs {
            let here = || packages.iter().filter(|package| package.subdir == subdir);
            let listed = index::find(&self.root.join(subdir))?;
            let is_listed = |index: &RepoData, package: &Published| -> Result<bool, ChannelError> {
                let name = index::identifier(&self.path_of(package))?;
                Ok(index.conda_packages.get(&name).is_some_and(|entry| is_about(entry, package)))
            };
            if let Some(listed) = listed
                && here().map(|it| is_listed(&listed, it)).collect::<Result<Vec<_>, _>>()?.iter().all(|it| *it)
            {
                continue;
            }
            let _lock = self.lock()?;
            self.change(subdir, |index| {
                let mut changed = false;
                for package in here() {
                    if !is_listed(index, package)? {
                        let name = index::identifier(&self.path_of(package))?;
                        index.conda_packages.insert(name, self.entry_of(package)?);
                        changed = true;
                    }
                }
                Ok(changed)
            })?;
        }
        Ok(())
    }

    /// Rewrites the index with `record` in and `replaces` out. The caller holds the lock.
    fn set(
        &self,
        package: &Published,
        record: PackageRecord,
        replaces: Option<&Published>,
    ) -> Result<(), ChannelError> {
        let out = replaces.filter(|old| (&old.subdir, &old.file_name) != (&package.subdir, &package.file_name));
        // The new one goes in first: in between a reader sees both, never none.
        self.change(&package.subdir, |index| {
            let name = index::identifier(&self.path_of(package))?;
            let mut changed = false;
            if index.conda_packages.get(&name) != Some(&record) {
                index.conda_packages.insert(name, record);
                changed = true;
            }
            if let Some(old) = out.filter(|old| old.subdir == package.subdir) {
                changed |= index.conda_packages.swap_remove(&index::identifier(&self.path_of(old))?).is_some();
            }
            Ok(changed)
        })?;
        let Some(old) = out.filter(|old| old.subdir != package.subdir) else { return Ok(()) };
        let name = index::identifier(&self.path_of(old))?;
        self.change(&old.subdir, |index| Ok(index.conda_packages.swap_remove(&name).is_some()))
    }

    fn change(
        &self,
        subdir: &str,
        edit: impl FnOnce(&mut RepoData) -> Result<bool, ChannelError>,
    ) -> Result<(), ChannelError> {
        let folder = self.root.join(subdir);
        let found = index::find(&folder)?;
        let is_missing = found.is_none();
        let mut index = found.unwrap_or_else(|| index::empty(subdir));
        if edit(&mut index)? || is_missing {
            index::write(&folder, &index)?;
        }
        Ok(())
    }
}

/// Bytes under a name never change. What is there under the name of a new package is either that package, damaged, or
/// another one, whole: then the digits in the name have clashed.
fn refuse_clash(path: &Path, new: Digest) -> Result<(), ChannelError> {
    match conda::sealed_content(path) {
        Ok(Some(there)) if there != new => Err(ChannelError::Clash { path: path.to_owned(), there, new }),
        _ => Ok(()),
    }
}
