//! Writes bundles: the same packages give the same bytes.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use rattler_conda_types::{MatchSpec, PackageRecord, RepoDataRecord, Subdir};
use serde_json::{Value, json};

use super::index::{FORMAT, INDEX, Index, LOCK, Package};
use crate::{
    archive::{self, EPOCH, FileMeta, Format, Options, Shown, Sink, SinkError},
    base::{Cancel, FsError, Scratch, fs},
    conda::{self, Summing, Sums},
    image::ImageError,
};

/// What a bundle is to hold.
#[derive(Debug, Clone, Copy)]
pub struct BundleRequest<'a> {
    /// The packages, each with its archive on disk. Each has a sha256, which the archive was seen to have.
    pub packages: &'a [(RepoDataRecord, PathBuf)],
    /// What the user asked for.
    pub specs: &'a [MatchSpec],
    /// The environment's name.
    pub name: &'a str,
    /// The platform that it is for.
    pub platform: Subdir,
    /// The lock file of the environment, with paths relative to the bundle.
    pub lock: &'a [u8],
    /// Folders of this machine whose channels are nobody else's: the bundle names them without their place.
    pub own: &'a [PathBuf],
    /// Files that list what is in the bundle, by their names.
    pub lists: &'a [(String, Vec<u8>)],
    /// The file to write, or the folder: nothing may be there but an empty one, or an older bundle.
    pub goal: &'a Path,
    /// Whether the packages go into a folder.
    pub folder: bool,
    /// When it is raised, nothing is left behind.
    pub cancel: &'a Cancel,
}

/// Writes a bundle, whole or not at all, and for a file its checksum beside it. Gives the sums of a file, and nothing of a folder.
///
/// # Errors
/// When a package or the bundle cannot be read or written, or two packages have the same name.
pub fn bundle(request: &BundleRequest<'_>) -> Result<Option<Sums>, ImageError> {
    let scratch = Scratch::beside(request.goal)?;
    let beside = scratch.path().join(request.goal.file_name().unwrap_or_default());
    let fail = |source| FsError::new("write", request.goal, source);
    let sink_fault = |error: SinkError| fail(io::Error::other(error.to_string()));
    if request.folder {
        fill(request, archive::folder(&beside).map_err(sink_fault)?)?;
        if request.goal.join(INDEX).is_file() {
            // An older bundle gives way; it goes with the scratch folder.
            fs::rename(request.goal, &beside.with_added_extension("replaced"))?;
        }
        fs::rename(&beside, request.goal)?;
        return Ok(None);
    }
    let mut summing = Summing::default();
    let mut out = Shown::new(File::create(&beside).map_err(fail)?, |bytes| summing.update(bytes));
    let options = Options { level: None, threads: 1 };
    fill(request, archive::create(Format::Tar, options, &mut out).map_err(sink_fault)?)?;
    out.inner().sync_all().map_err(fail)?;
    let sums = summing.finish();
    let checksum = request.goal.with_added_extension("sha256");
    // At no moment may an old checksum stand beside the new file.
    fs::remove_file(&checksum)?;
    fs::rename(&beside, request.goal)?;
    fs::write_atomic(&checksum, &conda::checksum_line(request.goal, &sums.sha256))?;
    Ok(Some(sums))
}

fn fill(request: &BundleRequest<'_>, mut sink: Box<dyn Sink + '_>) -> Result<(), ImageError> {
    let fail = |error: SinkError| match error {
        SinkError::Write(source) => FsError::new("write", request.goal, source),
        error => FsError::new("write", request.goal, io::Error::other(error.to_string())),
    };
    let packages = sorted(request)?;
    let meta = FileMeta { executable: false, modified: EPOCH };
    let put = |sink: &mut dyn Sink, name: &str, bytes: &[u8]| {
        sink.file(name.as_bytes(), meta, bytes.len() as u64, &mut &*bytes).map_err(fail)
    };
    put(&mut *sink, INDEX, &index(request, &packages)?)?;
    put(&mut *sink, LOCK, request.lock)?;
    put(&mut *sink, "explicit.txt", explicit(request, &packages).as_bytes())?;
    for (name, bytes) in request.lists {
        put(&mut *sink, name, bytes)?;
    }
    // Clients look for both indexes.
    for subdir in ["noarch", request.platform.as_str()] {
        sink.folder(subdir.as_bytes()).map_err(fail)?;
        put(&mut *sink, &format!("{subdir}/repodata.json"), &repodata(subdir, &packages))?;
    }
    for (path, (_, file)) in &packages {
        if request.cancel.is_cancelled() {
            let stopped = io::Error::new(io::ErrorKind::Interrupted, "stopped");
            return Err(FsError::new("write", request.goal, stopped).into());
        }
        let mut data = File::open(file).map_err(|error| FsError::new("read", file, error))?;
        let size = data.metadata().map_err(|error| FsError::new("read", file, error))?.len();
        sink.file(path.as_bytes(), meta, size, &mut data).map_err(|error| match error {
            SinkError::Data { why, .. } => FsError::new("read", file, why),
            error => fail(error),
        })?;
    }
    Ok(sink.finish().map_err(fail)?)
}

