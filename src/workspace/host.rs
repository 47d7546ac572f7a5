//! `[host]` as it is meant, without a look at the machine, and the packages that stand for what it provides.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{Package, Resources, WorkspaceError, error::span};
use crate::{
    manifest::{self, Manifest, RpathKind, Spanned},
    recipe::Cell,
};

/// What the manifest says of the host without probing it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// Leads the build string of every host-bound package.
    pub label: Option<String>,
    /// Globs of run paths that may stay in a binary.
    pub run_paths: Vec<String>,
    /// Which tag holds them.
    pub rpath_kind: RpathKind,
    /// Globs of libraries that the host is trusted to provide.
    pub libraries: Vec<String>,
    /// Files that are sourced before `module` is used: as written, absolute, and where the manifest names them.
    pub init: Vec<InitFile>,
    /// The modules of `[host]` alone: what facts for solvers are found out with.
    pub modules: ModuleSet,
    /// What is found out about the host, in the manifest's order.
    pub facts: Vec<Fact>,
}

/// A file that is sourced in the shell that loads modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitFile {
    /// As the manifest writes it.
    pub written: String,
    /// Absolute.
    pub path: PathBuf,
    /// Where the manifest names it.
    pub origin: Range<usize>,
}

/// What is done to modules, in this order. Two are the same when the same is done, wherever the manifest says so.
pub type ModuleSet = Vec<ModuleStep>;

/// A module that is loaded or unloaded.
#[derive(Debug, Clone)]
pub struct ModuleStep {
    /// Which of the two.
    pub verb: Verb,
    /// The module, with or without a version.
    pub name: String,
    /// Where the manifest names it.
    pub origin: Range<usize>,
}

/// What is done to a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// `module load`.
    Load,
    /// `module unload`.
    Unload,
}

impl ModuleStep {
    fn what(&self) -> (Verb, &str) {
        (self.verb, &self.name)
    }
}

impl PartialEq for ModuleStep {
    fn eq(&self, other: &Self) -> bool {
        self.what() == other.what()
    }
}

impl Eq for ModuleStep {}

impl PartialOrd for ModuleStep {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ModuleStep {
    fn cmp(&self, other: &Self) -> Ordering {
        self.what().cmp(&other.what())
    }
}

/// Something about the host that is found out. It has a command, or files, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its name.
    pub name: String,
    /// What bash runs, and where the manifest says so.
    pub command: Option<(String, Range<usize>)>,
    /// A regular expression that finds the version in what the command says; all of it counts without one.
    pub pattern: Option<(String, Range<usize>)>,
    /// What the solver calls it.
    pub virtual_package: Option<String>,
    /// Files that belong to it, as written and where; absolute paths mean the same in every checkout.
    pub files: Vec<InitFile>,
}

/// Where the version of an external package comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExternalVersion {
    /// The manifest writes it.
    Written(String),
    /// A fact, and where the manifest names it.
    Fact(String, Range<usize>),
}

/// What `[host]` means in the project at `root`.
pub(super) fn host(manifest: &Manifest, root: &Path) -> Host {
    let Some(host) = &manifest.host else { return Host::default() };
    let strings = |list: &[Spanned<String>]| list.iter().map(|it| it.value.clone()).collect();
    let files = |list: &[Spanned<String>]| list.iter().map(|it| file(it, root)).collect();
    let placed = |it: &Spanned<String>| (it.value.clone(), it.span.clone());
    let fact = |it: &manifest::Fact| Fact {
        name: it.name.value.clone(),
        command: it.command.as_ref().map(placed),
        pattern: it.pattern.as_ref().map(placed),
        virtual_package: it.virtual_package.as_ref().map(|it| it.value.clone()),
        files: files(&it.files),
    };
    Host {
        label: host.label.as_ref().map(|it| it.value.clone()),
        run_paths: strings(&host.rpaths),
        rpath_kind: host.rpath_kind.as_ref().map(|it| it.value).unwrap_or_default(),
        libraries: strings(&host.libraries),
        init: files(&host.init),
        modules: steps(Verb::Load, &host.modules).collect(),
        facts: host.facts.iter().map(fact).collect(),
    }
}

