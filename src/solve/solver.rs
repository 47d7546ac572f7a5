//! The query and the solve.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rattler_conda_types::{Channel, MatchSpec, PackageName, PackageRecord, RepoDataRecord, Subdir};
use rattler_repodata_gateway::{
    ChannelConfig, Gateway, GatewayError, RepoDataQueryOutput, SourceConfig, fetch::CacheAction,
};
use rattler_solve::{ChannelPriority, RepoDataIter, SolverImpl as _, SolverTask, resolvo::Solver};

use super::{SolveRequest, error::SolveError};
use crate::{
    base::{Network, with_causes},
    http,
    rt::Rt,
};

/// Solves and gives the packages in an order in which they can be installed; the order is the same for the same
/// packages.
///
/// # Errors
/// When nothing satisfies the requirements (the solver's reasons are in the error), a channel cannot be read, or it
/// needs the network and may not use it.
pub fn solve(rt: &Rt, request: &SolveRequest<'_>) -> Result<Vec<RepoDataRecord>, SolveError> {
    let own: BTreeSet<&PackageName> = request.local.iter().map(|record| &record.package_record.name).collect();
    let answer = rt.block_on(query(request, &own))?;
    let mut sources: Vec<Vec<&RepoDataRecord>> = vec![request.local.iter().collect()];
    for repodata in &answer.repodata {
        sources.push(repodata.iter().filter(|record| !own.contains(&record.package_record.name)).collect());
    }
    let locked = preferred(request.locked, &sources);
    let task = SolverTask {
        locked_packages: locked,
        virtual_packages: request.virtual_packages.to_vec(),
        specs: request.specs.to_vec(),
        channel_priority: ChannelPriority::Strict,
        ..sources.iter().map(|source| source.iter().copied()).collect::<SolverTask<'_, Vec<RepoDataIter<_>>>>()
    };
    let solution = Solver.solve(task).map_err(|error| match error {
        rattler_solve::SolveError::Unsolvable(reasons) => SolveError::Unsatisfiable(reasons.join("\n")),
        other => SolveError::Solver(other.to_string()),
    })?;
    Ok(PackageRecord::sort_topologically(solution.records))
}

/// Asks the channels for whatever the requirements can lead to, through the project's own packages as well.
async fn query(request: &SolveRequest<'_>, own: &BTreeSet<&PackageName>) -> Result<RepoDataQueryOutput, SolveError> {
    if request.channels.is_empty() {
        return Ok(RepoDataQueryOutput::default());
    }
    let gateway = gateway(request.cache, request.network);
    let mut asked: BTreeMap<PackageName, Vec<MatchSpec>> = BTreeMap::new();
    let mut reached: BTreeSet<PackageName> = BTreeSet::new();
    for spec in request.specs {
        let Some(name) = spec.name.as_exact() else { continue };
        if own.contains(name) {
            reached.insert(name.clone());
        } else {
            asked.entry(name.clone()).or_default().push(spec.clone());
        }
    }
    // A channel's package may need one of the project's own, which may need others of the channel: ask until nothing new
    // comes up. The gateway remembers what it has read.
    loop {
        for name in needs_of_own(request.local, own, &mut reached)? {
            asked.insert(name.clone(), vec![MatchSpec::from(name)]);
        }
        let specs: Vec<MatchSpec> = asked.values().flatten().cloned().collect();
        let channels = request.channels.iter().cloned();
        let query = gateway.query(channels, [request.platform, Subdir::NoArch], specs).recursive(true);
        let answer = match query.await {
            Ok(answer) => answer,
            Err(error) => {
                let SolveRequest { channels, platform, network, .. } = *request;
                return Err(blame(&gateway, channels, platform, network, &error).await);
            }
        };
        let before = reached.len();
        for record in answer.repodata.iter().flat_map(|repodata| repodata.iter()) {
            for need in &record.package_record.depends {
                let name = PackageName::from_matchspec_str(need).ok();
                reached.extend(name.filter(|name| own.contains(name)));
            }
        }
        if reached.len() == before {
            return Ok(answer);
        }
    }
}

