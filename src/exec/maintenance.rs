//! What a change of the host makes stale: against what each package was built with, or against a saved probe.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, ExecError, host, survey};
use crate::{
    fingerprint::{Change, Reason},
    host::{HostErrors, Saved},
    plan::Kind,
    workspace::Package,
};

/// Something about the host that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostChange {
    /// What kind of thing: `module`, `fact`, `file`, `compiler`, `library`, `external`, `setting` or `variable`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// As it was; nothing when it is new.
    pub old: Option<String>,
    /// As it is; nothing when it is gone.
    pub new: Option<String>,
}

/// What the changes of a host do to a project.
#[derive(Debug, Clone, Default)]
pub struct Staleness {
    /// Each change with the ids of the packages that have to be built again because of it.
    pub changes: BTreeMap<HostChange, BTreeSet<String>>,
    /// The ids of packages that are behind those: they are built again if what they need comes out different.
    pub behind: BTreeSet<String>,
    /// The ids of packages that cannot be compared, because they were never built or are not in the saved probe.
    pub unknown: BTreeSet<String>,
    /// How many packages the project has.
    pub packages: usize,
}

impl Staleness {
    /// The packages that have to be built again.
    pub fn stale(&self) -> BTreeSet<&str> {
        self.changes.values().flatten().map(String::as_str).collect()
    }

    fn add(&mut self, package: &Package, changes: &[Change]) {
        let mut causes: Vec<HostChange> = changes.iter().flat_map(causes).collect();
        // What a module has set follows from the module.
        if causes.iter().any(|it| it.kind != VARIABLE) {
            causes.retain(|it| it.kind != VARIABLE);
        }
        for mut cause in causes {
            if package.external.is_some() {
                cause.name.clone_from(&package.id);
            }
            self.changes.entry(cause).or_default().insert(package.id.clone());
        }
    }

    /// Finds what needs the stale packages, when all of them are known.
    fn close(mut self, context: &Context) -> Self {
        self.packages = context.workspace.packages.len();
        let stale: BTreeSet<String> = self.stale().into_iter().map(str::to_owned).collect();
        let mut reached = BTreeSet::new();
        for (index, node) in context.plan.iter() {
            let own = node.kind == Kind::Build && stale.contains(&context.workspace.packages[node.subject].id);
            if own || node.inputs.iter().any(|it| reached.contains(it)) {
                reached.insert(index);
                if node.kind == Kind::Build && !own {
                    self.behind.insert(context.workspace.packages[node.subject].id.clone());
                }
            }
        }
        self
    }
}

const VARIABLE: &str = "variable";

/// What a changed input says of the host.
fn causes(change: &Change) -> Vec<HostChange> {
    let Some(input) = change.input.strip_prefix("host/") else { return Vec::new() };
    let one = |kind, name: &str| {
        vec![HostChange { kind, name: name.to_owned(), old: change.old.clone(), new: change.new.clone() }]
    };
    match input.split_once('/') {
        None if input == "modules" => modules(change.old.as_deref(), change.new.as_deref()),
        None if input == "version" => one("external", "version"),
        None => one("setting", input),
        Some(("environment", name)) => one(VARIABLE, name),
        Some(("fact", name)) => match name.split_once('/') {
            Some((_, file)) => one("file", file),
            None => one("fact", name),
        },
        Some(("compiler", name)) => one("compiler", name),
        Some(("library" | "mpi", name)) => one("library", name),
        Some(_) => one("setting", input),
    }
}

/// What differs between two lists of modules: other versions of one module are one change.
fn modules(old: Option<&str>, new: Option<&str>) -> Vec<HostChange> {
    let split = |it: &str| match it.rsplit_once('/') {
        Some((name, version)) => (name.to_owned(), version.to_owned()),
        None => (it.to_owned(), String::new()),
    };
    let list = |text: Option<&str>| -> BTreeMap<String, String> {
        text.unwrap_or_default().split_whitespace().map(split).collect()
    };
    let (old, new) = (list(old), list(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| HostChange {
            kind: "module",
            name: name.clone(),
            old: old.get(name).cloned(),
            new: new.get(name).cloned(),
        })
        .collect()
}

/// What is stale because the host is not as it was when the packages were built.
///
/// # Errors
/// When an input cannot be read.
pub fn since_built(context: &Context) -> Result<Staleness, ExecError> {
    let mut staleness = Staleness::default();
    for ((_, node), status) in context.plan.iter().zip(survey(context)?) {
        if node.kind != Kind::Build {
            continue;
        }
        let package = &context.workspace.packages[node.subject];
        match status.reason {
            Some(Reason::Changed(changes)) => staleness.add(package, &changes),
            Some(Reason::NeverDone | Reason::FailedBefore) if package.host_bound => {
                staleness.unknown.insert(package.id.clone());
            }
            _ => {}
        }
    }
    Ok(staleness.close(context))
}

/// What is stale when packages were built on the host of a saved probe.
///
/// # Errors
/// When an input cannot be read.
pub fn since_saved(context: &Context, saved: &Saved) -> Result<Staleness, ExecError> {
    let mut staleness = Staleness::default();
    for package in &context.workspace.packages {
        if package.external.is_some() {
            let new = host::version(context, package)?;
            match saved.externals.get(&package.id) {
                Some(old) if *old != new => {
                    let (name, old) = (package.id.clone(), Some(old.clone()));
                    let change = HostChange { kind: "external", name, old, new: Some(new) };
                    staleness.changes.entry(change).or_default().insert(package.id.clone());
                }
                Some(_) => {}
                None => drop(staleness.unknown.insert(package.id.clone())),
            }
        } else if package.host_bound {
            match saved.of(&package.id) {
                Some(old) => {
                    let (old, new) = (old.inputs(), context.found(&package.modules)?.inputs());
                    staleness.add(package, &differences(&old, &new));
                }
                None => drop(staleness.unknown.insert(package.id.clone())),
            }
        }
    }
    Ok(staleness.close(context))
}

fn differences(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<Change> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change =
        |name: &String| Change { input: name.clone(), old: old.get(name).cloned(), new: new.get(name).cloned() };
    names.into_iter().filter(|it| old.get(*it) != new.get(*it)).map(change).collect()
}

/// The probe of this run as a value that can be kept.
///
/// # Errors
/// When the host is not as the project says.
pub fn saved(context: &Context) -> Result<Saved, HostErrors> {
    let mut saved = Saved::new();
    for package in context.workspace.packages.iter().filter(|it| it.host_bound) {
        saved.add(&package.id, &*context.found(&package.modules)?);
    }
    for package in context.workspace.packages.iter().filter(|it| it.external.is_some()) {
        if let Ok(version) = host::version(context, package) {
            saved.externals.insert(package.id.clone(), version);
        }
    }
    Ok(saved)
}
