//! From a job to the library's description of one build.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    str::FromStr as _,
    sync::{Arc, Mutex},
};

use rattler_build::{
    BuildString,
    metadata::{BuildConfiguration, Output, PlatformWithVirtualPackages},
    system_tools::SystemTools,
    types::{BuildSummary, PackageIdentifier, PackagingSettings},
};
use rattler_build_recipe::{RenderedVariant, Stage1Recipe};
use rattler_build_types::{NormalizedKey, glob::GlobVec};
use rattler_conda_types::{
    ChannelUrl, GenericVirtualPackage, PackageName, Subdir, Version, VersionWithSource,
    compression_level::CompressionLevel, package::CondaArchiveType,
};
use rattler_solve::{ChannelPriority, SolveStrategy};
use rattler_virtual_packages::VirtualPackageOverrides;
use url::Url;

use super::{BuildError, BuildJob, host, pins, place::Place};
use crate::recipe::{Axes, render_variants};

/// The time of every package, in seconds since 1970: the start of 2020. Archives carry it, and scripts see it as
/// `SOURCE_DATE_EPOCH`.
pub const TIMESTAMP: i64 = 1_577_836_800;

/// Low enough for packages of gigabytes on one thread, high enough for a channel that is copied around.
const COMPRESSION: i32 = 6;

/// The output that a job asks for, rendered with its axes.
pub(super) struct Cell {
    pub(super) chosen: RenderedVariant,
    all: Vec<RenderedVariant>,
    platform: Subdir,
}

/// Renders the recipe and picks the job's output.
pub(super) fn select(job: &BuildJob) -> Result<Cell, BuildError> {
    let platform = Subdir::from_str(&job.platform).map_err(invalid("platform", &job.platform))?;
    let values = job.axes.iter().map(|(name, value)| (name.clone(), vec![value.clone()])).collect();
    let all = render_variants(&job.recipe, &Axes { values, zip: Vec::new() }, platform)?;
    let named = |rendered: &&RenderedVariant| rendered.recipe.package.name.as_normalized() == job.output;
    let fits = |rendered: &&RenderedVariant| {
        job.variant.iter().all(|(name, value)| {
            let there = rendered.variant.get(&NormalizedKey::from(name.as_str()));
            there.is_none_or(|there| there.to_string() == *value)
        })
    };
    let candidates = || all.iter().filter(named);
    let Some(chosen) = candidates().find(fits).or_else(|| candidates().next()).cloned() else {
        let mut there: Vec<_> = all.iter().map(|rendered| rendered.recipe.package.name.as_normalized()).collect();
        there.dedup();
        let there = there.join(", ");
        return Err(BuildError::NoOutput { recipe: job.recipe.clone(), output: job.output.clone(), there });
    };
    Ok(Cell { chosen, all, platform })
}

/// Fills in what the library wants to know, with the job's final names and the host's policy.
pub(super) fn assemble(job: &BuildJob, cell: Cell, place: &Place) -> Result<Output, BuildError> {
    let Cell { chosen, all, platform } = cell;
    let subpackages = subpackages(job, &chosen, &all)?;
    let variant = final_variant(&chosen, &subpackages);
    let mut recipe = chosen.recipe;
    recipe.build.string = BuildString::resolved(job.build_string.clone());
    pins::write_out(&mut recipe, &subpackages)?;
    trust_host(job, &mut recipe)?;
    let machine = PlatformWithVirtualPackages { platform, virtual_packages: virtual_packages(job, platform)? };
    let directories = place.directories(platform, recipe.build.merge_build_and_host_envs);
    let prefix = directories.host_prefix.to_string_lossy();
    host::give_environment(&mut recipe, &job.environment, &job.axes, &prefix);
    let hash = chosen.hash_info.expect("the renderer gives every variant a hash");
    Ok(Output {
        build_configuration: BuildConfiguration {
            target_platform: if recipe.build.noarch.is_some() { Subdir::NoArch } else { platform },
            host_platform: machine.clone(),
            build_platform: machine,
            variant,
            directories,
            hash,
            channels: channels(&job.channels)?,
            channel_priority: ChannelPriority::Strict,
            solve_strategy: SolveStrategy::Highest,
            timestamp: jiff::Timestamp::from_second(TIMESTAMP).expect("the year 2020 is a timestamp"),
            subpackages,
            packaging_settings: PackagingSettings::from_args(
                CondaArchiveType::Conda,
                CompressionLevel::Numeric(COMPRESSION),
            ),
            // The stored recipe holds the paths of the build and the time at which channels were indexed.
            store_recipe: false,
            force_colors: false,
            experimental: chosen.experimental,
            env_isolation: Default::default(),
            sandbox_config: None,
            exclude_newer: None,
            repodata_revision: Default::default(),
        },
        recipe,
        finalized_dependencies: None,
        finalized_sources: None,
        finalized_cache_dependencies: None,
        finalized_cache_sources: None,
        build_summary: Arc::new(Mutex::new(BuildSummary::default())),
        system_tools: SystemTools::new("envbuild", env!("CARGO_PKG_VERSION")),
        extra_meta: None,
        staging_library_name_map: None,
    })
}

/// Versions and final build strings, by package name.
pub(super) type Subpackages = BTreeMap<PackageName, PackageIdentifier>;

