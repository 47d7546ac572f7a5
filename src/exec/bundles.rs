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
    base::{Cancel, Disk, FsError, Meter, Progress, Scratch, fs},
    conda::Sums,
    export::Contents,
    fetch::{self, FetchRequest, SourceRef},
    image::{self, BundleRequest, ImageError, Outline},
    lock::{self, RelativeChannel},
    pack::{self, PackRequest},
    pkgcache,
    rt::Rt,
    tree::{Content, Entries, Entry, File, HEADER, Header, MARKER},
    unpack::{self, Machine, Wanted},
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
) -> Result<Option<Sums>, ExecError> {
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
///
/// # Errors
/// When one cannot be had. What the package cache has of it is no help: from its files nobody makes the same archive.
fn archives(context: &Context, records: &[RepoDataRecord]) -> Result<Vec<(RepoDataRecord, PathBuf)>, ExecError> {
    let local = environment::archive_here;
    let gone: Vec<String> =
        records.iter().filter_map(local).filter(|it| !it.exists()).map(|it| it.display().to_string()).collect();
    if !gone.is_empty() {
        return Err(ExecError::NoArchives { gone });
    }
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

/// What to make of a bundle, and where.
#[derive(Debug, Clone, Copy)]
pub struct UnbundleRequest<'a> {
    /// The bundle.
    pub bundle: &'a Path,
    /// Where the environment is to live: nothing may be there but an empty folder.
    pub prefix: &'a Path,
    /// Where it is to run; [`Machine::default`] suits every environment.
    pub machine: &'a Machine,
    /// The folder of caches, where bytecode is kept; it is used when it is there.
    pub cache: Option<&'a Path>,
    /// Is told how many bytes of packages and files are done.
    pub progress: Progress<'a>,
    /// When it is raised, what was written is deleted again.
    pub cancel: &'a Cancel,
}

/// Makes the environment of a bundle in a place where nothing is but perhaps an empty folder: the same that the archive of
/// what is locked becomes there. It is whole or not there. Gives the number of its files.
///
/// # Errors
/// When the bundle is damaged, the environment cannot live there, cannot run on the machine or has no room, or a file cannot
/// be written.
pub fn unbundle(request: &UnbundleRequest<'_>) -> Result<u64, ExecError> {
    let UnbundleRequest { bundle, prefix, machine, .. } = *request;
    let outline = image::outline(bundle)?;
    unpack::require_machine(bundle, &outline.platform, outline.glibc.as_deref(), machine)?;
    let prefix = unpack::require_place(prefix, outline.room)?;
    let disk = Disk::of(prefix.parent().unwrap_or(Path::new("/")))?;
    let wanted = Wanted { room: outline.takes(&disk), about: true };
    unpack::require_room(&disk, wanted)?;
    unbundle_at(request, &outline, &prefix).map_err(|error| match error {
        ExecError::File(error) | ExecError::Image(ImageError::File(error)) => {
            unpack::out_of_room(error, &disk, wanted).into()
        }
        other => other,
    })
}

/// The same where nothing is in its way.
fn unbundle_at(request: &UnbundleRequest<'_>, outline: &Outline, prefix: &Path) -> Result<u64, ExecError> {
    let UnbundleRequest { bundle, machine, cache, progress, cancel, .. } = *request;
    let name = prefix.to_str().ok_or_else(|| {
        let unreadable = io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8");
        FsError::new("use", prefix, unreadable)
    })?;
    // Files are extracted, and put into their places.
    let meter = Meter::new(progress, outline.packed.saturating_add(outline.holds.bytes));
    let rt = Rt::new().map_err(|error| FsError::new("start threads for", prefix, error))?;
    let beside = Scratch::beside(prefix)?;
    let stopped = |error: ImageError| if cancel.is_cancelled() { ExecError::Cancelled } else { error.into() };
    let kept = cache.filter(|it| it.is_dir()).map(|it| it.join("bytecode"));
    let mut unbundled = image::unbundle(
        &rt,
        &image::UnbundleRequest { bundle, beside: beside.path(), kept: kept.as_deref(), meter: &meter, cancel },
    )
    .map_err(stopped)?;
    let image = &mut unbundled.image;
    pack::see(&mut image.entries, &image.placeholder, &image.foreign)?;
    let variables = image::variables(&image.entries)?;
    let stated = stated::stated(&image.entries, Some(&unbundled.name), unbundled.platform, &[])?;
    // The files say more than their packages did.
    let glibc = stated.needs.glibc.as_ref().map(|it| it.version.as_str());
    unpack::require_machine(bundle, unbundled.platform.as_str(), glibc, machine)?;
    let mut request = PackRequest {
        since: None,
        entries: std::mem::take(&mut image.entries),
        placeholder: &image.placeholder,
        dest_prefix: Some(name),
        foreign: &image.foreign,
        own: &[],
        needs: &stated.needs.to_bytes(),
        more: &stated.lists,
        archive: prefix,
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
    let mut entries = pack::contents(&mut request)?.into_entries();
    of_any_place(&mut entries, &image.placeholder);
    let whole = beside.path().join("whole");
    let files = image::grow(&entries, &whole, beside.path(), &meter, cancel).map_err(stopped)?;
    if cancel.is_cancelled() {
        return Err(ExecError::Cancelled);
    }
    unpack::place(&whole, prefix)?;
    // As of an archive, the file is not counted that tells where the environment is.
    Ok(files - u64::from(entries.contains_key(MARKER.as_bytes())))
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
