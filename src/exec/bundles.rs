//! Bundles: the locked packages as they are, and environments of them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rattler_conda_types::RepoDataRecord;

use super::{Context, ExecError, environment, pip};
use crate::{
    archive::Format,
    base::{Cancel, FsError, Scratch, fs},
    fetch::{self, FetchRequest, SourceRef},
    image::{self, BundleRequest, Bundled},
    lock::{self, RelativeChannel},
    pack::{self, PackError, PackRequest, Packed},
    pkgcache,
    rt::Rt,
    workspace::Environment,
};

/// The format's name.
pub(super) const BUNDLE: &str = "bundle";

/// Writes what is locked for an environment as a bundle.
pub(super) fn bundle(
    context: &Context,
    environment: &Environment,
    records: &[RepoDataRecord],
    goal: &Path,
) -> Result<Bundled, ExecError> {
    let records = pkgcache::with_hashes(records)?;
    let packages = archives(context, &records)?;
    let request = BundleRequest {
        packages: &packages,
        specs: &environment::specs(environment),
        name: &environment.name,
        platform: context.workspace.platform,
        lock: &lock_of(context, environment, &records)?,
        needs: "{}\n",
        goal,
        folder: false,
        cancel: &context.cancel,
    };
    match image::bundle(&request) {
        Ok(Some(bundled)) => Ok(bundled),
        Ok(None) => unreachable!("a bundle that is no folder is a file"),
        Err(_) if context.cancel.is_cancelled() => Err(ExecError::Cancelled),
        Err(error) => Err(error.into()),
    }
}

/// The lock file of one environment beside its packages.
fn lock_of(context: &Context, environment: &Environment, records: &[RepoDataRecord]) -> Result<Vec<u8>, ExecError> {
    let locked = context.locked()?;
    let unlocked = || ExecError::NotLocked { environment: environment.name.clone() };
    let mut locked = locked.get(&environment.name).ok_or_else(unlocked)?.clone();
    let scratch = context.scratch()?;
    // Nothing is there: it is only cut off again.
    let folder = scratch.path().join("bundle");
    locked.channels = vec![".".to_owned()];
    locked.packages = records.to_vec();
    for record in &mut locked.packages {
        let file = folder.join(&record.package_record.subdir).join(record.identifier.to_file_name());
        record.url = url::Url::from_file_path(&file)
            .map_err(|()| FsError::new("name", &file, std::io::Error::from(std::io::ErrorKind::InvalidFilename)))?;
    }
    let path = scratch.path().join("envbuild.lock");
    let relative = [RelativeChannel { folder, written: ".".to_owned() }];
    lock::write(&path, &BTreeMap::from([(environment.name.clone(), locked)]), &relative)?;
    Ok(fs::read(&path)?)
}

/// The archives of packages: those of local channels lie there, all others are downloaded once and kept.
fn archives(context: &Context, records: &[RepoDataRecord]) -> Result<Vec<(RepoDataRecord, PathBuf)>, ExecError> {
    let local = |record: &RepoDataRecord| (record.url.scheme() == "file").then(|| record.url.to_file_path().ok())?;
    let remote: Vec<&RepoDataRecord> = records.iter().filter(|record| local(record).is_none()).collect();
    let sources: Vec<SourceRef> = remote
        .iter()
        .map(|record| SourceRef {
            urls: vec![record.url.to_string()],
            sha256: record.package_record.sha256.map(hex::encode),
            md5: record.package_record.md5.map(hex::encode),
            file_name: record.identifier.to_file_name(),
        })
        .collect();
    let request = FetchRequest {
        sources: &sources,
        mirrors: &[],
        store: &context.settings.cache.join("archives"),
        network: context.settings.network,
        environment: &context.settings.environment,
        default_index: pip::default_index,
    };
    let fetched = if sources.is_empty() { Vec::new() } else { fetch::fetch(&context.rt, &request)? };
    let mut fetched = fetched.into_iter();
    let mut archives = Vec::new();
    for record in records {
        match local(record) {
            Some(path) => archives.push((record.clone(), path)),
            None => archives.extend(fetched.next().map(|it| (record.clone(), it.file))),
        }
    }
    Ok(archives)
}

/// Makes the environment of a bundle in a place where nothing is but perhaps an empty folder. It is whole or not there.
///
/// # Errors
/// When the bundle is damaged, the environment cannot live there, or a file cannot be written.
pub fn unbundle(bundle: &Path, prefix: &Path, cancel: &Cancel) -> Result<Packed, ExecError> {
    let prefix = std::path::absolute(prefix).map_err(|error| FsError::new("find the path of", prefix, error))?;
    if prefix.symlink_metadata().is_ok() && (!prefix.is_dir() || !fs::list(&prefix)?.is_empty()) {
        return Err(PackError::Occupied(prefix).into());
    }
    let name = prefix.to_str().ok_or_else(|| {
        let unreadable = std::io::Error::new(std::io::ErrorKind::InvalidInput, "its name is not UTF-8");
        FsError::new("use", &prefix, unreadable)
    })?;
    let rt = Rt::new().map_err(|error| FsError::new("start threads for", &prefix, error))?;
    let parent = prefix.parent().unwrap_or(Path::new("/"));
    let beside = Scratch::inside(parent)?;
    let mut unbundled = image::unbundle(&rt, bundle, beside.path())?;
    let image = &mut unbundled.image;
    let variables = image::variables(&image.entries)?;
    let packed = pack::pack(PackRequest {
        since: None,
        entries: std::mem::take(&mut image.entries),
        placeholder: &image.placeholder,
        dest_prefix: Some(name),
        foreign: &image.foreign,
        needs: unbundled.needs.as_bytes(),
        more: &[],
        archive: &prefix,
        format: Format::Folder,
        arcroot: "",
        split: None,
        level: None,
        threads: 1,
        name: &unbundled.name,
        platform: &unbundled.platform,
        variables: &variables,
        progress: &|_| {},
        cancel,
    });
    Ok(packed?)
}
