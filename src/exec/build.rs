//! A package: sources, a view of the channel, a worker, and publication.

use std::{collections::BTreeMap, path::Path};

use super::{
    Context, ExecError, Job, Outputs, external, host, pip, resolve,
    worker::{self, Order},
};
use crate::{
    base::{Digest, Network, fs},
    build::{BuildJob, Built, FetchedSource, Sibling},
    channel::{Damage, Published},
    conda,
    fetch::{self, FetchError, FetchRequest, SourceRef},
    fingerprint::outer_sources,
    ledger::HostLibrary,
    plan::Node,
    recipe::Source,
    store::{Announcement, Output, PackageFile},
    workspace::Package,
};

pub(super) fn build(context: &Context, job: &Job) -> Result<Output, ExecError> {
    let node = context.plan.node(job.index);
    let scratch = context.scratch()?;
    let built = make(context, node, &packages(&job.outputs), scratch.path(), &context.store.log(&node.id))?;
    publish(context, job, &built)
}

/// Makes a node's package of what is in `needs`, in a folder that is thrown away.
pub(super) fn make(
    context: &Context,
    node: &Node,
    needs: &[Published],
    scratch: &Path,
    log: &Path,
) -> Result<Built, ExecError> {
    let package = &context.workspace.packages[node.subject];
    check(context, needs)?;
    let mut order = order(context, package, needs, scratch)?;
    order.sources = sources(context, package)?;
    if !resolve::is_resolved(context, node) {
        order.locked.clear();
    }
    let built: Built = worker::run(context, &Order::Build(order), (package, scratch), log)?;
    check_unchanged(context, package)?;
    Ok(built)
}

/// What a worker is told of a cell; without its sources, which a resolution does not need.
pub(super) fn order(
    context: &Context,
    package: &Package,
    needs: &[Published],
    scratch: &Path,
) -> Result<BuildJob, ExecError> {
    // All that its environments and its tests need, and no others: a build sees nothing that it does not name.
    let view = context.channel.view(needs, &scratch.join("channel"), context.workspace.platform)?;
    let label = context.workspace.host.label.as_deref().filter(|_| package.host_bound);
    let (environment, loaded) = host::surroundings(context, package)?;
    let host_bound = |list: &[String]| if package.host_bound { list.to_vec() } else { Vec::new() };
    Ok(BuildJob {
        recipe: external::recipe_of(context, package, scratch)?,
        output: package.cell.package.clone(),
        axes: package.cell.combination.clone(),
        variant: package.cell.variant.clone(),
        build_string: conda::provisional(label, &package.cell.build_string),
        siblings: siblings(needs),
        platform: context.workspace.platform.to_string(),
        virtual_packages: Vec::new(),
        facts: host::facts(context, package)?,
        host_bound: package.host_bound,
        environment,
        loaded,
        activation: package.activation.clone(),
        rpath_kind: host::run_path_kind(context),
        channels: vec![view.url().to_string()],
        base_channels: base_channels(context),
        locked: resolve::locked(context, package)?.into_iter().flat_map(|it| it.packages).collect(),
        scratch: context.settings.scratch.clone(),
        cache: context.settings.cache.clone(),
        sources: Vec::new(),
        run_paths: host_bound(&context.workspace.host.run_paths),
        libraries: host_bound(&context.workspace.host.libraries),
        cpus: package.resources.cpus.map_or(context.settings.cpus, |it| it.min(context.settings.machine.cpus)),
        held: package.resources.cpus.unwrap_or(1).min(context.settings.machine.cpus),
        make_flags: String::new(),
        out: scratch.join("out"),
    })
}

/// Reads every package that a build may install: nobody else compares its bytes with what was published. One that was
/// changed leaves the channel, so that the next run builds it again.
fn check(context: &Context, needs: &[Published]) -> Result<(), ExecError> {
    for package in needs {
        if context.channel.verify(package)? == Some(Damage::Altered) {
            let (path, found) = (context.channel.path_of(package), context.channel.sha256_of(package)?);
            fs::remove_file(&path)?;
            let file = path.strip_prefix(&context.workspace.root).unwrap_or(&path).display().to_string();
            return Err(ExecError::Altered { file, expected: package.sha256.clone(), found });
        }
    }
    Ok(())
}

/// The base channels that a resolution or a test may ask: rattler-build knows no way to be offline but to have no other channel.
fn base_channels(context: &Context) -> Vec<String> {
    let mut channels: Vec<String> =
        context.workspace.channels.iter().map(|it| it.channel.base_url.to_string()).collect();
    channels.retain(|it| context.settings.network == Network::Online || it.starts_with("file://"));
    channels
}

/// The final build strings that an exact pin has to name.
fn siblings(needs: &[Published]) -> BTreeMap<String, Sibling> {
    needs.iter().map(|it| (it.name.clone(), Sibling { version: it.version.clone(), build: it.build.clone() })).collect()
}

fn sources(context: &Context, package: &Package) -> Result<Vec<FetchedSource>, ExecError> {
    let wanted: Vec<SourceRef> = package.cell.sources.iter().filter_map(source_ref).collect();
    check_git(context, package)?;
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let request = FetchRequest {
        sources: &wanted,
        mirrors: &context.settings.mirrors,
        store: &context.store.sources(),
        network: context.settings.network,
        environment: &context.settings.environment,
        default_index: pip::default_index,
    };
    let fetched = fetch::fetch(&context.rt, &request)?;
    Ok(fetched.into_iter().map(|it| FetchedSource { url: it.url, file: it.file }).collect())
}

