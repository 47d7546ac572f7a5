//! Linking packages into a prefix with rattler's installer.

use rattler::install::{Installer, TransactionOperation};
use rattler_conda_types::RepoDataRecord;

use super::{InstallRequest, Installed, bytecode, bytes, error::InstallError, prefix};
use crate::{
    base::{Network, with_causes},
    http, pkgcache,
    rt::Rt,
};

/// How many files are linked at once.
const LINKS_AT_ONCE: usize = 64;

/// Makes a prefix hold exactly the packages of the request, with bytecode for pure Python packages. What is right already
/// stays as it is; what an aborted installation left is deleted first. No script of a package is run.
///
/// # Errors
/// When a package cannot be fetched or linked, or the bytecode cannot be compiled; the prefix is marked as incomplete
/// then, and the next installation starts anew.
pub fn install(rt: &Rt, request: &InstallRequest<'_>) -> Result<Installed, InstallError> {
    let InstallRequest { prefix, .. } = *request;
    if !prefix.is_absolute() {
        return Err(InstallError::Relative(prefix.to_owned()));
    }
    let repaired = prefix.symlink_metadata().is_ok() && !prefix::whole(prefix);
    if repaired {
        prefix::wipe(prefix)?;
    }
    let records = pkgcache::with_hashes(request.records).map_err(bytes::gone)?;
    prefix::mark(prefix)?;
    let mut installed = rt.block_on(link(request, records))?;
    prefix::remove_rests(prefix)?;
    if let Some(reason) = prefix::flaw(prefix)? {
        return Err(InstallError::Failed { prefix: prefix.to_owned(), reason });
    }
    installed.compiled = bytecode::compile(rt, request)?;
    installed.repaired = repaired;
    prefix::unmark(prefix)?;
    Ok(installed)
}

async fn link(request: &InstallRequest<'_>, records: Vec<RepoDataRecord>) -> Result<Installed, InstallError> {
    let failed = |error: &dyn std::error::Error| InstallError::Failed {
        prefix: request.prefix.to_owned(),
        reason: with_causes(error),
    };
    let cache = pkgcache::open(request.cache);
    if request.network == Network::Offline
        && let Some(url) = pkgcache::missing(&cache, &records).await.map_err(|error| failed(&error))?
    {
        return Err(InstallError::Offline { url: url.to_string() });
    }
    let mut installer = Installer::new()
        .with_target_platform(request.platform)
        .with_package_cache(cache)
        .with_download_client(http::client(request.network))
        .with_io_concurrency_limit(LINKS_AT_ONCE)
        .with_execute_link_scripts(false)
        .with_requested_specs(request.specs.to_vec());
    if let Some(target) = request.target_prefix {
        installer = installer.with_alternative_target_prefix(target);
    }
    let result = installer.install(request.prefix, records).await.map_err(|error| failed(&error))?;
    let mut installed = Installed::default();
    for operation in &result.transaction.operations {
        match operation {
            TransactionOperation::Install(_) => installed.linked += 1,
            TransactionOperation::Remove(_) => installed.unlinked += 1,
            TransactionOperation::Change { .. } | TransactionOperation::Reinstall { .. } => {
                installed.linked += 1;
                installed.unlinked += 1;
            }
        }
    }
    Ok(installed)
}
