//! Bundles: the locked packages as they are, and environments of them.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use rattler_conda_types::RepoDataRecord;

use super::{Context, ExecError, environment, pip, stated};
use crate::{
    archive::Format,
    base::{Cancel, FsError, Progress, Scratch, fs},
    export::Contents,
    fetch::{self, FetchRequest, SourceRef},
    image::{self, BundleRequest, Bundled},
    lock::{self, RelativeChannel},
    pack::{self, PackError, PackRequest},
    pkgcache,
    rt::Rt,
    tree::{Content, Entries, Entry, File, HEADER, Header},
    workspace::Environment,
};

/// The format's name.
pub(super) const BUNDLE: &str = "bundle";

/// The name of the format that is a folder.
pub(super) const BUNDLE_FOLDER: &str = "bundle-folder";

/// Writes what is locked for an environment as a bundle, into a file or a folder. Gives nothing of a folder.
pub(super) fn bundle(
    context: &Context,
    environment: &Environment,
    records: &[RepoDataRecord],
    goal: &Path,
    folder: bool,
) -> Result<Option<Bundled>, ExecError> {
    // As the archive of this lock has them.
    let own = context.own_places();
    let lists = stated::lists(contents_of(context, environment, records), &own)?;
    let records = pkgcache::with_hashes(records)?;
    let packages = archives(context, &records)?;
    let request = BundleRequest {
        packages: &packages,
        specs: &environment::specs(environment),
        name: &environment.name,
        platform: context.workspace.platform,
        lock: &lock_of(context, environment, &records)?,
        own: &own,
        lists: &lists,
        goal,
        folder,
        cancel: &context.cancel,
    };
    match image::bundle(&request) {
        Ok(bundled) => Ok(bundled),
        Err(_) if context.cancel.is_cancelled() => Err(ExecError::Cancelled),
        Err(error) => Err(error.into()),
    }
}

/// What is locked, for lists of it.
fn contents_of(context: &Context, environment: &Environment, records: &[RepoDataRecord]) -> Contents {
    Contents::of_lock(&environment.name, context.workspace.platform, &context.channel_names(), records)
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
            .map_err(|()| FsError::new("name", &file, io::Error::from(io::ErrorKind::InvalidFilename)))?;
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

/// Makes the environment of a bundle in a place where nothing is but perhaps an empty folder: the same that the archive of
/// what is locked becomes there. It is whole or not there. Gives the number of its files.
///
/// # Errors
/// When the bundle is damaged, the environment cannot live there, or a file cannot be written.
pub fn unbundle(bundle: &Path, prefix: &Path, cancel: &Cancel) -> Result<u64, ExecError> {
    let prefix = std::path::absolute(prefix).map_err(|error| FsError::new("find the path of", prefix, error))?;
    if prefix.symlink_metadata().is_ok() && (!prefix.is_dir() || !fs::list(&prefix)?.is_empty()) {
        return Err(PackError::Occupied(prefix).into());
    }
    let name = prefix.to_str().ok_or_else(|| {
        let unreadable = io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8");
        FsError::new("use", &prefix, unreadable)
    })?;
    let rt = Rt::new().map_err(|error| FsError::new("start threads for", &prefix, error))?;
    let beside = Scratch::inside(prefix.parent().unwrap_or(Path::new("/")))?;
    let mut unbundled = image::unbundle(&rt, bundle, beside.path())?;
    let image = &mut unbundled.image;
    pack::see(&mut image.entries, &image.placeholder, &image.foreign)?;
    let variables = image::variables(&image.entries)?;
    let stated = stated::stated(&image.entries, Some(&unbundled.name), unbundled.platform, &[])?;
    let mut request = PackRequest {
        since: None,
        entries: std::mem::take(&mut image.entries),
        placeholder: &image.placeholder,
        dest_prefix: Some(name),
        foreign: &image.foreign,
        own: &[],
        needs: &stated.needs.to_bytes(),
        more: &stated.lists,
        archive: &prefix,
        format: Format::Folder,
        arcroot: "",
        split: None,
        level: None,
        threads: 1,
        name: Some(&unbundled.name),
        platform: unbundled.platform.as_str(),
        variables: &variables,
        progress: Progress::none(),
        cancel,
    };
    let (mut entries, _) = pack::contents(&mut request)?;
    of_any_place(&mut entries, &image.placeholder);
    let whole = beside.path().join("whole");
    let files = match image::grow(&entries, &whole, beside.path(), cancel) {
        Err(_) if cancel.is_cancelled() => return Err(ExecError::Cancelled),
        grown => grown?,
    };
    std::fs::rename(&whole, &prefix).map_err(|error| FsError::new("rename into place", &prefix, error))?;
    Ok(files)
}

/// Where the files are to be used is told by the marker; the header is that of an archive for any place.
fn of_any_place(entries: &mut Entries, placeholder: &str) {
    if let Some(Entry::File(File { content: Content::Made(bytes), .. })) = entries.get_mut(HEADER.as_bytes())
        && let Ok(header) = serde_json::from_slice::<Header>(bytes)
        && let Ok(mut text) = serde_json::to_vec_pretty(&Header { prefix: placeholder.to_owned(), ..header })
    {
        text.push(b'\n');
        *bytes = text;
    }
}
