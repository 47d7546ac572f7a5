//! The package cache, in which packages lie extracted: opened in one way by all who take packages from it.
//!
//! Knows nothing of: where the packages go.

use std::{io, path::Path};

use rattler_cache::{package_cache::PackageCache, validation::ValidationMode};
use rattler_conda_types::{RepoDataRecord, package::DistArchiveType};
use rattler_digest::{Sha256, Sha256Hash, compute_file_digest};
use rattler_networking::{LazyClient, retry_policies::default_retry_policy};
use url::Url;

use crate::{
    base::{FsError, with_causes},
    rt::Rt,
};

pub use rattler_cache::package_cache::CacheMetadata;

/// Opens the cache. Installed files are hard links into it: whoever writes into a prefix writes into the cache as well. So
/// a package whose files are not what it says they are is extracted again before it gets anywhere else.
pub fn open(folder: &Path) -> PackageCache {
    PackageCache::new_layered([folder], false, ValidationMode::Full)
}

/// The package cache knows packages by name, version and build, and tells two of them apart by their sha256 alone: a
/// `file://` package whose channel states none gets the one of its file.
///
/// # Errors
/// When such a file cannot be read.
pub fn with_hashes(records: &[RepoDataRecord]) -> Result<Vec<RepoDataRecord>, FsError> {
    let mut records = records.to_vec();
    for record in &mut records {
        if record.package_record.sha256.is_none()
            && record.url.scheme() == "file"
            && let Ok(path) = record.url.to_file_path()
        {
            record.package_record.sha256 = Some(sha256(&path)?);
        }
    }
    Ok(records)
}

/// The sha256 of a file.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(path: &Path) -> Result<Sha256Hash, FsError> {
    compute_file_digest::<Sha256>(path).map_err(|source| FsError::new("read", path, source))
}

/// The first package that would have to be downloaded.
///
/// # Errors
/// When the cache cannot be listed.
pub async fn missing(cache: &PackageCache, records: &[RepoDataRecord]) -> io::Result<Option<Url>> {
    let index = cache.index().await?;
    let mut remote = records.iter().filter(|record| record.url.scheme() != "file");
    Ok(remote.find(|record| !index.contains_record(record)).map(|record| record.url.clone()))
}

/// Of each package whether the cache has it with its hash, so that nobody needs its archive; not of packages without a hash.
///
/// # Errors
/// When the cache cannot be listed.
pub fn held(rt: &Rt, folder: &Path, records: &[RepoDataRecord]) -> Result<Vec<bool>, FsError> {
    let index = rt.block_on(open(folder).index()).map_err(|error| FsError::new("list", folder, error))?;
    let has = |record: &RepoDataRecord| record.package_record.sha256.is_some() && index.contains_record(record);
    Ok(records.iter().map(has).collect())
}

/// A package in the cache, fetched and extracted as the installer does it when it is not there yet.
///
/// # Errors
/// When it cannot be had; the text says why.
pub async fn extracted(
    cache: &PackageCache,
    record: &RepoDataRecord,
    client: LazyClient,
) -> Result<CacheMetadata, String> {
    let package = &record.package_record;
    let policy = default_retry_policy();
    let fetched = if record.url.scheme() == "file" {
        let path = record.url.to_file_path().map_err(|()| format!("`{}` names no file", record.url))?;
        cache.get_or_fetch_from_path(&path, Some(package), None).await
    } else if matches!(record.identifier.archive_type, DistArchiveType::Wheel(_)) {
        cache.get_or_fetch_wheel_from_url_with_retry(package, record.url.clone(), client, policy, None, None).await
    } else {
        cache.get_or_fetch_from_url_with_retry(package, record.url.clone(), client, policy, None, None).await
    };
    fetched.map_err(|error| with_causes(&error))
}
