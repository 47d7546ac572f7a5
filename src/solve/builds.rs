//! The builds of packages that channels have, and which of them a machine could use.

use std::{cmp::Reverse, collections::BTreeMap, path::Path};

use rattler_conda_types::{
    Channel, GenericVirtualPackage, MatchSpec, Matches as _, PackageName, PackageRecord, ParseStrictness,
    RepoDataRecord, Subdir,
};

use super::{
    error::SolveError,
    solver::{blame, gateway},
};
use crate::{base::Network, rt::Rt};

/// Which packages are looked for, and for what machine.
#[derive(Clone, Copy, Debug)]
pub struct BuildsRequest<'a> {
    /// The packages; of each, only what satisfies the spec counts.
    pub specs: &'a [MatchSpec],
    /// The platform of the machine; `noarch` takes part by itself.
    pub platform: Subdir,
    /// The channels, the first has the highest priority, and a package that one has is taken from no later one.
    pub channels: &'a [Channel],
    /// What the machine offers.
    pub virtual_packages: &'a [GenericVirtualPackage],
    /// The folder of caches.
    pub cache: &'a Path,
    /// Whether the network may be used.
    pub network: Network,
}

/// The builds of each package whose own words on virtual packages the machine meets, the newest first: by version, build
/// number and the time when they were made.
///
/// # Errors
/// When a channel cannot be read, or it needs the network and may not use it.
pub fn fitting_builds(
    rt: &Rt,
    request: &BuildsRequest<'_>,
) -> Result<BTreeMap<PackageName, Vec<RepoDataRecord>>, SolveError> {
    let mut found: BTreeMap<PackageName, Vec<RepoDataRecord>> = BTreeMap::new();
    let mut taken: BTreeMap<PackageName, Option<String>> = BTreeMap::new();
    for record in rt.block_on(query(request))? {
        let name = record.package_record.name.clone();
        let first = taken.entry(name.clone()).or_insert_with(|| record.channel.clone());
        if *first == record.channel && is_met(&record.package_record, request.virtual_packages) {
            found.entry(name).or_default().push(record);
        }
    }
    for builds in found.values_mut() {
        builds.sort_by_cached_key(|it| {
            let record = &it.package_record;
            let made = record.timestamp.as_ref().map(|it| it.timestamp_millis());
            Reverse((record.version.clone(), record.build_number, made, record.build.clone()))
        });
    }
    Ok(found)
}

/// Whether a package's own `depends` and `constrains` on virtual packages are met. What cannot be understood is not.
fn is_met(record: &PackageRecord, virtual_packages: &[GenericVirtualPackage]) -> bool {
    let meets = |spec: &String, if_missing: bool| {
        let Ok(spec) = MatchSpec::from_str(spec, ParseStrictness::Lenient) else { return false };
        let Some(name) = spec.name.as_exact() else { return false };
        virtual_packages.iter().find(|it| it.name == *name).map_or(if_missing, |it| spec.matches(it))
    };
    let is_virtual = |it: &&String| it.starts_with("__");
    record.depends.iter().filter(is_virtual).all(|it| meets(it, false))
        && record.constrains.iter().filter(is_virtual).all(|it| meets(it, true))
}

async fn query(request: &BuildsRequest<'_>) -> Result<Vec<RepoDataRecord>, SolveError> {
    if request.channels.is_empty() || request.specs.is_empty() {
        return Ok(Vec::new());
    }
    let gateway = gateway(request.cache, request.network);
    let platforms = [request.platform, Subdir::NoArch];
    let query = gateway.query(request.channels.iter().cloned(), platforms, request.specs.to_vec()).recursive(false);
    match query.await {
        Ok(answer) => Ok(answer.repodata.iter().flat_map(|it| it.iter().cloned()).collect()),
        Err(error) => Err(blame(&gateway, request.channels, request.platform, request.network, &error).await),
    }
}
