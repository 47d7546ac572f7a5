//! What a job knows of the host: the inputs of host-bound packages, what solvers are told, what a build is given.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rattler_conda_types::GenericVirtualPackage;

use super::{Context, ExecError};
use crate::{
    build::LoadedModule,
    elf::RunPathKind,
    host::{Found, HostErrors, Request},
    manifest::RpathKind,
    plan::Kind,
    solve,
    workspace::{Environment, ExternalVersion, ModuleSet, Package},
};

/// Must the host be as the project says?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostPolicy {
    /// Whatever is wrong with it is an error.
    Required,
    /// It is only asked what would be done: where the host is another one, everything that is bound to it is out of date.
    Expected,
}

/// How the names of inputs begin that speak of the host.
pub(super) const INPUT: &str = "host/";

/// The input that stands for all that a host which is not as expected would give.
const UNKNOWN: &str = "host/unknown";

impl Context {
    /// What the probe of this run depends on.
    pub fn host_request(&self) -> Request<'_> {
        let (name, text) = &self.workspace.manifest;
        Request { host: &self.workspace.host, manifest: (name, text), stamps: &self.stamps, cancel: &self.cancel }
    }

    /// What a module set gives.
    ///
    /// # Errors
    /// When the host is not as the project says.
    pub fn found(&self, set: &ModuleSet) -> Result<Arc<Found>, HostErrors> {
        self.host.set(set, &self.host_request())
    }

    /// The module sets that the nodes of the plan need.
    pub fn module_sets(&self) -> BTreeSet<ModuleSet> {
        let mut sets = BTreeSet::new();
        // For each node, whether it is or needs something that is bound to the host; what is needed comes before.
        let mut bound: Vec<bool> = Vec::new();
        for node in self.plan.nodes() {
            let itself = node.kind == Kind::Build && self.workspace.packages[node.subject].host_bound;
            bound.push(itself || node.needs.iter().any(|it| bound[it.number()]));
            match node.kind {
                Kind::Build | Kind::Resolve => {
                    let package = &self.workspace.packages[node.subject];
                    if package.host_bound {
                        sets.insert(package.modules.clone());
                    } else if matches!(package.external, Some(ExternalVersion::Fact(..))) {
                        sets.insert(self.workspace.host.modules.clone());
                    }
                }
                Kind::Test if bound.last() == Some(&true) => {
                    sets.insert(self.workspace.host.modules.clone());
                }
                Kind::Lock if has_virtual_packages(self) => {
                    sets.insert(self.workspace.host.modules.clone());
                }
                _ => {}
            }
        }
        // A fact may be away where a recipe's modules are others. Whether it is there at all is seen with the host's own.
        if !sets.is_empty() && !self.workspace.host.facts.is_empty() {
            sets.insert(self.workspace.host.modules.clone());
        }
        sets
    }
}

/// Looks at everything of the host that the plan needs, all at once.
///
/// # Errors
/// Everything that is not as the project says.
pub fn require_host(context: &Context) -> Result<(), ExecError> {
    Ok(context.host.all(&context.module_sets(), &context.host_request())?)
}

fn has_virtual_packages(context: &Context) -> bool {
    context.workspace.host.facts.iter().any(|it| it.virtual_package.is_some())
}

/// All that is not as the project says of what the plan needs of the host, when anything is.
///
/// # Errors
/// When the run is stopped meanwhile.
pub fn unexpected_host(context: &Context) -> Result<Option<HostErrors>, ExecError> {
    match context.host.all(&context.module_sets(), &context.host_request()) {
        Err(errors) if errors.is_cancelled() => Err(ExecError::Cancelled),
        looked => Ok(looked.err()),
    }
}

/// The inputs that a package has of the host, by name.
pub(super) fn inputs(context: &Context, package: &Package) -> Result<BTreeMap<String, String>, ExecError> {
    let mut inputs = BTreeMap::new();
    if package.external.is_some() {
        inputs.insert("host/version".to_owned(), version(context, package)?);
    }
    if !package.host_bound {
        return Ok(inputs);
    }
    let host = &context.workspace.host;
    inputs.insert("host/label".to_owned(), host.label.clone().unwrap_or_default());
    inputs.insert("host/rpaths".to_owned(), host.run_paths.join(" "));
    inputs.insert("host/libraries".to_owned(), host.libraries.join(" "));
    inputs.insert(
        "host/rpath-kind".to_owned(),
        match host.rpath_kind {
            RpathKind::Rpath => "rpath".to_owned(),
            RpathKind::Runpath => "runpath".to_owned(),
        },
    );
    match context.found(&package.modules) {
        Ok(found) => inputs.extend(found.inputs()),
        Err(errors) => drop(inputs.insert(UNKNOWN.to_owned(), expected(context, errors)?)),
    }
    Ok(inputs)
}

/// What is said of a host that is not as expected; an error where it has to be.
fn expected(context: &Context, errors: HostErrors) -> Result<String, ExecError> {
    match context.settings.host_policy {
        HostPolicy::Expected if !errors.is_cancelled() => Ok(errors
            .problems()
            .first()
            .map(|it| it.to_string().lines().next().unwrap_or_default().to_owned())
            .unwrap_or_default()),
        _ => Err(errors.into()),
    }
}