/// The names outside the project that its own packages in `reached` need; `reached` grows by those inside.
fn needs_of_own(
    local: &[RepoDataRecord],
    own: &BTreeSet<&PackageName>,
    reached: &mut BTreeSet<PackageName>,
) -> Result<BTreeSet<PackageName>, SolveError> {
    let mut outside = BTreeSet::new();
    let mut queue: Vec<PackageName> = reached.iter().cloned().collect();
    while let Some(name) = queue.pop() {
        for record in local.iter().filter(|record| record.package_record.name == name) {
            for need in &record.package_record.depends {
                let name = PackageName::from_matchspec_str(need).map_err(|error| SolveError::Requirement {
                    package: record.identifier.to_file_name(),
                    spec: need.clone(),
                    reason: error.to_string(),
                })?;
                if own.contains(&name) {
                    if reached.insert(name.clone()) {
                        queue.push(name);
                    }
                } else if !name.as_normalized().starts_with("__") {
                    outside.insert(name);
                }
            }
        }
    }
    Ok(outside)
}

/// The locked packages that may still be chosen: same place and bytes, and from the channel that strict priority picks.
/// The solver would otherwise take a preferred package that no channel has any more.
fn preferred<'a>(locked: &[RepoDataRecord], sources: &[Vec<&'a RepoDataRecord>]) -> Vec<&'a RepoDataRecord> {
    let mut first: BTreeMap<&PackageName, &Option<String>> = BTreeMap::new();
    let mut available = BTreeMap::new();
    for record in sources.iter().flatten() {
        if *first.entry(&record.package_record.name).or_insert(&record.channel) == &record.channel {
            available.entry(&record.url).or_insert(*record);
        }
    }
    let same = |locked: &RepoDataRecord| {
        available.get(&locked.url).copied().filter(|found| found.package_record.sha256 == locked.package_record.sha256)
    };
    locked.iter().filter_map(same).collect()
}

/// What reads the channels.
pub(super) fn gateway(cache: &Path, network: Network) -> Gateway {
    let mut channel_config = ChannelConfig::default();
    if network == Network::Offline {
        let cache_action = CacheAction::ForceCacheOnly;
        channel_config.default = SourceConfig { cache_action, ..channel_config.default };
    }
    Gateway::builder()
        .with_cache_dir(cache.join(rattler_cache::REPODATA_CACHE_DIR))
        .with_channel_config(channel_config)
        .with_client(http::client(network))
        .finish()
}

/// Finds the channel that an error is about: the gateway's text does not always name it.
pub(super) async fn blame(
    gateway: &Gateway,
    channels: &[Channel],
    platform: Subdir,
    network: Network,
    error: &GatewayError,
) -> SolveError {
    for channel in channels {
        let subdirs = [platform, Subdir::NoArch];
        if let Err(error) = gateway.names([channel.clone()], subdirs).await {
            let local = channel.base_url.url().scheme() == "file";
            return match network {
                Network::Offline if !local => SolveError::Offline(shown(channel)),
                _ => SolveError::Channel { channel: shown(channel), reason: with_causes(&error) },
            };
        }
    }
    let channels: Vec<String> = channels.iter().map(shown).collect();
    SolveError::Channel { channel: channels.join("`, `"), reason: with_causes(error) }
}

/// A channel's URL without any credentials in it: neither a password nor a token (`/t/TOKEN/`).
fn shown(channel: &Channel) -> String {
    let mut url: url::Url = channel.base_url.url().clone().into();
    // Both refuse only URLs that cannot have credentials.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    let secret = url.path().strip_prefix("/t/").and_then(|rest| rest.split_once('/'));
    if let Some(rest) = secret.map(|(_, rest)| format!("/{rest}")) {
        url.set_path(&rest);
    }
    url.to_string()
}
