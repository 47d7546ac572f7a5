//! Environments: lock, install, test.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rattler_conda_types::{Channel, MatchSpec, ParseStrictness, RepoDataRecord};

use super::{Context, ExecError, Job, LockPolicy, build::packages, host, process, resolve::package_input};
use crate::{
    base::{Digest, fs},
    install::{self, InstallError, InstallRequest},
    lock::{self, Demand, LockedEnvironment},
    pkgcache,
    plan::Kind,
    solve::{self, SolveRequest},
    store::Output,
    workspace::Environment,
};

/// What tells a package's bytes: its hash, and where it lies when the channel tells no hash.
pub(super) fn package_digest(package: &RepoDataRecord) -> String {
    let record = &package.package_record;
    match (record.sha256, record.md5) {
        (Some(sha256), _) => hex::encode(sha256),
        (None, Some(md5)) => hex::encode(md5),
        (None, None) => package.url.to_string(),
    }
}

/// The digest of what is locked: enough to know that two locks install the same bytes.
pub(super) fn locked_digest(environment: &LockedEnvironment) -> Digest {
    let mut lines: Vec<String> = environment
        .packages
        .iter()
        .map(|it| format!("{}/{} {}\n", it.package_record.subdir, it.identifier, package_digest(it)))
        .collect();
    lines.sort();
    Digest::of(lines.concat())
}

/// What is locked for an environment as inputs of all that comes after its lock: names with version, build string, hash.
pub(super) fn packages_of(context: &Context, environment: &Environment) -> Result<BTreeMap<String, String>, ExecError> {
    let locked = context.locked()?;
    let packages = locked.get(&environment.name).map_or(&[][..], |it| &it.packages);
    Ok(packages.iter().map(package_input).collect())
}

/// The specs of an environment. The manifest room has parsed them before, with values in place of axes.
pub(super) fn specs(environment: &Environment) -> Vec<MatchSpec> {
    let parse = |spec: &String| MatchSpec::from_str(spec, ParseStrictness::Lenient).ok();
    environment.specs.iter().filter_map(parse).collect()
}

/// Keeps what is locked as long as it satisfies the manifest, and solves otherwise.
pub(super) fn lock(context: &Context, job: &Job) -> Result<Output, ExecError> {
    let node = context.plan.node(job.index);
    let environment = &context.workspace.environments[node.subject];
    let specs = specs(environment);
    let virtual_packages = context.virtual_packages(environment)?;
    let locked = context.locked()?;
    let current = locked.get(&environment.name);
    let local = context.channel.records(&packages(&job.outputs))?;
    let channels: Vec<String> = std::iter::once("output".to_owned()).chain(context.channel_names()).collect();
    let demand = Demand {
        platform: context.workspace.platform,
        specs: &specs,
        channels: &channels,
        virtual_packages: &virtual_packages,
        local: &local,
        own: context.channel.root(),
    };
    let update = context.updates(job.index);
    let misfit = match current {
        Some(_) if update => String::new(),
        None => "the environment is not in it".to_owned(),
        Some(current) => match lock::satisfies(current, &demand) {
            Ok(()) => return Ok(Output::Locked { digest: locked_digest(current) }),
            Err(unsatisfied) => unsatisfied.to_string(),
        },
    };
    if context.settings.lock_policy == LockPolicy::Locked {
        return Err(ExecError::Locked { why: misfit });
    }
    let base: Vec<Channel> = context.workspace.channels.iter().map(|it| it.channel.clone()).collect();
    let request = SolveRequest {
        platform: context.workspace.platform,
        specs: &specs,
        channels: &base,
        local: &local,
        virtual_packages: &virtual_packages,
        locked: current.filter(|_| !update).map_or(&[], |it| it.packages.as_slice()),
        cache: &context.settings.cache,
        network: context.settings.network,
    };
    let packages = solve::solve(&context.rt, &request)?;
    let solved = LockedEnvironment {
        platform: context.workspace.platform,
        channels,
        virtual_packages: virtual_packages.iter().map(ToString::to_string).collect(),
        packages,
    };
    let digest = locked_digest(&solved);
    context.relock(vec![(environment.name.clone(), Some(solved))])?;
    Ok(Output::Locked { digest })
}

/// The locked packages of an environment.
pub(super) fn records(context: &Context, environment: &Environment) -> Result<Vec<RepoDataRecord>, ExecError> {
    let locked = context.locked()?;
    let found = locked.get(&environment.name).map(|it| it.packages.clone());
    found.ok_or_else(|| ExecError::NotLocked { environment: environment.name.clone() })
}

