//! What a manifest says, as it was written: nothing is resolved, completed or sorted.

use std::ops::Range;

/// A value and the bytes of the file that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands in the file, in bytes; a string's quotes are inside.
    pub span: Range<usize>,
}

/// A whole project.toml. The lists are in the order written.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// `[project]`.
    pub project: Project,
    /// `[host]`, when it is there.
    pub host: Option<Host>,
    /// `[matrix]`; empty when it is not there.
    pub matrix: Matrix,
    /// Each `[recipes.NAME]`.
    pub recipes: Vec<Recipe>,
    /// Each `[environments.NAME]`.
    pub environments: Vec<Environment>,
    /// Each `[targets.NAME]`.
    pub targets: Vec<Target>,
}

/// `[project]`: what the whole is called and where packages come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// The project's name.
    pub name: Spanned<String>,
    /// Channels that are searched after the project's own, in this order: names, URLs or relative paths.
    pub channels: Vec<Spanned<String>>,
    /// Platforms (conda subdirs) to build for; each is known to rattler and none is `noarch`.
    pub platforms: Vec<Spanned<String>>,
}

/// `[host]`: what the machine provides from outside conda.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// The word `host` in the table's header.
    pub span: Range<usize>,
    /// First part of the build string of every host-bound package; at most 40 characters of `[A-Za-z0-9_.+]`.
    pub label: Option<Spanned<String>>,
    /// Globs of run paths that may stay in a binary.
    pub rpaths: Vec<Spanned<String>>,
    /// Globs of libraries that the host is trusted to provide.
    pub libraries: Vec<Spanned<String>>,
    /// Files that are sourced before `module` is used, as written.
    pub init: Vec<Spanned<String>>,
    /// Modules that are loaded for every host-bound build, in this order.
    pub modules: Vec<Spanned<String>>,
    /// Key `rpath-kind`: which tag run paths get.
    pub rpath_kind: Option<Spanned<RpathKind>>,
    /// Each `[host.facts.NAME]`.
    pub facts: Vec<Fact>,
    /// Each `[host.externals.NAME]`.
    pub externals: Vec<External>,
}

/// Which tag of an ELF file holds its run paths; see ld.so(8).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RpathKind {
    /// DT_RPATH, which is searched before LD_LIBRARY_PATH.
    #[default]
    Rpath,
    /// DT_RUNPATH, which LD_LIBRARY_PATH overrides.
    Runpath,
}

/// `[host.facts.NAME]`: something about the host that is found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// The name in the table's header.
    pub name: Spanned<String>,
    /// What bash runs; its output tells the version.
    pub command: Option<Spanned<String>>,
    /// A regular expression whose first group, or all of it where it has none, is the version.
    pub pattern: Option<Spanned<String>>,
    /// Key `virtual-package`: what the solver calls it; there is a command then.
    pub virtual_package: Option<Spanned<String>>,
    /// Files that belong to it, as written.
    pub files: Vec<Spanned<String>>,
}

/// `[host.externals.NAME]`: a package that stands for what the host provides.
#[derive(Debug, Clone, PartialEq)]
pub struct External {
    /// The package's name.
    pub name: Spanned<String>,
    /// Its version.
    pub version: ExternalVersion,
}

/// Where the version of an external package comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum ExternalVersion {
    /// `version = "4.0.2"`.
    Written(Spanned<String>),
    /// `version = { fact = "cray-mpich" }`: a declared fact that has a command.
    Fact(Spanned<String>),
}

/// `modules` of a recipe: what is different from `[host] modules` for its builds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Modules {
    /// Loaded after those of the host, in this order.
    pub load: Vec<Spanned<String>>,
    /// Unloaded before that.
    pub unload: Vec<Spanned<String>>,
}

/// `[matrix]`: the axes, and which of their combinations are wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matrix {
    /// The axes; each has at least one value and none twice.
    pub axes: Vec<Axis>,
    /// Groups of axes that advance together; their lengths are equal and no axis is in two.
    pub zip: Vec<Zip>,
    /// Combinations that are left out.
    pub exclude: Vec<Exclude>,
}

