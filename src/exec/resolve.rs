//! The build and host environments of a package: resolved once and locked, so that a key does not depend on the day.

use std::collections::{BTreeMap, BTreeSet};

use rattler_conda_types::RepoDataRecord;

use super::{
    Context, ExecError, Job, LockPolicy, build,
    environment::{locked_digest, package_digest},
    host,
    worker::{self, Order},
};
use crate::{
    base::Digest,
    build::{Environments, ResolveJob, ResolvePolicy},
    lock::LockedEnvironment,
    plan::{Kind, Node},
    solve,
    store::Output,
    workspace::Package,
};

/// The two environments of a package, as the lock file's names for them end.
const ENVIRONMENTS: [&str; 2] = ["build", "host"];

/// The lock file's names for the environments of a package. No environment of the manifest has a `/` in its name.
fn names(package: &Package) -> [String; 2] {
    ENVIRONMENTS.map(|environment| format!("{}/{environment}", package.id))
}

/// Whether the lock file's environment of this name is one of a package's.
pub(super) fn belongs_to_one(name: &str, packages: &[Package]) -> bool {
    // The packages of a workspace are sorted by id.
    name.rsplit_once('/').is_some_and(|(id, environment)| {
        ENVIRONMENTS.contains(&environment) && packages.binary_search_by(|it| it.id.as_str().cmp(id)).is_ok()
    })
}

/// What is locked for a package: its environments that hold anything of a base channel.
pub(super) fn locked(context: &Context, package: &Package) -> Result<Vec<LockedEnvironment>, ExecError> {
    let locked = context.locked()?;
    Ok(names(package).iter().filter_map(|name| locked.get(name).cloned()).collect())
}

/// The digest of what is locked for a package.
pub(super) fn digest(context: &Context, package: &Package) -> Result<Digest, ExecError> {
    let locked = context.locked()?;
    let of = |name: &String| locked.get(name).map(|it| locked_digest(it).to_string()).unwrap_or_default();
    Ok(Digest::of(names(package).map(|name| of(&name)).join("\n")))
}

/// What is locked for a package as inputs: `host-environment/python` and its version, build string and hash.
pub(super) fn inputs(context: &Context, package: &Package) -> Result<BTreeMap<String, String>, ExecError> {
    let locked = context.locked()?;
    let mut inputs = BTreeMap::new();
    for (environment, name) in ENVIRONMENTS.iter().zip(names(package)) {
        for record in locked.get(&name).map_or(&[][..], |it| &it.packages) {
            let (name, rest) = package_input(record);
            // Staging outputs may have brought a second version of a package.
            inputs
                .entry(format!("{environment}-environment/{name}"))
                .and_modify(|known: &mut String| *known = format!("{known}, {rest}"))
                .or_insert(rest);
        }
    }
    Ok(inputs)
}

/// A locked package as an input: its name; its version, build string and hash.
pub(super) fn package_input(record: &RepoDataRecord) -> (String, String) {
    let package = &record.package_record;
    let rest = format!("{} {} {}", package.version, package.build, package_digest(record));
    (package.name.as_normalized().to_owned(), rest)
}

/// Whether a build has environments that are locked. What the lock file holds for one that needs base channels no more
/// is of no account.
pub(super) fn is_resolved(context: &Context, node: &Node) -> bool {
    node.inputs.iter().any(|it| context.plan.node(*it).kind == Kind::Resolve)
}

/// Keeps what is locked as long as it satisfies the recipe, and resolves otherwise.
pub(super) fn resolve(context: &Context, job: &Job) -> Result<Output, ExecError> {
    let node = context.plan.node(job.index);
    let package = &context.workspace.packages[node.subject];
    let policy = match context.settings.lock_policy {
        LockPolicy::Locked => ResolvePolicy::Keep,
        LockPolicy::Follow if context.updates(job.index) => ResolvePolicy::Update,
        LockPolicy::Follow => ResolvePolicy::Prefer,
    };
    let scratch = context.scratch()?;
    let needs = build::packages(&job.outputs);
    let mut cell = build::order(context, package, &needs, scratch.path())?;
    // What a channel brought that the manifest does not name any more is not kept.
    let named = |it: &RepoDataRecord| {
        let channel = it.channel.as_deref().unwrap_or_default().trim_end_matches('/');
        context.workspace.channels.iter().any(|it| it.channel.base_url.as_str().trim_end_matches('/') == channel)
    };
    cell.locked.retain(named);
    let order = ResolveJob { build: cell, policy };
    let log = context.store.log(&node.id);
    let resolved: Result<Environments, ExecError> =
        worker::run(context, &Order::Resolve(order), (package, scratch.path()), &log);
    let resolved = match resolved {
        Err(ExecError::Build { why }) if policy == ResolvePolicy::Keep => return Err(ExecError::Locked { why }),
        Err(ExecError::Build { why }) => return Err(ExecError::Unresolved { why }),
        other => other?,
    };
    relock(context, package, resolved)?;
    Ok(Output::Locked { digest: digest(context, package)? })
}

/// Writes the environments into the lock file, unless it says the same already.
fn relock(context: &Context, package: &Package, resolved: Environments) -> Result<(), ExecError> {
    let locked = context.locked()?;
    let mut virtual_packages = solve::host_virtual_packages()?;
    let facts = host::facts_as_packages(context, package)?;
    virtual_packages.retain(|it| !facts.iter().any(|fact| fact.name == it.name));
    virtual_packages.extend(facts);
    virtual_packages.sort_by(|a, b| a.name.cmp(&b.name));
    let virtual_packages: Vec<String> = virtual_packages.iter().map(ToString::to_string).collect();
    let mut changes = Vec::new();
    for (name, packages) in names(package).into_iter().zip([resolved.build, resolved.host]) {
        let environment = (!packages.is_empty()).then(|| LockedEnvironment {
            platform: context.workspace.platform,
            channels: context.channel_names(),
            virtual_packages: virtual_packages.clone(),
            packages,
        });
        if locked.get(&name).map(said) != environment.as_ref().map(said) {
            changes.push((name, environment));
        }
    }
    if changes.is_empty() { Ok(()) } else { context.relock(changes) }
}

/// What the lock file says of an environment, apart from the machine that it was solved on: the same bytes may come from
/// another channel.
fn said(environment: &LockedEnvironment) -> (&[String], BTreeSet<(String, String)>) {
    let package = |it: &'_ RepoDataRecord| (it.url.to_string(), package_digest(it));
    (&environment.channels, environment.packages.iter().map(package).collect())
}
