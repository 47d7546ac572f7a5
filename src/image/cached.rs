//! Packages in the package cache.

use std::{path::PathBuf, sync::Arc};

use rattler_conda_types::{
    RepoDataRecord,
    package::{IndexJson, LinkJson, NoArchLinks, PackageFile as _, PathsJson},
};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{ImageRequest, error::ImageError};
use crate::{
    base::{Network, with_causes},
    http,
    pkgcache::{self, CacheMetadata},
};

/// How many packages are fetched and checked at once.
const AT_ONCE: usize = 16;

/// An extracted package.
#[derive(Debug, Clone)]
pub(super) struct Cached {
    /// What the lock says of it, with a hash.
    pub(super) record: RepoDataRecord,
    /// Where it lies.
    pub(super) folder: PathBuf,
    /// Its own name, and whether it is pure Python.
    pub(super) index: IndexJson,
    /// Its files.
    pub(super) paths: PathsJson,
}

impl Cached {
    /// Reads what an extracted package says of itself.
    pub(super) fn read(record: RepoDataRecord, folder: PathBuf) -> Result<Self, ImageError> {
        let fail = |error: std::io::Error| broken(&record, with_causes(&error));
        let index = IndexJson::from_package_directory(&folder).map_err(fail)?;
        let paths = PathsJson::from_package_directory_with_deprecated_fallback(&folder).map_err(fail)?;
        Ok(Self { record, folder, index, paths })
    }

    fn new(record: RepoDataRecord, found: &CacheMetadata) -> Result<Self, ImageError> {
        match (found.index_json(), found.paths_json()) {
            (Some(index), Some(paths)) => {
                Ok(Self { record, folder: found.path().to_owned(), index: index.clone(), paths: paths.clone() })
            }
            _ => Self::read(record, found.path().to_owned()),
        }
    }

    /// The package's file name.
    pub(super) fn name(&self) -> String {
        self.record.identifier.to_file_name()
    }

    /// What a pure Python package says of its scripts, when it does.
    pub(super) fn links(&self) -> Result<Option<NoArchLinks>, ImageError> {
        match LinkJson::from_package_directory(&self.folder) {
            Ok(links) => Ok(Some(links.noarch)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.broken(with_causes(&error))),
        }
    }

    pub(super) fn broken(&self, reason: String) -> ImageError {
        broken(&self.record, reason)
    }
}

fn broken(record: &RepoDataRecord, reason: String) -> ImageError {
    ImageError::Package { package: record.identifier.to_file_name(), reason }
}

/// Every package, in the order of the request, fetched and extracted when it is not there yet.
pub(super) async fn cached(request: &ImageRequest<'_>) -> Result<Vec<Cached>, ImageError> {
    let records = pkgcache::with_hashes(request.records)?;
    let cache = pkgcache::open(request.cache);
    if request.network == Network::Offline {
        let listed = pkgcache::missing(&cache, &records).await;
        let missing = listed.map_err(|error| crate::base::FsError::new("list", request.cache, error))?;
        if let Some(url) = missing {
            return Err(ImageError::Offline { url: url.to_string() });
        }
    }
    // As the installer does: no other program may extract the same packages meanwhile.
    let lock = cache.acquire_global_lock().await;
    let _lock = lock.map_err(|error| ImageError::Fetch { package: "*".to_owned(), reason: with_causes(&error) })?;
    let client = http::client(request.network);
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for (place, record) in records.into_iter().enumerate() {
        let (cache, client, turns) = (cache.clone(), client.clone(), Arc::clone(&turns));
        tasks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            let found = pkgcache::extracted(&cache, &record, client)
                .await
                .map_err(|reason| ImageError::Fetch { package: record.identifier.to_file_name(), reason });
            (place, found.and_then(|found| Cached::new(record, &found)))
        });
    }
    let mut packages = Vec::new();
    let mut failed = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok((place, Ok(package))) => packages.push((place, package)),
            Ok((place, Err(error))) => failed.push((place, error)),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    // The first in the request's order, whichever failed first.
    if let Some((_, error)) = failed.into_iter().min_by_key(|(place, _)| *place) {
        return Err(error);
    }
    packages.sort_by_key(|(place, _)| *place);
    Ok(packages.into_iter().map(|(_, package)| package).collect())
}
