//! A package: sources, a view of the channel, a worker, and publication.

use std::{collections::BTreeMap, path::Path, process::Command};

use super::{Context, ExecError, Job, Outputs, process};
use crate::{
    base::{Network, fs},
    build::{BuildJob, Built, FetchedSource, Sibling},
    channel::{Damage, Published, content_digest},
    fetch::{self, FetchError, FetchRequest, SourceRef},
    fingerprint::outer_sources,
    plan::Node,
    recipe::Source,
    store::{Output, PackageFile},
    workspace::Package,
};

/// The longest build string that conda takes.
const BUILD_STRING_MAX: usize = 64;

pub(super) fn build(context: &Context, job: &Job) -> Result<Output, ExecError> {
    let node = context.plan.node(job.index);
    let package = &context.workspace.packages[node.subject];
    let key = job.stale.key.short();
    let sources = sources(context, package)?;
    let scratch = context.scratch()?;
    // All that its environments and its tests need, and no others: a build sees nothing that it does not name.
    let needs = packages(&job.outputs);
    check(context, &needs)?;
    let view = context.channel.view(&needs, &scratch.path().join("channel"), context.workspace.platform)?;
    let label = context.workspace.host.label.as_deref().filter(|_| package.host_bound);
    let host_bound = |list: &[String]| if package.host_bound { list.to_vec() } else { Vec::new() };
    let order = BuildJob {
        recipe: package.file.clone(),
        output: package.cell.package.clone(),
        axes: package.cell.combination.clone(),
        variant: package.cell.variant.clone(),
        build_string: build_string(label, &package.cell.build_string, &key),
        siblings: siblings(&needs),
        platform: context.workspace.platform.to_string(),
        virtual_packages: Vec::new(),
        channels: std::iter::once(view.url().to_string()).chain(base_channels(context)).collect(),
        scratch: context.settings.scratch.clone(),
        cache: context.settings.cache.clone(),
        sources,
        run_paths: host_bound(&context.workspace.host.run_paths),
        libraries: host_bound(&context.workspace.host.libraries),
        cpus: context.settings.cpus,
        out: scratch.path().join("out"),
    };
    let built = in_worker(context, node, &order, scratch.path())?;
    check_unchanged(context, package)?;
    publish(context, job, &built, &key)
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

/// `derecho_py311h1234567_0_89abcdef01`: the label leads, the key ends. What is too long loses its middle: people select
/// by the beginning, and the key keeps it unique.
fn build_string(label: Option<&str>, rendered: &str, key: &str) -> String {
    let mut text = match label {
        Some(label) => format!("{label}_{rendered}"),
        None => rendered.to_owned(),
    };
    text.truncate(BUILD_STRING_MAX - key.len() - 1);
    format!("{text}_{key}")
}

/// The base channels that a build may ask: rattler-build knows no way to be offline but to have no other channel.
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

/// Runs the build in a child process: a kill takes it whole, its output is a file, its state is its own.
fn in_worker(context: &Context, node: &Node, order: &BuildJob, scratch: &Path) -> Result<Built, ExecError> {
    let job_file = scratch.join("job.json");
    let result = super::worker::result_file(&job_file);
    let bytes = serde_json::to_vec_pretty(order).expect("a job holds nothing that JSON cannot say");
    fs::write_atomic(&job_file, &bytes)?;
    let shim = super::worker::patchelf_shim(&context.settings.cache, &context.settings.program)?;
    let path = context.settings.environment.get("PATH").map_or("", String::as_str);
    let mut command = Command::new(&context.settings.program);
    command.arg("worker").arg("--job").arg(&job_file);
    command.env("RATTLER_CACHE_DIR", &context.settings.cache);
    // What the library puts aside must go away with this job, also when it is killed.
    let temporary = scratch.join("tmp");
    fs::create_dir_all(&temporary)?;
    command.env("TMPDIR", &temporary);
    command.env("PATH", if path.is_empty() { shim } else { format!("{path}:{shim}") });
    let status = process::run(command, &context.store.log(&node.id), &context.children, &context.cancel)?;
    match super::worker::read_result(&result)? {
        Some(Ok(built)) if status.success() => Ok(built),
        Some(Err(why)) => Err(ExecError::Build { why }),
        _ => Err(ExecError::Worker { status: status.to_string() }),
    }
}

/// A package whose recipe was edited in the meantime is not recorded: its key speaks of the text before.
fn check_unchanged(context: &Context, package: &Package) -> Result<(), ExecError> {
    let outer = outer_sources(package).into_iter().map(|it| package.folder().join(it));
    for path in std::iter::once(package.folder().to_owned()).chain(outer) {
        if !context.scans.still(&path)? {
            let path = path.strip_prefix(&context.workspace.root).unwrap_or(&path).display().to_string();
            return Err(ExecError::Changed { path });
        }
    }
    Ok(())
}

/// Puts the package into the channel, unless it is what was there already: then the old archive stays, and nothing
/// downstream has to run.
fn publish(context: &Context, job: &Job, built: &Built, key: &str) -> Result<Output, ExecError> {
    let content = content_digest(&built.archive, key)?;
    let previous = match &job.stale.previous {
        Some(Output::Package(package)) => Some(published(package)),
        _ => None,
    };
    if let Some(previous) = previous.as_ref().filter(|it| it.content == content)
        && context.channel.verify(previous)?.is_none()
    {
        context.channel.reinstate(previous, None)?;
        return Ok(Output::Package(package_file(previous)));
    }
    let published = context.channel.publish(&built.archive, content, previous.as_ref())?;
    Ok(Output::Package(package_file(&published)))
}

/// Puts every package of a run into the channel's index that is not there: somebody may have deleted the index.
///
/// # Errors
/// When the index cannot be read or written, or an archive is gone.
pub fn complete_index(context: &Context, outputs: &Outputs) -> Result<(), ExecError> {
    Ok(context.channel.ensure(&packages(outputs))?)
}

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
    let PackageFile { name, version, build, subdir, file_name, sha256, bytes, content } = package.clone();
    Published { name, version, build, subdir, file_name, sha256, bytes, content }
}

fn package_file(package: &Published) -> PackageFile {
    let Published { name, version, build, subdir, file_name, sha256, bytes, content } = package.clone();
    PackageFile { name, version, build, subdir, file_name, sha256, bytes, content }
}

#[cfg(test)]
mod tests {
    use super::build_string;

    #[test]
    fn a_build_string_keeps_its_label_and_its_key_within_condas_limit() {
        assert_eq!(build_string(None, "h123_0", "89abcdef01"), "h123_0_89abcdef01");
        assert_eq!(build_string(Some("derecho"), "py311h1_0", "89abcdef01"), "derecho_py311h1_0_89abcdef01");
        let long = build_string(Some("derecho"), &"x".repeat(100), "89abcdef01");
        assert_eq!(long.len(), 64);
        assert!(long.starts_with("derecho_xxx") && long.ends_with("x_89abcdef01"));
    }
}
