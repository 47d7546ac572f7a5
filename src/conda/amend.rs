//! Adds files to an archive before it is sealed, and changes some of its files.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write as _},
    path::{Path, PathBuf},
};

use rattler_conda_types::package::{PathType, PathsEntry, PathsJson};
use rattler_digest::{Sha256, Sha256Hash, compute_bytes_digest, compute_file_digest};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::{
    CondaError,
    archive::{Archive, Member},
    seal::LEVEL,
};
use crate::base::{FsError, fs};

/// Where a package lists its files: with their digests, and by their names alone.
const PATHS: &str = "info/paths.json";
const FILES: &str = "info/files";

/// What an archive shall hold beside or instead of what it holds.
#[derive(Debug, Default)]
pub struct Amendment {
    /// Files that take the place of others, by their path in the package: they keep mode and time.
    pub replaced: BTreeMap<PathBuf, PathBuf>,
    /// New files with their bytes, which everybody may read.
    pub added: BTreeMap<PathBuf, Vec<u8>>,
    /// The time of the new files, in seconds since 1970.
    pub time: u64,
}

/// Calls `visit` with every regular file that a package installs, in the archive's order.
///
/// # Errors
/// When the archive is no conda package, or `visit` fails.
pub fn each_file(
    archive: &Path,
    mut visit: impl FnMut(&Path, &mut dyn Read) -> io::Result<()>,
) -> Result<(), CondaError> {
    Archive::open(archive)?.entries(Member::Pkg, |entry| {
        if entry.header.entry_type().is_file() { visit(&entry.path, entry.bytes) } else { Ok(()) }
    })
}

/// Writes an archive anew, in its place. The same archive and amendment give the same bytes.
///
/// # Errors
/// When the archive is no conda package or does not list its files, or a file cannot be read or written.
pub fn amend(archive: &Path, amendment: &Amendment) -> Result<(), CondaError> {
    let mut source = Archive::open(archive)?;
    let info = info(&mut source, amendment)?;
    let folder = archive.parent().unwrap_or(Path::new("."));
    let beside = fs::Scratch::inside(folder)?;
    let (tar, part) = (beside.path().join("tar"), beside.path().join("archive"));
    write_tar(&mut source, &tar, amendment)?;
    let stem = archive.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let fail = |error| CondaError::File(FsError::new("write", &part, error));
    let mut zip = ZipWriter::new(BufWriter::new(File::create(&part).map_err(fail)?));
    for member in Member::ALL {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .large_file(true);
        zip.start_file(member.name(&stem), options).map_err(|error| fail(error.into()))?;
        match member {
            Member::Metadata => drop(io::copy(&mut source.member(member)?, &mut zip).map_err(fail)?),
            Member::Pkg => {
                let file = File::open(&tar).map_err(|error| FsError::new("read", &tar, error))?;
                let size = file.metadata().map_err(fail)?.len();
                compress(BufReader::new(file), size, &mut zip).map_err(fail)?;
            }
            Member::Info => compress(info.as_slice(), info.len() as u64, &mut zip).map_err(fail)?,
        }
    }
    let mut file = zip.finish().map_err(|error| fail(error.into()))?;
    file.flush().map_err(fail)?;
    Ok(fs::rename(&part, archive)?)
}

/// On one thread: several give other bytes.
fn compress(mut from: impl Read, size: u64, to: &mut impl io::Write) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(to, LEVEL)?;
    encoder.set_pledged_src_size(Some(size))?;
    encoder.include_contentsize(true)?;
    io::copy(&mut from, &mut encoder)?;
    encoder.finish().map(drop)
}

/// Writes the tar file of what is installed. It can be larger than memory.
fn write_tar(source: &mut Archive, tar: &Path, amendment: &Amendment) -> Result<(), CondaError> {
    let create = || File::options().read(true).write(true).create_new(true).open(tar);
    let file = create().map_err(|error| FsError::new("write", tar, error))?;
    let mut builder = tar::Builder::new(BufWriter::new(file));
    source.entries(Member::Pkg, |entry| {
        let mut header = entry.header;
        if amendment.added.contains_key(&entry.path) {
            return Ok(());
        }
        if let Some(target) = entry.link {
            return builder.append_link(&mut header, entry.path, target);
        }
        match amendment.replaced.get(&entry.path) {
            Some(file) => {
                let file = File::open(file)?;
                header.set_size(file.metadata()?.len());
                builder.append_data(&mut header, entry.path, file)
            }
            None => builder.append_data(&mut header, entry.path, entry.bytes),
        }
    })?;
    let add = || -> io::Result<()> {
        for (path, bytes) in &amendment.added {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Regular);
            header.set_mode(0o644);
            header.set_mtime(amendment.time);
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, path, bytes.as_slice())?;
        }
        builder.into_inner()?.into_inner()?.sync_all()
    };
    add().map_err(|error| FsError::new("write", tar, error).into())
}

/// The tar file of `info`, with the new digests and the new files in its lists.
fn info(source: &mut Archive, amendment: &Amendment) -> Result<Vec<u8>, CondaError> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut is_listed = false;
    source.entries(Member::Info, |entry| {
        let mut header = entry.header;
        if let Some(target) = entry.link {
            return tar.append_link(&mut header, entry.path, target);
        }
        let mut bytes = Vec::new();
        entry.bytes.read_to_end(&mut bytes)?;
        if entry.path == Path::new(PATHS) {
            is_listed = true;
            bytes = paths(&bytes, amendment)?;
        } else if entry.path == Path::new(FILES) {
            bytes = files(&bytes, amendment);
        }
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, entry.path, bytes.as_slice())
    })?;
    if !is_listed {
        return Err(source.bad(format!("it holds no {PATHS}")));
    }
    tar.into_inner().map_err(|error| source.bad(error))
}

fn paths(bytes: &[u8], amendment: &Amendment) -> io::Result<Vec<u8>> {
    let mut list: PathsJson = serde_json::from_slice(bytes)?;
    for entry in &mut list.paths {
        if let Some(file) = amendment.replaced.get(&entry.relative_path) {
            entry.size_in_bytes = Some(file.metadata()?.len());
            entry.sha256 = Some(compute_file_digest::<Sha256>(file)?);
        }
    }
    list.paths.retain(|it| !amendment.added.contains_key(&it.relative_path));
    list.paths
        .extend(amendment.added.iter().map(|(path, bytes)| entry(path, compute_bytes_digest::<Sha256>(bytes), bytes)));
    list.paths.sort_by(|a, b| a.relative_path.cmp(&b.relative_path));
    Ok(serde_json::to_vec_pretty(&list)?)
}

fn entry(path: &Path, sha256: Sha256Hash, bytes: &[u8]) -> PathsEntry {
    PathsEntry {
        relative_path: path.to_owned(),
        no_link: false,
        path_type: PathType::HardLink,
        prefix_placeholder: None,
        sha256: Some(sha256),
        size_in_bytes: Some(bytes.len() as u64),
    }
}

fn files(bytes: &[u8], amendment: &Amendment) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.extend(amendment.added.keys().map(|it| it.to_string_lossy().into_owned()));
    lines.sort();
    lines.dedup();
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>().into_bytes()
}
