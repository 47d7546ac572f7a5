//! The file: read with absolute URLs, written with relative paths for the project's own packages.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rattler_conda_types::{Channel, PackageRecord, RepoDataRecord, Subdir};
use rattler_lock::{CondaBinaryData, CondaPackageData, LockFile, PlatformData, PlatformName, UrlOrPath};
use url::Url;

use super::{LockedEnvironment, RelativeChannel, error::LockError};
use crate::base::{fs, without_dots};

/// The last line. What is cut short in the middle of its last package can be a lock file as well, of another package.
const END: &str = "# The lock file ends here.";

/// Reads a lock file: environment names and what they hold. There are none when there is no file.
///
/// # Errors
/// When the file cannot be read, is in the middle of a merge, is not a lock file or was cut short; the error says what to
/// do.
pub fn read(path: &Path) -> Result<BTreeMap<String, LockedEnvironment>, LockError> {
    let bad = |reason: &dyn std::fmt::Display| LockError::Parse { path: path.to_owned(), reason: reason.to_string() };
    let Some(bytes) = fs::read_if_there(path)? else { return Ok(BTreeMap::new()) };
    let text = String::from_utf8(bytes).map_err(|error| bad(&error))?;
    if text.lines().any(|line| ["<<<<<<<", ">>>>>>>", "======="].iter().any(|marker| line.starts_with(marker))) {
        return Err(LockError::Conflict(path.to_owned()));
    }
    let folder = folder_of(path)?;
    let lock = LockFile::from_str_with_base_directory(&text, None).map_err(|error| bad(&error))?;
    if !text.trim_end().ends_with(END) {
        return Err(LockError::Cut(path.to_owned()));
    }
    let mut environments = BTreeMap::new();
    for (name, environment) in lock.environments() {
        let platforms: Vec<_> = environment.platforms().collect();
        let [platform] = platforms[..] else {
            let (path, environment) = (path.to_owned(), name.to_owned());
            return Err(LockError::Platforms { path, environment, found: platforms.len() });
        };
        let packages = environment.conda_packages(platform).into_iter().flatten();
        let packages: Result<Vec<_>, LockError> = packages
            .map(|package| {
                let binary = package.as_binary().ok_or_else(|| bad(&"it holds a source package"))?;
                absolute(binary, &folder).map_err(|error| bad(&error))
            })
            .collect();
        let locked = LockedEnvironment {
            platform: platform.subdir(),
            channels: environment.channels().iter().map(|channel| channel.url.clone()).collect(),
            virtual_packages: platform.virtual_packages().to_vec(),
            packages: PackageRecord::sort_topologically(packages?),
        };
        environments.insert(name.to_owned(), locked);
    }
    Ok(environments)
}

/// Writes a lock file, whole or not at all; the same environments give the same text, and a file that has this text
/// already is not touched. Packages of `relative` channels are written as paths relative to the lock file's folder.
///
/// # Errors
/// When the file cannot be written.
pub fn write(
    path: &Path,
    environments: &BTreeMap<String, LockedEnvironment>,
    relative: &[RelativeChannel],
) -> Result<(), LockError> {
    let text = render(path, environments, relative)?;
    if fs::read_if_there(path)?.is_some_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    Ok(fs::write_atomic(path, text.as_bytes())?)
}

fn render(
    path: &Path,
    environments: &BTreeMap<String, LockedEnvironment>,
    relative: &[RelativeChannel],
) -> Result<String, LockError> {
    let bad = |reason: &dyn std::fmt::Display| LockError::Format { path: path.to_owned(), reason: reason.to_string() };
    let platforms = platforms(environments);
    let mut data = Vec::new();
    for ((subdir, virtual_packages), name) in &platforms {
        let name = PlatformName::try_from(name.as_str()).map_err(|error| bad(&error))?;
        let subdir = subdir.parse::<Subdir>().map_err(|error| bad(&error))?;
        data.push(PlatformData { name, subdir, virtual_packages: virtual_packages.to_vec() });
    }
    let mut builder = LockFile::builder().with_platforms(data).map_err(|error| bad(&error))?;
    for (name, environment) in environments {
        builder.set_channels(name, environment.channels.iter().map(String::as_str));
        let platform = &platforms[&(environment.platform.to_string(), environment.virtual_packages.as_slice())];
        builder.add_environment_platform(name, platform).map_err(|error| bad(&error))?;
        for record in &environment.packages {
            let package = package(record.clone(), relative);
            builder.add_conda_package(name, platform, package).map_err(|error| bad(&error))?;
        }
    }
    let mut text = builder.finish().render_to_string().map_err(|error| bad(&error))?;
    text.push_str(END);
    text.push('\n');
    Ok(text)
}

