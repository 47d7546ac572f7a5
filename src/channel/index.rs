//! `repodata.json`: read, changed and written whole, always the same text for the same packages.

use std::{
    fs::File,
    io::{self, BufReader},
    path::Path,
};

use rattler_conda_types::{
    ChannelInfo, PackageRecord, RepoData,
    package::{DistArchiveIdentifier, RunExportsJson},
};
use rattler_digest::{HashingReader, Md5, Sha256};
use rattler_package_streaming::seek::stream_conda_info;

use super::error::ChannelError;
use crate::base::fs;

/// The index's file name in each folder of a channel.
pub(super) const FILE: &str = "repodata.json";

/// An index without packages.
pub(super) fn empty(subdir: &str) -> RepoData {
    RepoData {
        info: Some(ChannelInfo {
            subdir: Some(subdir.to_owned()),
            base_url: None,
            repodata_revisions: Default::default(),
            channel_relations: None,
            virtual_package_detectors: None,
        }),
        packages: Default::default(),
        conda_packages: Default::default(),
        v3: Default::default(),
        removed: Default::default(),
        version: Some(1),
    }
}

/// The index in a folder of the channel; none when there is no file, or when it was cut short or overwritten: it holds
/// nothing that the packages and their records do not say.
pub(super) fn find(folder: &Path) -> Result<Option<RepoData>, ChannelError> {
    let bytes = fs::read_if_there(&folder.join(FILE))?;
    let index = bytes.and_then(|bytes| serde_json::from_slice::<RepoData>(&bytes).ok());
    // An empty object would do as well.
    Ok(index.filter(|index| index.info.is_some()))
}

/// The index in a folder of the channel; an empty one when there is none.
pub(super) fn read(folder: &Path, subdir: &str) -> Result<RepoData, ChannelError> {
    Ok(find(folder)?.unwrap_or_else(|| empty(subdir)))
}

/// Writes the index beside its place and renames it; a reader sees the old one or the new one.
pub(super) fn write(folder: &Path, index: &RepoData) -> Result<(), ChannelError> {
    let mut text = serde_json::to_vec_pretty(index).expect("an index of plain values can be written as JSON");
    text.push(b'\n');
    Ok(fs::write_atomic(&folder.join(FILE), &text)?)
}

/// A file name as the index's key.
pub(super) fn identifier(path: &Path) -> Result<DistArchiveIdentifier, ChannelError> {
    DistArchiveIdentifier::try_from_path(path)
        .filter(|identifier| identifier.to_file_name().ends_with(".conda"))
        .ok_or_else(|| ChannelError::archive(path, "its name is not NAME-VERSION-BUILD.conda"))
}

/// What the index says about an archive. Nothing in it depends on the day or the machine.
pub(super) fn entry(archive: &Path) -> Result<PackageRecord, ChannelError> {
    let fail = |error: io::Error| ChannelError::read(archive, error);
    let mut record = None;
    let mut run_exports = None;
    let bad = |error: &dyn std::fmt::Display| ChannelError::archive(archive, error);
    let mut info = stream_conda_info(BufReader::new(open(archive)?)).map_err(|error| bad(&error))?;
    for file in info.entries().map_err(|error| bad(&error))? {
        let mut file = file.map_err(|error| bad(&error))?;
        let path = file.path().map_err(|error| bad(&error))?.into_owned();
        if path == Path::new("info/index.json") {
            // The bytes are hashed below in pieces: an archive may be larger than the memory.
            let parsed = rattler_index::package_record_from_index_json([], &mut file).map_err(|error| bad(&error))?;
            record = Some(parsed);
        } else if path == Path::new("info/run_exports.json") {
            run_exports = Some(serde_json::from_reader::<_, RunExportsJson>(&mut file).map_err(|error| bad(&error))?);
        }
    }
    let mut record = record.ok_or_else(|| bad(&"it holds no info/index.json"))?;
    let md5 = HashingReader::<_, Md5>::new(open(archive)?);
    let mut both = HashingReader::<_, Sha256>::new(md5);
    record.size = Some(io::copy(&mut both, &mut io::sink()).map_err(fail)?);
    let (md5, sha256) = both.finalize();
    record.sha256 = Some(sha256);
    record.md5 = Some(md5.finalize().1);
    record.run_exports = run_exports;
    Ok(record)
}

/// The sha256 of a file, in hexadecimal digits, and its size in bytes.
pub(super) fn sha256(path: &Path) -> Result<(String, u64), ChannelError> {
    let mut reader = HashingReader::<_, Sha256>::new(open(path)?);
    let bytes = io::copy(&mut reader, &mut io::sink()).map_err(|error| ChannelError::read(path, error))?;
    Ok((hex::encode(reader.finalize().1), bytes))
}

pub(super) fn open(path: &Path) -> Result<File, ChannelError> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ChannelError::Gone(path.to_owned())),
        other => other.map_err(|error| ChannelError::read(path, error)),
    }
}
