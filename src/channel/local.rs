//! The channel on disk: where things are, publishing, checking, views.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
    time::Duration,
};

use rattler_conda_types::{Channel, PackageRecord, RepoData, RepoDataRecord, Subdir};
use url::Url;

use super::{
    error::ChannelError,
    index,
    published::{Damage, Published},
};
use crate::{
    base::{Cancel, Digest, FileLock, FsError, Wait, fs},
    conda,
};

/// How long a writer waits for another one. Publishing takes a copy and two renames, so this is very long already.
const PATIENCE: Duration = Duration::from_secs(600);

/// A conda channel in a folder of the project.
#[derive(Clone, Debug)]
pub struct LocalChannel {
    root: PathBuf,
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

    /// Whether a package's file is there with the recorded size. It costs one look at the file, not a read.
    pub fn has(&self, package: &Published) -> bool {
        std::fs::metadata(self.path_of(package)).is_ok_and(|found| found.is_file() && found.len() == package.bytes)
    }

    /// Where a package's file is, whether it is there or not.
    pub fn path_of(&self, package: &Published) -> PathBuf {
        self.root.join(&package.subdir).join(&package.file_name)
    }

    /// Where the index of a folder of the channel is.
    pub fn index_of(&self, subdir: &str) -> PathBuf {
        self.root.join(subdir).join(index::FILE)
    }

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
    fn entry_of(&self, package: &Published) -> Result<PackageRecord, ChannelError> {
        self.entry_in(&self.index(&package.subdir), package)
    }

    /// The same with an index that was read before: whoever asks for many packages reads it once.
    fn entry_in(&self, listed: &RepoData, package: &Published) -> Result<PackageRecord, ChannelError> {
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

    /// The index as it stands; an empty one when it cannot be read.
    fn index(&self, subdir: &str) -> RepoData {
        index::read(&self.root.join(subdir), subdir).unwrap_or_else(|_| index::empty(subdir))
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

    fn lock(&self) -> Result<FileLock, ChannelError> {
        let wait = Wait { patience: PATIENCE, cancel: self.cancel.clone() };
        Ok(FileLock::acquire(&self.lock_file(), &wait, |_| {})?)
    }

    fn lock_file(&self) -> PathBuf {
        self.root.join(".lock")
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

/// Whether an index entry is about the very bytes that were published.
fn is_about(entry: &PackageRecord, package: &Published) -> bool {
    entry.size == Some(package.bytes) && entry.sha256.is_some_and(|sha256| hex::encode(sha256) == package.sha256)
}