/// What a pin can name: the rendered outputs, over them what the renderer pinned, over them the final names.
fn subpackages(job: &BuildJob, chosen: &RenderedVariant, all: &[RenderedVariant]) -> Result<Subpackages, BuildError> {
    let mut packages = Subpackages::new();
    let mut add = |name: &PackageName, version: &VersionWithSource, build: &str| {
        let (name, version, build_string) = (name.clone(), version.clone(), build.to_owned());
        packages.insert(name.clone(), PackageIdentifier { name, version, build_string });
    };
    for RenderedVariant { recipe, .. } in all {
        add(&recipe.package.name, &recipe.package.version, recipe.build.string.as_resolved().unwrap_or_default());
    }
    for pin in chosen.pin_subpackages.values() {
        add(&pin.name, &pin.version, pin.build_string.as_deref().unwrap_or_default());
    }
    for (name, sibling) in &job.siblings {
        let version = VersionWithSource::from_str(&sibling.version).map_err(invalid("version", &sibling.version))?;
        add(&PackageName::from_str(name).map_err(invalid("package name", name))?, &version, &sibling.build);
    }
    add(&chosen.recipe.package.name, &chosen.recipe.package.version, &job.build_string);
    Ok(packages)
}

/// The used variant with the pins' final names: the archive tells it, and nobody ever sees the rendered build strings.
fn final_variant(
    chosen: &RenderedVariant,
    subpackages: &Subpackages,
) -> BTreeMap<NormalizedKey, rattler_build::Variable> {
    let mut variant = chosen.variant.clone();
    for (key, pin) in &chosen.pin_subpackages {
        if let (Some(value), Some(package)) = (variant.get_mut(key), subpackages.get(&pin.name)) {
            *value = format!("{} {}", package.version, package.build_string).into();
        }
    }
    variant
}

/// Adds the host's run paths and libraries to what the recipe itself allows.
fn trust_host(job: &BuildJob, recipe: &mut Stage1Recipe) -> Result<(), BuildError> {
    let linking = &mut recipe.build.dynamic_linking;
    linking.rpath_allowlist = with_patterns("run path", &linking.rpath_allowlist, &job.run_paths)?;
    // The library compares the path of a library that it found, and the bare name of one that it did not find.
    let anywhere = job.libraries.iter().filter(|name| !name.contains('/')).map(|name| format!("**/{name}"));
    let libraries: Vec<_> = job.libraries.iter().cloned().chain(anywhere).collect();
    linking.missing_dso_allowlist = with_patterns("library", &linking.missing_dso_allowlist, &libraries)?;
    Ok(())
}

fn with_patterns(what: &'static str, own: &GlobVec, more: &[String]) -> Result<GlobVec, BuildError> {
    if more.is_empty() {
        return Ok(own.clone());
    }
    let include = own.include_globs().iter().map(|glob| glob.source().to_owned()).chain(more.iter().cloned());
    let exclude = own.exclude_globs().iter().map(|glob| glob.source().to_owned());
    GlobVec::from_strings(include.collect(), exclude.collect()).map_err(invalid(what, &more.join(" ")))
}

/// URLs as the library wants them.
pub(super) fn channels(urls: &[String]) -> Result<Vec<ChannelUrl>, BuildError> {
    let parse = |url: &String| Url::parse(url).map(ChannelUrl::from).map_err(invalid("channel URL", url));
    urls.iter().map(parse).collect()
}

fn virtual_packages(job: &BuildJob, platform: Subdir) -> Result<Vec<GenericVirtualPackage>, BuildError> {
    let mut packages: Vec<GenericVirtualPackage> = if job.virtual_packages.is_empty() {
        let detected = PlatformWithVirtualPackages::detect_for_platform(platform, &VirtualPackageOverrides::default());
        detected.map_err(invalid("platform", &job.platform))?.virtual_packages
    } else {
        job.virtual_packages.iter().map(|text| virtual_package(text)).collect::<Result<_, _>>()?
    };
    for fact in &job.facts {
        let fact = virtual_package(fact)?;
        packages.retain(|it| it.name != fact.name);
        packages.push(fact);
    }
    Ok(packages)
}

fn virtual_package(text: &str) -> Result<GenericVirtualPackage, BuildError> {
    let mut parts = text.splitn(3, '=');
    let name = parts.next().unwrap_or_default();
    let version = parts.next().unwrap_or("0");
    let build = parts.next().unwrap_or("0");
    Ok(GenericVirtualPackage {
        name: PackageName::from_str(name).map_err(invalid("virtual package", text))?,
        version: Version::from_str(version).map_err(invalid("virtual package", text))?,
        build_string: build.parse().map_err(invalid("virtual package", text))?,
    })
}

pub(super) fn invalid<E: std::error::Error>(what: &'static str, value: &str) -> impl FnOnce(E) -> BuildError {
    let value = value.to_owned();
    move |error| BuildError::Invalid { what, value, reason: error.to_string() }
}

/// The folder name of a cell: its package and its variant, nothing else.
pub(super) fn folder_name(cell: &Cell) -> PathBuf {
    let hash = cell.chosen.hash_info.as_ref().map_or("", |info| info.hash.as_str());
    PathBuf::from(format!("{}_{hash}", cell.chosen.recipe.package.name.as_normalized()))
}