/// One axis of the matrix, a variant key of rattler-build.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Its name.
    pub name: Spanned<String>,
    /// Its values.
    pub values: Vec<Spanned<String>>,
}

/// One group of axes that advance together.
#[derive(Debug, Clone, PartialEq)]
pub struct Zip {
    /// The inner list.
    pub span: Range<usize>,
    /// Names of declared axes, two or more.
    pub axes: Vec<Spanned<String>>,
}

/// One combination that is left out: every cell that has all of these values.
#[derive(Debug, Clone, PartialEq)]
pub struct Exclude {
    /// The inline table.
    pub span: Range<usize>,
    /// Axis and value, at least one pair.
    pub values: Vec<(Spanned<String>, Spanned<String>)>,
}

/// `[recipes.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// The name in the table's header.
    pub name: Spanned<String>,
    /// The recipe folder, as written.
    pub path: Spanned<String>,
    /// Key `host-bound`: whether the packages are bound to the host, when the manifest says so.
    pub host_bound: Option<Spanned<bool>>,
    /// Key `resources`: what one build needs of the machine.
    pub resources: Option<Resources>,
    /// Key `modules`: which modules its builds load and unload.
    pub modules: Modules,
    /// `[recipes.NAME.activation]`, when it is there.
    pub activation: Option<Activation>,
}

/// `[recipes.NAME.activation]`: what happens to variables on activation. No variable is in it twice, and each name is one.
/// `$CONDA_PREFIX` in a value stands for the environment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Activation {
    /// Variables and the values that they get.
    pub set: Vec<(Spanned<String>, Spanned<String>)>,
    /// Variables that must not be there.
    pub unset: Vec<Spanned<String>>,
    /// Variables that list folders, with those that come first, none with a colon.
    pub prepend: Vec<(Spanned<String>, Vec<Spanned<String>>)>,
    /// Variables that list folders, with those that come last, none with a colon.
    pub append: Vec<(Spanned<String>, Vec<Spanned<String>>)>,
}

/// `resources` of a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resources {
    /// The table in braces, or its header.
    pub span: Range<usize>,
    /// Processors, at least 1.
    pub cpus: Option<Spanned<u32>>,
    /// Memory in bytes, at least 1.
    pub memory: Option<Spanned<u64>>,
}

/// `[environments.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// The name in the table's header.
    pub name: Spanned<String>,
    /// Axes that the environment multiplies over; each is declared.
    pub matrix: Vec<Spanned<String>>,
    /// Paths of conda environment files that are merged in, as written.
    pub from: Vec<Spanned<String>>,
    /// MatchSpecs with `${{ axis }}` templates for axes in `matrix`.
    pub dependencies: Vec<Spanned<String>>,
    /// Name of a declared target.
    pub target: Option<Spanned<String>>,
    /// Path of the test script, as written.
    pub test: Option<Spanned<String>>,
    /// Formats to pack into, or nothing when the manifest leaves it to the default.
    pub pack: Option<Vec<Spanned<String>>>,
    /// Key `dest-prefix`: the absolute path for which archives are made, if they are made for one.
    pub dest_prefix: Option<Spanned<String>>,
}

/// `[targets.NAME]`: where an environment must run.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The name in the table's header.
    pub name: Spanned<String>,
    /// A platform (conda subdir).
    pub platform: Option<Spanned<String>>,
    /// Key `virtual-packages`: names that start with `__`, and their versions.
    pub virtual_packages: Vec<(Spanned<String>, Spanned<String>)>,
    /// Globs of libraries that it has, or that nobody will miss there.
    pub libraries: Vec<Spanned<String>>,
    /// Kinds of symbols such as `GLIBCXX`, and the newest version that its libraries have.
    pub symbols: Vec<(Spanned<String>, Spanned<String>)>,
}
