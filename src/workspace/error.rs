//! Problems that only show when the manifest is held against the files that it names.

use std::{ops::Range, path::PathBuf};

use miette::{Diagnostic, NamedSource, SourceSpan};

use super::OverrideError;
use crate::recipe::RecipeError;

/// Every problem of a project, in one report.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the project cannot be used as it stands ({} problem{})", .problems.len(), if .problems.len() == 1 { "" } else { "s" })]
#[diagnostic(code(envbuild::workspace))]
pub struct WorkspaceErrors {
    #[source_code]
    manifest: NamedSource<String>,
    #[related]
    problems: Vec<WorkspaceError>,
}

impl WorkspaceErrors {
    /// Binds the problems to the text that their places point into.
    pub(super) fn new(name: &str, text: &str, problems: Vec<WorkspaceError>) -> Self {
        Self { manifest: NamedSource::new(name, text.to_owned()).with_language("TOML"), problems }
    }

    /// Whether nothing is wrong but the `VAR=VALUE`s of the command line.
    pub fn only_overrides(&self) -> bool {
        self.problems.iter().all(|it| matches!(it, WorkspaceError::Override(_)))
    }

    /// The problems, in the order of the manifest.
    pub fn problems(&self) -> &[WorkspaceError] {
        &self.problems
    }
}

