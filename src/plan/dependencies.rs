//! Which package cells a cell needs: by name, version and agreement on every axis that both know.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

use rattler_conda_types::{MatchSpec, ParseStrictness, Version, VersionSpec};

use crate::workspace::{Package, Workspace};

/// Axis values in force.
type Values = BTreeMap<String, String>;

/// Cells that a cell needs itself at run time, by the cell and the axis values in force.
type Direct = HashMap<(usize, Values), Rc<[usize]>>;

/// The package cells of a workspace, by package name.
pub(super) struct Catalogue<'a> {
    packages: &'a [Package],
    by_name: BTreeMap<&'a str, Vec<usize>>,
    /// Of every cell.
    versions: Vec<Option<Version>>,
    /// The versions that a spec asks for; the same few specs are met again and again.
    specs: RefCell<HashMap<String, Option<VersionSpec>>>,
    /// What a cell needs itself at run time where some axis values are in force.
    direct: RefCell<Direct>,
}

/// The package cells that one package cell needs.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// In its build and host environments, with all that runs there.
    pub(super) inputs: BTreeSet<usize>,
    /// Needed to run it.
    pub(super) runtime: BTreeSet<usize>,
    /// Whether its build and host environments need packages that the project does not make.
    pub(super) outside: bool,
}

impl<'a> Catalogue<'a> {
    pub(super) fn new(workspace: &'a Workspace) -> Self {
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, package) in workspace.packages.iter().enumerate() {
            by_name.entry(&package.cell.package).or_default().push(index);
        }
        let versions = workspace.packages.iter().map(|it| it.cell.version.parse().ok()).collect();
        let (specs, direct) = (RefCell::default(), RefCell::default());
        Self { packages: &workspace.packages, by_name, versions, specs, direct }
    }

    /// The cells that a requirement can mean where these axis values are in force. When no cell has the version that is
    /// asked for, all that agree with the axes are meant, so that the solver can say what is wrong.
    fn candidates(&self, name: &str, spec: &str, values: &Values) -> Vec<usize> {
        let Some(cells) = self.by_name.get(name) else { return Vec::new() };
        let agreeing: Vec<usize> =
            cells.iter().copied().filter(|it| agree(&self.packages[*it].cell.variant, values)).collect();
        if !self.specs.borrow().contains_key(spec) {
            let wanted = MatchSpec::from_str(spec, ParseStrictness::Lenient).ok().and_then(|it| it.version);
            self.specs.borrow_mut().insert(spec.to_owned(), wanted);
        }
        let specs = self.specs.borrow();
        let wanted = &specs[spec];
        let fits = |index: &usize| match (wanted, &self.versions[*index]) {
            (Some(wanted), Some(version)) => wanted.matches(version),
            _ => true,
        };
        let fitting: Vec<usize> = agreeing.iter().copied().filter(fits).collect();
        if fitting.is_empty() { agreeing } else { fitting }
    }

    /// What one package cell needs.
    pub(super) fn needs_of(&self, index: usize) -> Needs {
        let cell = &self.packages[index].cell;
        let mut needs = Needs::default();
        for requirement in cell.build.iter().chain(&cell.host) {
            for candidate in self.candidates(&requirement.name, &requirement.spec, &cell.variant) {
                needs.inputs.insert(candidate);
                self.close(candidate, &cell.variant, &mut needs.inputs);
            }
        }
        // An exact pin names the build string of another output, so that output is an input as well.
        for requirement in cell.run.iter().filter(|it| it.exact) {
            needs.inputs.extend(self.candidates(&requirement.name, &requirement.spec, &cell.variant));
        }
        needs.inputs.remove(&index);
        needs.outside = self.needs_outside(index, &needs.inputs);
        self.close(index, &cell.variant, &mut needs.runtime);
        // A package that needs itself by way of others is a cycle, which the graph reports; one that names itself
        // only in its run requirements (an output that pins its own name) is not.
        needs.runtime.remove(&index);
        needs
    }

    /// Whether a cell's requirements, or what the local ones among them need to run, name a package that no recipe makes.
    fn needs_outside(&self, index: usize, inputs: &BTreeSet<usize>) -> bool {
        let cell = &self.packages[index].cell;
        // Virtual packages are not looked for in any channel.
        let outside = |name: &str| !name.starts_with("__") && !self.by_name.contains_key(name);
        let own = cell.build.iter().chain(&cell.host).any(|it| outside(&it.name));
        let exported = |input: &usize| {
            let exporter = &self.packages[*input].cell;
            exporter.run_exports.iter().chain(&exporter.strong_run_exports).any(|name| outside(name))
        };
        let needed = |input: &usize| {
            let values = &self.packages[*input].cell.variant;
            self.runtime_requirements(*input, values).iter().any(|(name, _)| outside(name))
        };
        own || inputs.iter().any(|input| exported(input) || needed(input))
    }

    /// The cells that an environment may hold: those its specs can mean, and what they need to run.
    pub(super) fn of_environment(&self, specs: &[String], values: &Values) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for spec in specs {
            let Some(name) = name_of(spec) else { continue };
            for candidate in self.candidates(&name, spec, values) {
                found.insert(candidate);
                self.close(candidate, values, &mut found);
            }
        }
        found
    }

    /// Adds all that a cell needs at run time, directly or by way of others.
    fn close(&self, index: usize, values: &Values, found: &mut BTreeSet<usize>) {
        let cell = &self.packages[index].cell;
        let mut values = values.clone();
        values.extend(cell.variant.clone());
        for candidate in self.direct(index, &values).iter().copied() {
            if found.insert(candidate) {
                self.close(candidate, &values, found);
            }
        }
    }

    /// The cells that a cell needs itself at run time.
    fn direct(&self, index: usize, values: &Values) -> Rc<[usize]> {
        let key = (index, values.clone());
        if let Some(known) = self.direct.borrow().get(&key) {
            return Rc::clone(known);
        }
        let mut all = Vec::new();
        for (name, spec) in self.runtime_requirements(index, values) {
            all.extend(self.candidates(&name, &spec, values));
        }
        let all: Rc<[usize]> = all.into();
        self.direct.borrow_mut().insert(key, Rc::clone(&all));
        all
    }

    /// A cell's run requirements: its own, and those that its host and build dependencies export.
    fn runtime_requirements(&self, index: usize, values: &Values) -> Vec<(String, String)> {
        let cell = &self.packages[index].cell;
        let mut all: Vec<_> = cell.run.iter().map(|it| (it.name.clone(), it.spec.clone())).collect();
        for (requirements, strong) in [(&cell.host, false), (&cell.build, true)] {
            for requirement in requirements {
                for candidate in self.candidates(&requirement.name, &requirement.spec, values) {
                    let exporter = &self.packages[candidate].cell;
                    let exports = if strong { &exporter.strong_run_exports } else { &exporter.run_exports };
                    for name in exports {
                        let spec = if name == &requirement.name { requirement.spec.clone() } else { name.clone() };
                        all.push((name.clone(), spec));
                    }
                }
            }
        }
        all
    }
}

fn agree(ours: &Values, theirs: &Values) -> bool {
    ours.iter().all(|(axis, value)| theirs.get(axis).is_none_or(|other| other == value))
}

/// The package name of a MatchSpec.
fn name_of(spec: &str) -> Option<String> {
    let spec = MatchSpec::from_str(spec, ParseStrictness::Lenient).ok()?;
    spec.name.as_exact().map(|name| name.as_normalized().to_owned())
}