/// Checks the bytes of `file://` packages, which nobody else looks at before they are installed. One of our own that was
/// changed leaves the channel, so that the next run finds it gone and builds it again.
pub(super) fn verify(context: &Context, records: &[RepoDataRecord]) -> Result<(), ExecError> {
    match install::verify(records, context.channel.root()) {
        Err(InstallError::Altered { path, expected, found }) if path.starts_with(context.channel.root()) => {
            fs::remove_file(&path)?;
            let file = path.strip_prefix(&context.workspace.root).unwrap_or(&path).display().to_string();
            Err(ExecError::Altered { file, expected, found })
        }
        checked => Ok(checked?),
    }
}

/// The same for who needs what is in the packages and not their archives: of a package whose channel is gone or out of
/// reach, what the package cache holds is enough. The cache tells packages by their hashes, and checks their files.
pub(super) fn verify_or_cached(context: &Context, records: &[RepoDataRecord]) -> Result<(), ExecError> {
    let is_gone = |record: &RepoDataRecord| archive_here(record).is_some_and(|it| !it.exists());
    let (gone, mut there): (Vec<_>, Vec<_>) = records.iter().cloned().partition(is_gone);
    if !gone.is_empty() {
        let held = pkgcache::held(&context.rt, &context.packages(), &gone)?;
        there.extend(gone.into_iter().zip(held).filter(|(_, held)| !held).map(|(record, _)| record));
    }
    verify(context, &there)
}

/// Where the archive of a package of a `file://` channel is, or should be.
pub(super) fn archive_here(record: &RepoDataRecord) -> Option<PathBuf> {
    (record.url.scheme() == "file").then(|| record.url.to_file_path().ok()).flatten()
}

/// Makes the prefix.
pub(super) fn install(context: &Context, job: &Job) -> Result<Output, ExecError> {
    let node = context.plan.node(job.index);
    let environment = &context.workspace.environments[node.subject];
    let records = records(context, environment)?;
    verify_or_cached(context, &records)?;
    let prefix = context.store.prefix(&environment.name);
    if moved(&job.stale.previous, &prefix) {
        // Its files name the place where it was made.
        fs::remove_dir_all(&prefix)?;
    }
    install::install(
        &context.rt,
        &InstallRequest {
            prefix: &prefix,
            target_prefix: None,
            platform: context.workspace.platform,
            records: &records,
            specs: &specs(environment),
            cache: &context.packages(),
            interpreter: None,
            network: context.settings.network,
        },
    )?;
    let locked = context.locked()?;
    let digest = locked.get(&environment.name).map_or_else(|| Digest::of(""), locked_digest);
    Ok(Output::Prefix { digest, path: prefix })
}

fn moved(previous: &Option<Output>, prefix: &Path) -> bool {
    matches!(previous, Some(Output::Prefix { path, .. }) if path != prefix)
}

/// The variables of an activated environment: the user's own, but for what activation sets or unsets.
///
/// # Errors
/// When an activation script cannot be run.
pub fn activated(context: &Context, environment: &Environment) -> Result<BTreeMap<String, String>, ExecError> {
    activate(context, environment, context.settings.environment.clone())
}

fn activate(
    context: &Context,
    environment: &Environment,
    mut variables: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ExecError> {
    let prefix = context.store.prefix(&environment.name);
    // Another Python's settings would reach into this one.
    for name in ["PYTHONHOME", "PYTHONPATH"] {
        variables.remove(name);
    }
    Ok(install::activation(&prefix, context.workspace.platform, &variables)?)
}

/// Whether a script says in its first line who runs it.
fn names_interpreter(script: &Path) -> Result<bool, ExecError> {
    Ok(fs::read(script)?.starts_with(b"#!"))
}

/// Runs the test script in the activated environment, in the project's folder.
pub(super) fn test(context: &Context, job: &Job) -> Result<Output, ExecError> {
    let node = context.plan.node(job.index);
    let environment = &context.workspace.environments[node.subject];
    let script = environment.test.as_ref().expect("only an environment with a script has a test node");
    let executable =
        names_interpreter(script)? && script.metadata().is_ok_and(|it| it.permissions().mode() & 0o111 != 0);
    let mut command = if executable { Command::new(script) } else { Command::new("bash") };
    if !executable {
        command.arg("-e").arg(script);
    }
    // What was built with the host's modules is tested with them, whatever the user's shell has loaded.
    let mut variables = context.settings.environment.clone();
    variables.extend(host::of_test(context, environment)?);
    command
        .stdin(Stdio::null())
        .env_clear()
        .envs(activate(context, environment, variables)?)
        .current_dir(&context.workspace.root);
    let status = process::run(command, &context.store.log(&node.id), &context.children, &context.cancel)?;
    if !status.success() {
        return Err(ExecError::Test { status: status.to_string() });
    }
    let installed = job.outputs.iter().find(|(index, _)| context.plan.node(**index).kind == Kind::Install);
    let digest = installed.map_or_else(|| Digest::of(""), |(_, output)| output.digest());
    Ok(Output::Tested { digest })
}