/// Git repositories are cloned by the build itself, which cannot be offline, and must give the same tree every time.
fn check_git(context: &Context, package: &Package) -> Result<(), ExecError> {
    for source in &package.cell.sources {
        let Source::Git { url, rev, fixed } = source else { continue };
        if !fixed {
            return Err(ExecError::MovingSource { url: url.clone(), rev: rev.clone() });
        }
        if context.settings.network == Network::Offline {
            return Err(FetchError::GitOffline { url: url.clone() }.into());
        }
    }
    Ok(())
}

fn source_ref(source: &Source) -> Option<SourceRef> {
    let Source::Url { urls, sha256, md5 } = source else { return None };
    // Without a name in its address, a source is still found in a mirror by its hash.
    let file_name = urls.first().and_then(|it| fetch::file_name(it)).unwrap_or_else(|| "source".to_owned());
    Some(SourceRef { urls: urls.clone(), sha256: sha256.clone(), md5: md5.clone(), file_name })
}

/// A package whose recipe was edited in the meantime is not recorded: its key speaks of the text before.
fn check_unchanged(context: &Context, package: &Package) -> Result<(), ExecError> {
    if package.external.is_some() {
        return Ok(());
    }
    let own = context.scans.of(package.folder(), &context.stamps)?;
    let outer = outer_sources(package, &own).into_iter().map(|it| package.folder().join(it));
    for path in std::iter::once(package.folder().to_owned()).chain(outer) {
        if !context.scans.still(&path, &context.stamps)? {
            let path = path.strip_prefix(&context.workspace.root).unwrap_or(&path).display().to_string();
            return Err(ExecError::Changed { path });
        }
    }
    Ok(())
}

/// Puts the package into the channel. One of the same content is there under the same name: then its file stays, and
/// nothing downstream has to run.
fn publish(context: &Context, job: &Job, built: &Built) -> Result<Output, ExecError> {
    let previous = match &job.stale.previous {
        Some(Output::Package(package)) => Some(published(package)),
        _ => None,
    };
    let file_name = built.archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let node = context.plan.node(job.index).id.clone();
    context.store.announce(&Announcement { node, subdir: built.subdir.clone(), file_name })?;
    let published = context.channel.publish(&built.archive, built.content, previous.as_ref())?;
    Ok(Output::Package(package_file(&published, &built.libraries)))
}

/// Takes out of the channel's index what a dead run has put there and not recorded: the node may never make it again.
///
/// # Errors
/// When what it announced, a record or the index cannot be read or written.
pub fn withdraw_unrecorded(context: &Context) -> Result<(), ExecError> {
    let announced = context.store.announced()?;
    for Announcement { node, subdir, file_name } in &announced {
        let recorded = context.store.record(node)?;
        let is_recorded =
            matches!(recorded.map(|it| it.output), Some(Output::Package(it)) if &it.file_name == file_name);
        if !is_recorded {
            context.channel.retire(subdir, file_name)?;
        }
    }
    if announced.is_empty() { Ok(()) } else { Ok(context.store.forget_announced()?) }
}

/// Puts every package of a run into the channel's index that is not there: somebody may have deleted the index.
///
/// # Errors
/// When the index cannot be read or written, or an archive is gone.
pub fn complete_index(context: &Context, outputs: &Outputs) -> Result<(), ExecError> {
    let packages = packages(outputs);
    let mut subdirs: BTreeMap<&str, Vec<String>> = BTreeMap::from([("noarch", Vec::new())]);
    for package in &packages {
        let entry = format!("{} {}", package.file_name, package.sha256);
        subdirs.entry(&package.subdir).or_default().push(entry);
    }
    let mut unknown = Vec::new();
    for (subdir, mut entries) in subdirs {
        entries.sort();
        let wanted = Digest::of(entries.join("\n")).to_string();
        let index = context.channel.index_of(subdir);
        let found = index.metadata().ok();
        let known = found.as_ref().and_then(|it| context.stamps.known(LISTS, &index, it));
        if known.as_ref() != Some(&wanted) {
            unknown.push((index, found, wanted));
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    context.channel.ensure(&packages)?;
    for (index, found, wanted) in unknown {
        if let Some(found) = found {
            context.stamps.remember(LISTS, &index, &found, &wanted);
        }
    }
    Ok(())
}

/// What is remembered of an index: the digest of the packages that it was found to list.
const LISTS: &str = "lists";

/// The packages among what nodes made.
pub(super) fn packages(outputs: &Outputs) -> Vec<Published> {
    let package = |output: &Output| match output {
        Output::Package(package) => Some(published(package)),
        _ => None,
    };
    outputs.values().filter_map(package).collect()
}

/// A record's package as the channel's own type.
pub(super) fn published(package: &PackageFile) -> Published {
    let PackageFile { name, version, build, subdir, file_name, sha256, bytes, content, .. } = package.clone();
    Published { name, version, build, subdir, file_name, sha256, bytes, content }
}

fn package_file(package: &Published, libraries: &[HostLibrary]) -> PackageFile {
    let Published { name, version, build, subdir, file_name, sha256, bytes, content } = package.clone();
    let libraries = libraries.to_vec();
    PackageFile { name, version, build, subdir, file_name, sha256, bytes, content, libraries }
}