/// The version of an external package.
pub(super) fn version(context: &Context, package: &Package) -> Result<String, ExecError> {
    match &package.external {
        Some(ExternalVersion::Fact(fact, _)) => match context.found(&context.workspace.host.modules) {
            Ok(found) => Ok(found.facts.get(fact).and_then(|it| it.version.clone()).unwrap_or_default()),
            Err(errors) => expected(context, errors).map(|_| String::new()),
        },
        Some(ExternalVersion::Written(version)) => Ok(version.clone()),
        None => Ok(package.cell.version.clone()),
    }
}

/// What solvers are told of the host with the modules of `[host]`.
pub(super) fn virtual_packages(context: &Context) -> Result<Vec<GenericVirtualPackage>, ExecError> {
    if !has_virtual_packages(context) {
        return Ok(Vec::new());
    }
    match context.found(&context.workspace.host.modules) {
        Ok(found) => Ok(solve::named_virtual_packages(&found.virtual_packages())?),
        Err(errors) => expected(context, errors).map(|_| Vec::new()),
    }
}

/// What the solver of a package's environments is told of the host: that of its tests, too. A package that is not bound to
/// the host may need one that is, and is told what there is; nothing has to be there for it.
pub(super) fn facts_as_packages(context: &Context, package: &Package) -> Result<Vec<GenericVirtualPackage>, ExecError> {
    if !has_virtual_packages(context) {
        return Ok(Vec::new());
    }
    let set = if package.host_bound { &package.modules } else { &context.workspace.host.modules };
    match context.found(set) {
        Ok(found) => Ok(solve::named_virtual_packages(&found.virtual_packages())?),
        Err(errors) if !package.host_bound && !errors.is_cancelled() => Ok(Vec::new()),
        Err(errors) => expected(context, errors).map(|_| Vec::new()),
    }
}

/// The same as texts, `__name=version=0`.
pub(super) fn facts(context: &Context, package: &Package) -> Result<Vec<String>, ExecError> {
    Ok(facts_as_packages(context, package)?.iter().map(ToString::to_string).collect())
}

/// What a resolution depends on of them: nothing for a package that is not bound to the host.
pub(super) fn known_facts(context: &Context, package: &Package) -> Result<Vec<String>, ExecError> {
    if package.host_bound { facts(context, package) } else { Ok(Vec::new()) }
}

/// The environment of a host-bound build and the modules that made it.
pub(super) fn surroundings(
    context: &Context,
    package: &Package,
) -> Result<(BTreeMap<String, String>, Vec<LoadedModule>), ExecError> {
    if !package.host_bound {
        return Ok(Default::default());
    }
    let found = context.found(&package.modules)?;
    let module = |it: &crate::host::Module| LoadedModule { name: it.name.clone(), folders: it.folders.clone() };
    Ok((found.environment.clone(), found.loaded.iter().map(module).collect()))
}

/// Whether an environment holds packages that are bound to the host.
fn is_host_bound(context: &Context, environment: &Environment) -> Result<bool, ExecError> {
    let workspace = &context.workspace;
    let bound: BTreeSet<&str> =
        workspace.packages.iter().filter(|it| it.host_bound).map(|it| it.cell.package.as_str()).collect();
    let locked = context.locked()?;
    let packages = locked.get(&environment.name).map_or(&[][..], |it| &it.packages);
    let own = |url: &url::Url| url.to_file_path().is_ok_and(|it| it.starts_with(context.channel.root()));
    Ok(!bound.is_empty()
        && packages.iter().any(|it| bound.contains(it.package_record.name.as_normalized()) && own(&it.url)))
}

/// The environment of the host's modules for the test of an environment; nothing when it holds nothing that is bound to
/// the host.
pub(super) fn of_test(context: &Context, environment: &Environment) -> Result<BTreeMap<String, String>, ExecError> {
    if !is_host_bound(context, environment)? {
        return Ok(BTreeMap::new());
    }
    Ok(context.found(&context.workspace.host.modules)?.environment.clone())
}

/// What a test depends on of the host: with which modules it runs.
pub(super) fn test_inputs(context: &Context, environment: &Environment) -> Result<BTreeMap<String, String>, ExecError> {
    if !is_host_bound(context, environment)? {
        return Ok(BTreeMap::new());
    }
    match context.found(&context.workspace.host.modules) {
        Ok(found) => {
            let mut inputs = found.inputs();
            inputs.retain(|name, _| name == "host/modules" || name.starts_with("host/environment/"));
            Ok(inputs)
        }
        Err(errors) => Ok(BTreeMap::from([(UNKNOWN.to_owned(), expected(context, errors)?)])),
    }
}

/// Which tag holds the run paths of host-bound packages.
pub(super) fn run_path_kind(context: &Context) -> RunPathKind {
    match context.workspace.host.rpath_kind {
        RpathKind::Rpath => RunPathKind::Rpath,
        RpathKind::Runpath => RunPathKind::Runpath,
    }
}