type Packages<'a> = BTreeMap<String, &'a (RepoDataRecord, PathBuf)>;

/// The packages by their names in the bundle.
fn sorted<'a>(request: &BundleRequest<'a>) -> Result<Packages<'a>, ImageError> {
    let mut packages = BTreeMap::new();
    for package in request.packages {
        let file = package.0.identifier.to_file_name();
        let subdir = &package.0.package_record.subdir;
        let broken = |reason: String| ImageError::Package { package: file.clone(), reason };
        if subdir != "noarch" && subdir != request.platform.as_str() {
            return Err(broken(format!("it is for {subdir}, and the environment for {}", request.platform)));
        }
        if package.0.package_record.sha256.is_none() {
            return Err(broken("nothing tells its sha256".to_owned()));
        }
        if packages.insert(format!("{subdir}/{file}"), package).is_some() {
            return Err(broken("two packages have this file name".to_owned()));
        }
    }
    Ok(packages)
}

fn index(request: &BundleRequest<'_>, packages: &Packages<'_>) -> Result<Vec<u8>, ImageError> {
    let packages = packages.iter().map(|(path, (record, _))| Package {
        path: path.clone(),
        url: conda::public_url(record.url.as_str(), request.own),
        channel: record.channel.as_deref().map(|it| conda::public_channel(it, request.own)),
        record: plain(&record.package_record),
    });
    let index = Index {
        format: FORMAT,
        name: request.name.to_owned(),
        platform: request.platform.to_string(),
        specs: request.specs.iter().map(ToString::to_string).collect(),
        packages: packages.collect(),
    };
    Ok(lines(&index))
}

/// When a package entered an index depends on the day, and says nothing about the package.
fn plain(record: &PackageRecord) -> PackageRecord {
    PackageRecord { indexed_timestamp: None, ..record.clone() }
}

fn lines(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("texts, numbers and lists are always JSON");
    bytes.push(b'\n');
    bytes
}

/// The index of a channel's folder.
fn repodata(subdir: &str, packages: &Packages<'_>) -> Vec<u8> {
    let (mut old, mut new) = (serde_json::Map::new(), serde_json::Map::new());
    for (record, _) in packages.values().filter(|(record, _)| record.package_record.subdir == subdir) {
        let file = record.identifier.to_file_name();
        let value = serde_json::to_value(plain(&record.package_record)).unwrap_or(Value::Null);
        if file.ends_with(".conda") {
            new.insert(file, value)
        } else {
            old.insert(file, value)
        };
    }
    lines(&json!({"info": {"subdir": subdir}, "packages": old, "packages.conda": new, "removed": [],
        "repodata_version": 1}))
}

/// The packages in an order in which they can be installed, as conda and mamba read them, relative to the file.
fn explicit(request: &BundleRequest<'_>, packages: &Packages<'_>) -> String {
    let records = packages.values().map(|(record, _)| record.clone()).collect();
    let mut text = format!("# platform: {}\n@EXPLICIT\n", request.platform);
    for record in PackageRecord::sort_topologically::<RepoDataRecord>(records) {
        let package = &record.package_record;
        text += &format!("./{}/{}", package.subdir, record.identifier.to_file_name());
        text += &match (package.md5, package.sha256) {
            (Some(md5), _) => format!("#{}", hex::encode(md5)),
            (None, sha256) => format!("#sha256:{}", sha256.map(hex::encode).unwrap_or_default()),
        };
        text.push('\n');
    }
    text
}
