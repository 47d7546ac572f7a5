//! Is a node fresh? Its inputs are read, its key is compared with what is remembered, its output is looked for.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Context, ExecError, Outputs,
    environment::{self, locked_digest},
    host, libraries,
    packaging::list_of,
    resolve,
};
use crate::{
    base::Digest,
    channel::Published,
    conda::Sums,
    fingerprint::{
        BuildInputs, Change, Inputs, Key, LockInputs, PACKAGE, PackInputs, Reason, ResolveInputs, TestInputs,
        build_inputs, install_inputs, lock_inputs, pack_inputs, resolve_inputs, test_inputs,
    },
    install, pack,
    plan::{Index, Kind, Node, NodeId},
    store::{Announcement, Output, Record},
};

/// What a look at a node found.
#[derive(Debug, Clone)]
pub enum Look {
    /// Nothing to do: this is what it made.
    Fresh(Output),
    /// It was done before with these inputs, and something else since: what it made is still there and has to be put
    /// back into its place, which costs next to nothing.
    Kept(Box<Record>),
    /// It has to run.
    Stale(Box<Stale>),
}

/// A node that has to run.
#[derive(Debug, Clone)]
pub struct Stale {
    /// Why.
    pub reason: Reason,
    /// Its inputs now.
    pub inputs: Inputs,
    /// Their key.
    pub key: Key,
    /// What it made the last time.
    pub previous: Option<Output>,
}

/// Looks at a node whose needs are all done.
///
/// # Errors
/// When an input cannot be read.
pub fn look(context: &Context, index: Index, outputs: &Outputs) -> Result<Look, ExecError> {
    let node = context.plan.node(index);
    let inputs = inputs_of(context, node, outputs)?;
    let key = inputs.key();
    if let Some((known, output)) = context.store.brief(&node.id)
        && !context.updates(index)
        && known == key
        && damage(context, node, &output)?.is_none()
    {
        return Ok(Look::Fresh(output));
    }
    let record = context.store.record(&node.id)?;
    let previous = record.as_ref().map(|it| it.output.clone());
    let reason = match &record {
        Some(_) if context.updates(index) => Reason::Update,
        Some(record) if record.key == key => match damage(context, node, &record.output)? {
            None => return Ok(Look::Fresh(record.output.clone())),
            Some(reason) => reason,
        },
        Some(record) => Reason::Changed(Change::between(&record.inputs, &inputs)),
        None if context.failed_before(&node.id) => Reason::FailedBefore,
        None => Reason::NeverDone,
    };
    if node.kind == Kind::Build
        && let Some(record) = built_before(context, node, &key)?
    {
        return Ok(Look::Kept(Box::new(record)));
    }
    Ok(Look::Stale(Box::new(Stale { reason, inputs, key, previous })))
}

/// Looks at a node, and puts what is kept back into its place.
///
/// # Errors
/// When an input cannot be read, or the channel or the record cannot be written.
pub fn settle(context: &Context, index: Index, outputs: &Outputs) -> Result<Look, ExecError> {
    let looked = look(context, index, outputs)?;
    if let Look::Kept(record) = &looked
        && let Output::Package(package) = &record.output
    {
        let now = context.store.record(&record.node)?.map(|it| it.output);
        let replaces = match &now {
            Some(Output::Package(other)) => Some(super::build::published(other)),
            _ => None,
        };
        let package = super::build::published(package);
        context.store.announce(&Announcement {
            node: record.node.clone(),
            subdir: package.subdir.clone(),
            file_name: package.file_name.clone(),
        })?;
        context.channel.reinstate(&package, replaces.as_ref().filter(|it| it.file_name != package.file_name))?;
        context.store.commit(record)?;
        return Ok(Look::Fresh(record.output.clone()));
    }
    Ok(looked)
}

/// What a node that waits for others can already say: the inputs that changed, apart from those it waits for.
pub(super) fn changes_so_far(context: &Context, node: &Node, outputs: &Outputs) -> Result<Option<Reason>, ExecError> {
    let Some(record) = context.store.record(&node.id)? else {
        let failed = context.failed_before(&node.id);
        return Ok(Some(if failed { Reason::FailedBefore } else { Reason::NeverDone }));
    };
    let inputs = inputs_of(context, node, outputs)?;
    let waiting: BTreeSet<&NodeId> = unknown_needs(context, node, outputs);
    // Whether a test sees the host follows from the packages that are locked.
    let of_packages =
        |input: &str| input.starts_with(PACKAGE) || (node.kind == Kind::Test && input.starts_with(host::INPUT));
    let known = |change: &Change| match change.input.strip_prefix("needs/").or(change.input.strip_prefix("pins/")) {
        Some(need) => !waiting.iter().any(|it| it.as_str() == need),
        None => waiting.is_empty() || !of_packages(&change.input),
    };
    let mut changes: Vec<Change> = Change::between(&record.inputs, &inputs).into_iter().filter(known).collect();
    if let Output::Package(package) = &record.output {
        changes.extend(libraries::changes(context, &context.workspace.packages[node.subject], package)?);
    }
    Ok((!changes.is_empty()).then_some(Reason::Changed(changes)))
}

