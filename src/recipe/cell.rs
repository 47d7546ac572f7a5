//! What the rest of the program knows of a rendered recipe: plain values that can be stored.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// A recipe, rendered over the matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// One entry for each output and each combination of the axes that it uses, in an order in which they can be built.
    /// Outputs that the recipe skips are not among them.
    pub cells: Vec<Cell>,
    /// Variables that the recipe reads and does not define itself: axes, if they are declared.
    pub variables: BTreeSet<String>,
    /// Requirements without a version, which an axis of that name would pin.
    pub free: BTreeSet<String>,
    /// The variables of the environment that it asks for, with their values when it was rendered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, Option<String>>,
}

/// One package that a recipe makes for one combination of axis values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Package name.
    pub package: String,
    /// Package version.
    pub version: String,
    /// The build string that rattler-build gives it, before a label and a key are added.
    pub build_string: String,
    /// Whether it is a noarch package.
    pub noarch: bool,
    /// The axes that this output uses, with this cell's values.
    pub variant: BTreeMap<String, String>,
    /// All axis values that were in force when it was rendered: rendering with them gives this cell again.
    pub combination: BTreeMap<String, String>,
    /// Build requirements as MatchSpecs.
    pub build: Vec<Requirement>,
    /// Host requirements as MatchSpecs.
    pub host: Vec<Requirement>,
    /// Run requirements as MatchSpecs.
    pub run: Vec<Requirement>,
    /// Names of the packages that become run requirements of whatever has this one in its host environment.
    pub run_exports: BTreeSet<String>,
    /// Names of the packages that become run requirements of whatever has this one in its build environment.
    pub strong_run_exports: BTreeSet<String>,
    /// What else decides how its build and host environments come out: the run exports that it ignores, and whether the
    /// two environments are one. One line each, sorted.
    pub environment_settings: Vec<String>,
    /// Where its source comes from, and what else it names: patches and the file of its script.
    pub sources: Vec<Source>,
    /// The variables of the environment that its recipe asks for, with their values; none for one that is not set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, Option<String>>,
}

impl Cell {
    /// Everything that it requires to be built and to be run.
    pub fn requirements(&self) -> impl Iterator<Item = &Requirement> {
        self.build.iter().chain(&self.host).chain(&self.run)
    }
}

/// One requirement of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// The name of the package that is required.
    pub name: String,
    /// The MatchSpec, as text; only a name where the recipe leaves the version to a pin.
    pub spec: String,
    /// The line of the recipe that asks for it, counted from 1, where it can be found.
    pub line: Option<usize>,
    /// Whether it pins another output of this recipe to one exact build.
    pub exact: bool,
}

/// A source of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A file behind a URL.
    Url {
        /// The addresses it may be had from.
        urls: Vec<String>,
        /// Its SHA-256 digest in hexadecimal, when the recipe gives one.
        sha256: Option<String>,
        /// Its MD5 digest in hexadecimal, when the recipe gives one.
        md5: Option<String>,
    },
    /// A file or folder of this machine, relative to the recipe's folder.
    Path(String),
    /// A git repository.
    Git {
        /// Its address.
        url: String,
        /// The revision that is asked for.
        rev: String,
        /// Whether that is one commit for ever, and not a branch or a tag, which move.
        fixed: bool,
    },
}
