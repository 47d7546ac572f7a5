//! The one verb of the room.

use std::time::Duration;

use rattler::package_cache::PackageCache;
use rattler_build::tool_configuration::{Configuration, JobserverEnv, TestStrategy};
use rattler_cache::validation::ValidationMode;
use rattler_solve::ChannelPriority;

use super::{
    BuildError, BuildJob, Built, ResolvedPackage, check, frozen, output,
    package::{self, Packaged},
    place::Place,
    sources,
};
use crate::{base::fs, conda, rt::Rt};

/// How long a build waits for another one of the same package and variant to leave the folder.
pub(super) const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// How many files are linked or extracted at a time; without a limit the library's installer gets no permits at all.
const FILES_AT_ONCE: usize = 16;

/// Builds one package cell, runs the recipe's tests on the archive, and puts it into the job's `out` folder, under
/// the name that its content has.
///
/// # Errors
/// When the recipe, its environments, its script or one of its tests fails. Nothing is in `out` then.
pub fn build(rt: &Rt, job: &BuildJob) -> Result<Built, BuildError> {
    let cell = output::select(job)?;
    let place = Place::take(job, &cell, PATIENCE)?;
    let result = build_in(rt, job, cell, &place);
    match &result {
        Ok(_) => place.remove()?,
        Err(error) if keeps_folder(error) => place.keep(),
        // What is told is the first error; whatever cannot be removed will be in the way of the next build.
        Err(_) => drop(place.remove()),
    }
    result
}

fn build_in(rt: &Rt, job: &BuildJob, cell: output::Cell, place: &Place) -> Result<Built, BuildError> {
    let tools = tools(job);
    let mut output = output::assemble(job, cell, place)?;
    sources::use_fetched(job, &mut output.recipe, place)?;
    let locked = frozen::channels(&job.locked, &job.base_channels, &place.root().join("locked"))?;
    output.build_configuration.channels.extend(output::channels(&locked)?);
    let Packaged { output, archive, libraries } = package::package(rt, job, output, &tools)?;
    // Before the tests: they install the package, and the cache keeps what it has by its name.
    let sealed = conda::seal(&archive, &job.build_string, &place.root().join("sealed"))?;
    check::check(rt, job, (&output, &sealed.path), &tools)?;
    // A build whose run was killed may live for a moment: it brings nothing back that the next run has thrown away.
    fs::require_folder_of(&job.out)?;
    let target = job.out.join(sealed.path.file_name().expect("an archive has a name"));
    fs::copy_atomic(&sealed.path, &target)?;
    Ok(Built {
        archive: target,
        name: output.name().as_normalized().to_owned(),
        version: output.version().to_string(),
        build: sealed.build,
        content: sealed.content,
        subdir: output.target_platform().to_string(),
        resolved: resolved(&output),
        libraries,
        warnings: output.build_summary.lock().map(|summary| summary.warnings.clone()).unwrap_or_default(),
    })
}

fn keeps_folder(error: &BuildError) -> bool {
    matches!(
        error,
        BuildError::Staging { .. }
            | BuildError::Script { .. }
            | BuildError::Activation(_)
            | BuildError::Package { .. }
            | BuildError::Overlinking { .. }
            | BuildError::Test { .. }
    )
}

/// The library's settings, which all steps of a job share.
pub(super) fn tools(job: &BuildJob) -> Configuration {
    let mut tools = Configuration::builder()
        .with_cache_dir(job.cache.clone())
        .with_channel_priority(ChannelPriority::Strict)
        // The bytes of a zstd stream depend on whether several threads wrote it.
        .with_compression_threads(Some(1))
        .with_io_concurrency_limit(Some(FILES_AT_ONCE))
        .with_test_strategy(TestStrategy::Native)
        .finish();
    // Prefixes share files with this cache: one that somebody wrote into is extracted again, not built against.
    let packages = job.cache.join(rattler_cache::PACKAGE_CACHE_DIR);
    tools.package_cache = PackageCache::new_layered([packages], false, ValidationMode::Full);
    // Also without a jobserver: this is the library's one way to tell a script how many processors it may use.
    tools.jobserver =
        Some(JobserverEnv { makeflags: job.make_flags.clone(), cpu_count: usize::try_from(job.cpus).ok() });
    tools
}

fn resolved(output: &rattler_build::metadata::Output) -> Vec<ResolvedPackage> {
    let mut packages = Vec::new();
    for dependencies in [&output.finalized_cache_dependencies, &output.finalized_dependencies].into_iter().flatten() {
        for (environment, resolved) in [("build", &dependencies.build), ("host", &dependencies.host)] {
            for record in resolved.iter().flat_map(|resolved| &resolved.resolved) {
                packages.push(ResolvedPackage {
                    environment: environment.to_owned(),
                    url: record.url.to_string(),
                    sha256: record.package_record.sha256.map(hex::encode),
                });
            }
        }
    }
    packages.sort();
    packages.dedup();
    packages
}