fn file(written: &Spanned<String>, root: &Path) -> InitFile {
    InitFile { written: written.value.clone(), path: root.join(&written.value), origin: written.span.clone() }
}

/// The modules of a recipe's builds: those of the host, without what it unloads, with what it loads.
pub(super) fn modules(manifest: &Manifest, recipe: &manifest::Recipe) -> ModuleSet {
    let host = manifest.host.as_ref().map(|it| it.modules.as_slice()).unwrap_or_default();
    let own = &recipe.modules;
    let loads = steps(Verb::Load, host);
    loads.chain(steps(Verb::Unload, &own.unload)).chain(steps(Verb::Load, &own.load)).collect()
}

/// What is wrong with the modules of a recipe none of whose packages is bound to the host: nothing would load them.
pub(super) fn modules_in_vain(manifest: &Manifest, recipe: &manifest::Recipe) -> Option<WorkspaceError> {
    let first =
        recipe.modules.load.iter().chain(&recipe.modules.unload).map(|it| it.span.clone()).min_by_key(|it| it.start)?;
    let (why, help) = if manifest.host.is_none() {
        ("there is no [host]", "add the table [host], which may be empty, or remove `modules`")
    } else if recipe.host_bound.is_some() {
        ("`host-bound` says that the recipe is not bound to the host", "remove `host-bound`, or `modules`")
    } else {
        ("its packages are noarch, which are not bound to the host", "add `host-bound = true`, or remove `modules`")
    };
    let recipe = recipe.name.value.clone();
    Some(WorkspaceError::ModulesInVain { recipe, why, help, at: span(&first) })
}

fn steps(verb: Verb, names: &[Spanned<String>]) -> impl Iterator<Item = ModuleStep> + '_ {
    names.iter().map(move |it| ModuleStep { verb, name: it.value.clone(), origin: it.span.clone() })
}

/// The build string of every external package, before its content's digest: what people select by `external_*`.
const EXTERNAL: &str = "external_0";

/// The packages of `[host.externals]`.
pub(super) fn externals(
    manifest: &Manifest,
    root: &Path,
    packages: &mut Vec<Package>,
    problems: &mut Vec<WorkspaceError>,
) {
    for external in manifest.host.iter().flat_map(|it| &it.externals) {
        let (name, at) = (external.name.value.clone(), span(&external.name.span));
        if let Some(made) = packages.iter().find(|it| it.cell.package == name) {
            problems.push(WorkspaceError::ExternalAndRecipe { name, recipe: made.recipe.clone(), at });
            continue;
        }
        let version = match &external.version {
            manifest::ExternalVersion::Written(version) => ExternalVersion::Written(version.value.clone()),
            manifest::ExternalVersion::Fact(fact) => ExternalVersion::Fact(fact.value.clone(), fact.span.clone()),
        };
        packages.push(Package {
            id: name.clone(),
            recipe: name.clone(),
            // Nothing is there; it is written where the package is built.
            file: root.join("project.toml"),
            cell: empty_cell(name, &version),
            host_bound: false,
            modules: ModuleSet::new(),
            external: Some(version),
            activation: None,
            resources: Resources::default(),
            origin: external.name.span.clone(),
        });
    }
    packages.sort_by(|a, b| a.id.cmp(&b.id));
}

/// A noarch package that needs nothing. Without a written version nobody knows it before the host is probed.
fn empty_cell(package: String, version: &ExternalVersion) -> Cell {
    let version = match version {
        ExternalVersion::Written(version) => version.clone(),
        ExternalVersion::Fact(..) => String::new(),
    };
    Cell {
        package,
        version,
        build_string: EXTERNAL.to_owned(),
        noarch: true,
        variant: BTreeMap::new(),
        combination: BTreeMap::new(),
        build: Vec::new(),
        host: Vec::new(),
        run: Vec::new(),
        run_exports: Default::default(),
        strong_run_exports: Default::default(),
        environment_settings: Vec::new(),
        sources: Vec::new(),
        environment: BTreeMap::new(),
    }
}