/// A name for each pair of platform and virtual packages. The format has one list of virtual packages per platform, and
/// environments for different targets differ in them: then the platform's name carries the first such environment's.
fn platforms(environments: &BTreeMap<String, LockedEnvironment>) -> BTreeMap<(String, &[String]), String> {
    let mut users: BTreeMap<(String, &[String]), &str> = BTreeMap::new();
    for (name, environment) in environments {
        let key = (environment.platform.to_string(), environment.virtual_packages.as_slice());
        users.entry(key).or_insert(name);
    }
    let mut several = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for (subdir, _) in users.keys() {
        if !seen.insert(subdir.clone()) {
            several.insert(subdir.clone());
        }
    }
    let plain = |c: char| if c.is_alphanumeric() || c == '_' || c == '-' { c } else { '-' };
    let name = |subdir: &str, user: &str| {
        if several.contains(subdir) {
            format!("{subdir}-{user}").chars().map(plain).collect()
        } else {
            subdir.to_owned()
        }
    };
    users.iter().map(|(key, user)| (key.clone(), name(&key.0, user))).collect()
}

fn package(mut record: RepoDataRecord, relative: &[RelativeChannel]) -> CondaPackageData {
    // When an artifact entered an index depends on the day, and says nothing about the artifact.
    record.package_record.indexed_timestamp = None;
    let file = (record.url.scheme() == "file").then(|| record.url.to_file_path().ok()).flatten();
    let within = file.and_then(|file| {
        let below = |channel: &RelativeChannel| {
            let below = file.strip_prefix(&channel.folder).ok()?;
            Some(Path::new(&channel.written).join(below).to_str()?.to_owned())
        };
        relative.iter().find_map(below)
    });
    match within {
        None => record.into(),
        Some(within) => CondaPackageData::from(CondaBinaryData {
            package_record: record.package_record,
            file_name: record.identifier,
            channel: None,
            location: within.parse().unwrap_or_else(|_| UrlOrPath::from(record.url)),
        }),
    }
}

/// A package of the lock file as a record, its relative path resolved against the lock file's folder.
fn absolute(package: &CondaBinaryData, folder: &Path) -> Result<RepoDataRecord, String> {
    let url = match &package.location {
        UrlOrPath::Url(url) => url.clone(),
        UrlOrPath::Path(path) => {
            // A channel beside the project is reached by `..`, which no URL keeps. Links stay: what the channel is called must
            // not depend on whether it is there.
            let path = without_dots(&folder.join(path.as_str()));
            let channel = path.parent().and_then(Path::parent).ok_or("a package's path is too short")?;
            let channel = Channel::try_from_directory(channel).map_err(|error| error.to_string())?;
            let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let base: Url = channel.base_url.url().clone().into();
            base.join(&format!("{}/{file}", package.package_record.subdir)).map_err(|error| error.to_string())?
        }
    };
    let channel = match &package.channel {
        Some(channel) => channel.to_string(),
        // The format leaves the channel out where it is the folder above the subdir.
        None => url.join("..").map_err(|error| error.to_string())?.to_string(),
    };
    Ok(RepoDataRecord {
        package_record: package.package_record.clone(),
        identifier: package.file_name.clone(),
        url,
        channel: Some(channel),
    })
}

fn folder_of(path: &Path) -> Result<std::path::PathBuf, LockError> {
    let path = std::path::absolute(path).map_err(|source| crate::base::FsError::new("resolve", path, source))?;
    Ok(path.parent().unwrap_or(Path::new("/")).to_owned())
}
