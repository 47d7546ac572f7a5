//! The project as it is meant. Immutable once loaded.

use std::{collections::BTreeMap, ops::Range, path::PathBuf};

use rattler_conda_types::{Channel, Subdir};

use super::{ExternalVersion, Host, ModuleSet};
use crate::{activation::Activation, recipe::Cell};

/// A whole project.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The folder of project.toml, absolute.
    pub root: PathBuf,
    /// `[project] name`.
    pub name: String,
    /// The platform that packages are built for and environments are solved for.
    pub platform: Subdir,
    /// The base channels, in the order in which they are searched after the project's own.
    pub channels: Vec<BaseChannel>,
    /// `[host]`.
    pub host: Host,
    /// The name and the text of the manifest, for drawing problems that show later.
    pub manifest: (String, String),
    /// The axes with the values of this run, for the wording of errors and for `status`.
    pub axes: Vec<(String, Vec<String>)>,
    /// The groups of axes that advance together.
    pub zip: Vec<Vec<String>>,
    /// Every package cell, sorted by id.
    pub packages: Vec<Package>,
    /// Every environment cell, in the manifest's order and then in the order of its axes' values.
    pub environments: Vec<Environment>,
}

/// A channel that is searched after the project's own.
#[derive(Debug, Clone)]
pub struct BaseChannel {
    /// The channel.
    pub channel: Channel,
    /// How keys and the lock file name it: as the manifest does when that is a relative path, by its URL otherwise.
    pub written: String,
}

/// One package for one combination of axis values.
#[derive(Debug, Clone)]
pub struct Package {
    /// `mpi4py[mpi4py_version=4.0.3,python=3.11]`, or only the name where no axis is used.
    pub id: String,
    /// The key under `[recipes]` that it comes from.
    pub recipe: String,
    /// Its recipe.yaml, absolute.
    pub file: PathBuf,
    /// The recipe as rendered for this cell.
    pub cell: Cell,
    /// Whether the host's label, modules, facts, run paths and libraries reach its build.
    pub host_bound: bool,
    /// What is done to the host's modules before its build: loaded or unloaded, in this order.
    pub modules: ModuleSet,
    /// Where the version comes from when it stands for something that the host provides. No recipe makes it then.
    pub external: Option<ExternalVersion>,
    /// What happens to variables when an environment with it is activated, when the manifest says something of it.
    pub activation: Option<Activation>,
    /// What its build needs of the machine. Not an input of it: the package is the same on any machine.
    pub resources: Resources,
    /// Where project.toml names the recipe.
    pub origin: Range<usize>,
}

/// What a build needs of the machine, as far as the manifest says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resources {
    /// Processors, at least 1.
    pub cpus: Option<u32>,
    /// Memory in bytes.
    pub memory: Option<u64>,
}

/// One environment for one combination of the axes that it names.
#[derive(Debug, Clone)]
pub struct Environment {
    /// `resnet-py311`.
    pub name: String,
    /// The key under `[environments]`.
    pub family: String,
    /// The axes that it names, with this cell's values.
    pub cell: BTreeMap<String, String>,
    /// MatchSpecs, axis values put in, in the order written.
    pub specs: Vec<String>,
    /// Where it must run; the build machine's own virtual packages count when it says nothing of that.
    pub target: Option<Target>,
    /// The test script, absolute.
    pub test: Option<PathBuf>,
    /// The formats that it is packed into.
    pub packs: Vec<String>,
    /// The path for which its archives are made, if they are made for one.
    pub dest_prefix: Option<String>,
    /// Where project.toml names it.
    pub origin: Range<usize>,
}

/// `[targets.NAME]`: a machine that environments must run on, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Its platform, when it names one.
    pub platform: Option<String>,
    /// Virtual packages and their versions, which a build string may follow after `=`.
    pub virtual_packages: Vec<(String, String)>,
    /// Globs of libraries that it has, or that nobody will miss there.
    pub libraries: Vec<String>,
    /// Kinds of symbols such as `GLIBCXX`, and the newest version that its libraries have.
    pub symbols: Vec<(String, String)>,
}

impl Package {
    /// The folder that holds the recipe.
    pub fn folder(&self) -> &std::path::Path {
        self.file.parent().expect("a recipe file stands in a folder")
    }
}

/// `name[axis=value,…]`, axes sorted by name; only the name where there are none.
pub(super) fn cell_id(name: &str, cell: &BTreeMap<String, String>) -> String {
    if cell.is_empty() {
        return name.to_owned();
    }
    let values: Vec<String> = cell.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
    format!("{name}[{}]", values.join(","))
}