/// One problem of a project.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[expect(missing_docs, reason = "the fields are those that the sentence names")]
pub enum WorkspaceError {
    /// The recipe's folder is not there, or holds no recipe.
    #[error("recipe `{recipe}` points at `{path}`, where there is no recipe.yaml")]
    #[diagnostic(
        code(envbuild::workspace::no_recipe),
        help("`path` names the folder that holds the recipe.yaml, relative to project.toml")
    )]
    NoRecipe {
        recipe: String,
        path: String,
        #[label("no recipe.yaml there")]
        at: SourceSpan,
    },

    /// The recipe cannot be parsed or rendered.
    #[error("recipe `{recipe}` cannot be read")]
    #[diagnostic(code(envbuild::workspace::bad_recipe), help("{}", help_of(cause)))]
    BadRecipe {
        recipe: String,
        #[label("named here")]
        at: SourceSpan,
        #[source]
        #[diagnostic_source]
        cause: RecipeError,
    },

    /// The recipe reads a variable that nothing gives a value.
    #[error("recipe `{recipe}` reads the variable `{variable}`, which no axis of [matrix] declares")]
    #[diagnostic(code(envbuild::workspace::undeclared_variable))]
    UndeclaredVariable {
        recipe: String,
        variable: String,
        #[source_code]
        text: NamedSource<String>,
        #[label("read here")]
        at: SourceSpan,
        #[help]
        help: String,
    },

    /// A package that the host provides and that is built as well.
    #[error("`{name}` is declared as a package of the host, and the recipe `{recipe}` makes it")]
    #[diagnostic(
        code(envbuild::workspace::external_and_recipe),
        help("remove one of the two: an external package stands for what is not built here")
    )]
    ExternalAndRecipe {
        name: String,
        recipe: String,
        #[label("also made by a recipe")]
        at: SourceSpan,
    },

    /// Modules of a recipe that is not bound to the host.
    #[error("recipe `{recipe}` names modules, and no build of it loads them: {why}")]
    #[diagnostic(code(envbuild::workspace::modules_in_vain))]
    ModulesInVain {
        recipe: String,
        why: &'static str,
        #[help]
        help: &'static str,
        #[label("never loaded or unloaded")]
        at: SourceSpan,
    },

    /// A source without a host has an address that leads nowhere, or no hash.
    #[error("recipe `{recipe}`: the source `{url}` cannot be used: {why}")]
    #[diagnostic(code(envbuild::workspace::bad_source))]
    BadSource {
        recipe: String,
        url: String,
        why: String,
        #[source_code]
        text: NamedSource<String>,
        #[label("this source")]
        at: SourceSpan,
        #[help]
        help: String,
    },

    /// Nothing reads an axis.
    #[error("nothing uses the axis `{axis}`")]
    #[diagnostic(code(envbuild::workspace::unused_axis))]
    UnusedAxis {
        axis: String,
        #[label("no recipe reads it and no environment names it")]
        at: SourceSpan,
        #[help]
        help: String,
    },

    /// Two recipes make the same package.
    #[error("the package `{id}` is made by two recipes, `{first}` and `{second}`")]
    #[diagnostic(code(envbuild::workspace::duplicate_package), help("remove one, or give its package another name"))]
    DuplicatePackage {
        id: String,
        first: String,
        second: String,
        #[label("made here as well")]
        at: SourceSpan,
    },

    /// A recipe makes nothing on this platform and matrix.
    #[error("recipe `{recipe}` makes no package: every output is skipped or excluded")]
    #[diagnostic(
        code(envbuild::workspace::nothing_to_build),
        help("look at `skip` in its recipe.yaml and at `exclude` in [matrix], or remove the recipe")
    )]
    NothingToBuild {
        recipe: String,
        #[label("no package comes of it")]
        at: SourceSpan,
    },

    /// Two environment cells have one name.
    #[error("two environments are called `{name}`")]
    #[diagnostic(code(envbuild::workspace::duplicate_environment), help("rename one of them"))]
    DuplicateEnvironment {
        name: String,
        #[label("the second one comes from here")]
        at: SourceSpan,
    },

    /// A file that the manifest names is not there.
    #[error("the {what} `{path}` does not exist")]
    #[diagnostic(code(envbuild::workspace::missing_file), help("paths are relative to the folder of project.toml"))]
    MissingFile {
        what: &'static str,
        path: String,
        #[label("no such file")]
        at: SourceSpan,
    },

    /// A conda environment file cannot be used.
    #[error("the environment file `{path}` cannot be used: {why}")]
    #[diagnostic(
        code(envbuild::workspace::bad_environment_file),
        help("it must be a conda environment.yml whose `dependencies` are MatchSpecs")
    )]
    BadEnvironmentFile {
        path: String,
        why: String,
        #[label("named here")]
        at: SourceSpan,
    },

    /// The manifest does not count the machine's platform among its own.
    #[error("the project is for {wanted}, and this machine is `{machine}`")]
    #[diagnostic(
        code(envbuild::workspace::other_platform),
        help("packages are built for the platform that envbuild runs on; add `{machine}` or use another machine")
    )]
    OtherPlatform {
        wanted: String,
        machine: String,
        #[label("`{machine}` is not named here")]
        at: SourceSpan,
    },

    /// A target is another platform than the one that is built for.
    #[error("the target `{target}` is `{wanted}`, and this machine builds for `{machine}`")]
    #[diagnostic(
        code(envbuild::workspace::other_target),
        help("environments are solved, installed and tested on the platform that envbuild runs on")
    )]
    OtherTarget {
        target: String,
        wanted: String,
        machine: String,
        #[label("not `{machine}`")]
        at: SourceSpan,
    },

    /// A channel is neither a name, nor a URL, nor a path.
    #[error("the channel `{channel}` cannot be understood: {why}")]
    #[diagnostic(
        code(envbuild::workspace::bad_channel),
        help("a channel is a name (`conda-forge`), a URL, or a path that begins with `/`, `./` or `../`")
    )]
    BadChannel {
        channel: String,
        why: String,
        #[label("this channel")]
        at: Option<SourceSpan>,
    },

    /// A `VAR=VALUE` of the command line is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Override(#[from] OverrideError),
}

fn help_of(cause: &RecipeError) -> String {
    match cause {
        RecipeError::File(_) => "the file must be readable".to_owned(),
        _ => "the recipe must follow rattler-build's schema, version 1".to_owned(),
    }
}

/// A byte range as miette wants it.
pub(super) fn span(range: &Range<usize>) -> SourceSpan {
    SourceSpan::from(range.clone())
}

/// A path as it is shown to people: relative to the project where it lies inside it.
pub(super) fn shown(path: &std::path::Path, root: &std::path::Path) -> String {
    let shown: PathBuf = path.strip_prefix(root).unwrap_or(path).to_owned();
    shown.to_string_lossy().into_owned()
}