fn unknown_needs<'a>(context: &'a Context, node: &Node, outputs: &Outputs) -> BTreeSet<&'a NodeId> {
    node.inputs.iter().filter(|it| !outputs.contains_key(it)).map(|it| &context.plan.node(*it).id).collect()
}

/// A package that was built from the same inputs before, for a matrix that has come back: only the index has to change.
fn built_before(context: &Context, node: &Node, key: &Key) -> Result<Option<Record>, ExecError> {
    let Some(record) = context.store.build(key)? else { return Ok(None) };
    if record.node != node.id || damage(context, node, &record.output)?.is_some() {
        return Ok(None);
    }
    Ok(Some(record))
}

/// The inputs of a node. Needs whose output is not known yet are left out.
fn inputs_of(context: &Context, node: &Node, outputs: &Outputs) -> Result<Inputs, ExecError> {
    let workspace = &context.workspace;
    let platform = workspace.platform.as_str();
    // What was resolved for a build is in its inputs package by package.
    let listed = |need: &Node| (node.kind, need.kind) == (Kind::Build, Kind::Resolve);
    let known = || {
        let all = node.inputs.iter().filter_map(|it| Some((context.plan.node(*it), outputs.get(it)?)));
        all.filter(|(need, _)| !listed(need))
    };
    let needs: BTreeMap<NodeId, Digest> = known()
        .map(|(need, output)| match output {
            Output::Package(package) if node.kind == Kind::Lock => (need.id.clone(), Digest::of(&package.sha256)),
            _ => (need.id.clone(), output.digest()),
        })
        .collect();
    // Install, test and pack have one input node, which is done when the lock is.
    let packages = || environment::packages_of(context, &workspace.environments[node.subject]);
    Ok(match node.kind {
        Kind::Build => {
            let package = &workspace.packages[node.subject];
            let pinned = |name: &str| package.cell.requirements().any(|it| it.exact && it.name == name);
            let pins: BTreeMap<NodeId, String> = known()
                .filter_map(|(need, output)| match output {
                    Output::Package(file) if pinned(&file.name) => Some((need.id.clone(), file.build.clone())),
                    _ => None,
                })
                .collect();
            let is_resolved = resolve::is_resolved(context, node);
            let environments = if is_resolved { resolve::inputs(context, package)? } else { BTreeMap::new() };
            let scan = |path: &std::path::Path| context.scans.of(path, &context.stamps);
            let scratch = &*context.settings.scratch.to_string_lossy();
            build_inputs(&BuildInputs {
                package,
                host: &host::inputs(context, package)?,
                platform,
                scratch,
                environments: &environments,
                needs: &needs,
                pins: &pins,
                scan: &scan,
            })?
        }
        Kind::Resolve => {
            let package = &workspace.packages[node.subject];
            let (channels, facts) = (context.channel_names(), host::known_facts(context, package)?);
            resolve_inputs(&ResolveInputs { package, platform, channels: &channels, facts: &facts, needs: &needs })
        }
        Kind::Lock => {
            let environment = &workspace.environments[node.subject];
            let virtual_packages: Vec<String> =
                context.virtual_packages(environment)?.iter().map(ToString::to_string).collect();
            let channels = context.channel_names();
            let virtual_packages = &virtual_packages;
            lock_inputs(&LockInputs { environment, platform, channels: &channels, virtual_packages, needs: &needs })
        }
        Kind::Install => install_inputs(&packages()?),
        Kind::Test => {
            let script = workspace.environments[node.subject].test.clone();
            let script = script.expect("only an environment with a script has a test node");
            let scan = |path: &std::path::Path| context.scans.of(path, &context.stamps);
            let host = host::test_inputs(context, &workspace.environments[node.subject])?;
            test_inputs(&TestInputs { packages: &packages()?, host: &host, script, scan: &scan })?
        }
        Kind::Pack => {
            let environment = &workspace.environments[node.subject];
            let archive = context.archive(environment, node.part);
            let file_name = archive.file_name().unwrap_or_default().to_string_lossy();
            let dest_prefix = environment.dest_prefix.as_deref();
            let level = context.settings.level;
            let target = environment.target.as_ref();
            pack_inputs(&PackInputs { packages: &packages()?, file_name: &file_name, dest_prefix, target, level })
        }
    })
}

