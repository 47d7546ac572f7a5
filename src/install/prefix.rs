//! A prefix on disk: its records, whether it is whole, and the mark of an installation that did not end.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use rattler_conda_types::{
    PrefixRecord, RepoDataRecord,
    prefix_record::{PathType, PathsEntry},
};

use super::error::InstallError;
use crate::base::{Scratch, fs};

/// Written before an installation starts and removed when it has ended.
const MARK: &str = ".envbuild-incomplete";

/// A package in a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledPackage {
    /// Its normalised name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its build string.
    pub build: String,
    /// The platform folder that it came from.
    pub subdir: String,
    /// The channel that it came from, when the record says.
    pub channel: Option<String>,
    /// Where the archive was.
    pub url: String,
    /// The archive's sha256, when the record says.
    pub sha256: Option<String>,
    /// The archive's size in bytes, when the record says.
    pub bytes: Option<u64>,
    /// Its licence, when the record says.
    pub license: Option<String>,
    /// What it needs.
    pub depends: Vec<String>,
    /// The requirements of the user that it answers; none when only other packages need it.
    pub requested: Vec<String>,
}

/// The packages in a prefix, sorted by name; none when there is no prefix.
///
/// # Errors
/// When a record cannot be read.
pub fn list(prefix: &Path) -> Result<Vec<InstalledPackage>, InstallError> {
    Ok(records(prefix)?.into_iter().map(|record| installed(record.repodata_record, record.requested_specs)).collect())
}

/// Whether a prefix has records of exactly these packages, by their names: another program may have added or removed
/// some. It costs one look at the folder of records.
///
/// # Errors
/// When the folder cannot be listed.
pub fn holds(prefix: &Path, packages: &[RepoDataRecord]) -> Result<bool, InstallError> {
    let name = |it: &RepoDataRecord| {
        let package = &it.package_record;
        meta(prefix).join(format!("{}-{}-{}.json", package.name.as_normalized(), package.version, package.build))
    };
    let mut there: BTreeSet<PathBuf> = fs::list(&meta(prefix))?.into_iter().collect();
    there.retain(|it| it.extension().is_some_and(|kind| kind == "json"));
    Ok(there == packages.iter().map(name).collect())
}

/// The records of a prefix, sorted by package name.
pub(super) fn records(prefix: &Path) -> Result<Vec<PrefixRecord>, InstallError> {
    let mut records: Vec<PrefixRecord> = PrefixRecord::collect_from_prefix(prefix)
        .map_err(|error| InstallError::Records { path: meta(prefix), reason: error.to_string() })?;
    records.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(records)
}

/// The folder of records.
pub(super) fn meta(prefix: &Path) -> PathBuf {
    prefix.join("conda-meta")
}

/// Whether an installation can go on from what is there: no earlier one was cut short, every record can be read and
/// every file that they name is there, with its size.
pub(super) fn whole(prefix: &Path) -> bool {
    !meta(prefix).join(MARK).exists() && flaw(prefix).is_ok_and(|found| found.is_none())
}

/// The first file that is not as the records say: it is not there, or has another size. The installer takes no notice when
/// the last piece of a file that it writes a prefix into does not fit on the disk.
pub(super) fn flaw(prefix: &Path) -> Result<Option<String>, InstallError> {
    let records = records(prefix)?;
    let entries = records.iter().flat_map(|record| &record.paths_data.paths).filter(|entry| must_be_there(entry));
    for entry in entries {
        let path = entry.relative_path.display();
        let Ok(found) = prefix.join(&entry.relative_path).symlink_metadata() else {
            return Ok(Some(format!("`{path}` is not there")));
        };
        let recorded = entry.size_in_bytes.filter(|_| entry.path_type == PathType::HardLink && found.is_file());
        if let Some(recorded) = recorded.filter(|recorded| *recorded != found.len()) {
            return Ok(Some(format!("`{path}` has {} bytes and should have {recorded}", found.len())));
        }
    }
    Ok(None)
}

/// Removes what the installer could not remove: the files by which it finds out what kinds of links there are, and its
/// folder for what was in use. They would be packed.
pub(super) fn remove_rests(prefix: &Path) -> Result<(), InstallError> {
    for path in fs::list(prefix)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("symtest_") {
            fs::remove_file(&path)?;
        } else if name.starts_with(".refprobe-") || name == ".trash" {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// People delete bytecode; it is compiled again then.
fn must_be_there(entry: &PathsEntry) -> bool {
    entry.path_type != PathType::PycFile && entry.relative_path.extension().is_none_or(|kind| kind != "pyc")
}

/// Marks the prefix as being worked on. What a program that was killed while it did so has left there goes.
pub(super) fn mark(prefix: &Path) -> Result<(), InstallError> {
    fs::sweep(&meta(prefix))?;
    Ok(fs::write_atomic(&meta(prefix).join(MARK), b"")?)
}

/// Says that the prefix is whole.
pub(super) fn unmark(prefix: &Path) -> Result<(), InstallError> {
    Ok(fs::remove_file(&meta(prefix).join(MARK))?)
}

/// Deletes a prefix. It leaves its place by one rename: a delete that is cut short may not leave a part of it there, whose
/// mark is gone already.
pub(super) fn wipe(prefix: &Path) -> Result<(), InstallError> {
    let aside = Scratch::beside(prefix)?;
    fs::rename(prefix, &aside.path().join("prefix"))?;
    Ok(fs::remove_dir_all(aside.path())?)
}

fn installed(record: RepoDataRecord, requested: Vec<String>) -> InstalledPackage {
    let package = record.package_record;
    InstalledPackage {
        name: package.name.as_normalized().to_owned(),
        version: package.version.to_string(),
        build: package.build.to_string(),
        subdir: package.subdir,
        channel: record.channel,
        url: record.url.to_string(),
        sha256: package.sha256.map(hex::encode),
        bytes: package.size,
        license: package.license,
        depends: package.depends,
        requested,
    }
}