/// Whether what a node made is still there, with the bytes that it had, and what it was found to need of the host is the
/// same. Only cheap looks: a stat, or a file that is small
/// and read once for all. A package or an archive is read when somebody has touched it.
fn damage(context: &Context, node: &Node, output: &Output) -> Result<Option<Reason>, ExecError> {
    Ok(match output {
        Output::Package(package) => {
            if is_whole(context, &super::build::published(package))? {
                let changes = libraries::changes(context, &context.workspace.packages[node.subject], package)?;
                (!changes.is_empty()).then_some(Reason::Changed(changes))
            } else {
                Some(Reason::OutputGone(package.file_name.clone()))
            }
        }
        Output::Locked { digest } if node.kind == Kind::Resolve => {
            let same = resolve::digest(context, &context.workspace.packages[node.subject])? == *digest;
            (!same).then_some(Reason::LockChanged)
        }
        Output::Locked { digest } => {
            let environment = &context.workspace.environments[node.subject];
            let locked = context.locked()?;
            let same = locked.get(&environment.name).is_some_and(|it| &locked_digest(it) == digest);
            (!same).then_some(Reason::LockChanged)
        }
        Output::Prefix { path, .. } => {
            let environment = &context.workspace.environments[node.subject];
            let prefix = context.store.prefix(&environment.name);
            let locked = context.locked()?;
            let packages = locked.get(&environment.name).map_or(&[][..], |it| &it.packages);
            if !prefix.join("conda-meta/history").is_file() {
                Some(Reason::OutputGone("the prefix".to_owned()))
            } else if path != &prefix {
                Some(Reason::Moved { from: path.display().to_string() })
            } else if !install::holds(&prefix, packages)? {
                Some(Reason::OutputGone("a package of the prefix".to_owned()))
            } else {
                None
            }
        }
        Output::Tested { .. } => None,
        Output::Archive { file, bytes, sha256 } => {
            let archive = context.workspace.root.join(file);
            let there = match archive.metadata() {
                Ok(found) if found.len() == *bytes && pack::has_checksum(&archive, sha256) => {
                    let read = || Sums::of_file(&archive).map(|sums| sums.sha256);
                    context.stamps.fact(ARCHIVE, &archive, &found, read)? == *sha256
                }
                _ => false,
            };
            (!there).then(|| Reason::OutputGone(file.display().to_string()))
        }
        Output::Folder { digest, folder } => {
            let list = list_of(&context.workspace.root.join(folder));
            let there = match list.and_then(|list| Some((list.metadata().ok()?, list))) {
                Some((found, list)) => context.stamps.digest(&list, &found)? == *digest,
                None => false,
            };
            (!there).then(|| Reason::OutputGone(folder.display().to_string()))
        }
    })
}

/// Whether a package's file is in the channel with the bytes that were published.
fn is_whole(context: &Context, package: &Published) -> Result<bool, ExecError> {
    let path = context.channel.path_of(package);
    let Ok(found) = path.metadata() else { return Ok(false) };
    if found.len() != package.bytes || !found.is_file() {
        return Ok(false);
    }
    if context.stamps.known(ARCHIVE, &path, &found).as_ref() == Some(&package.sha256) {
        return Ok(true);
    }
    let whole = context.channel.verify(package)?.is_none();
    if whole {
        context.stamps.remember(ARCHIVE, &path, &found, &package.sha256);
    }
    Ok(whole)
}

/// What is remembered of a file of the channel or of `dist`: its SHA-256.
const ARCHIVE: &str = "sha256";

/// Remembers the stamps of what a node has just made.
pub(super) fn made(context: &Context, output: &Output) {
    match output {
        Output::Package(package) => {
            let published = super::build::published(package);
            context.stamps.made(ARCHIVE, &context.channel.path_of(&published), &published.sha256);
        }
        Output::Archive { file, sha256, .. } => {
            context.stamps.made(ARCHIVE, &context.workspace.root.join(file), sha256);
        }
        Output::Folder { folder, digest } => {
            if let Some(list) = list_of(&context.workspace.root.join(folder)) {
                context.stamps.made_bytes(&list, *digest);
            }
        }
        _ => {}
    }
}

/// A record of what a node made.
pub(super) fn record(node: &Node, stale: &Stale, output: Output, seconds: f64) -> Record {
    Record { node: node.id.clone(), key: stale.key, inputs: stale.inputs.clone(), output, seconds }
}
