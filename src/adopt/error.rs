//! What can go wrong while an environment is adopted: all of it at once.

use std::path::{Path, PathBuf};

use miette::Diagnostic;

use crate::{base::FsError, tree::TreeError};

/// Everything that keeps a prefix from being adopted.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{what} cannot be packed ({} problem{})", .problems.len(), plural(.problems.len()))]
#[diagnostic(code(envbuild::adopt))]
pub struct AdoptErrors {
    what: String,
    #[related]
    problems: Vec<AdoptError>,
}

/// What makes a word plural.
fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

impl AdoptErrors {
    /// Binds problems to the prefix that has them, or to an environment that is still to be made.
    pub(super) fn new(prefix: Option<&Path>, problems: Vec<AdoptError>) -> Self {
        let what = prefix.map_or_else(|| "the environment".to_owned(), |it| format!("`{}`", it.display()));
        Self { what, problems }
    }

    /// Whether it was stopped, and has nothing wrong as far as it came.
    pub fn is_stopped(&self) -> bool {
        self.problems.iter().any(|it| matches!(it, AdoptError::Stopped))
    }

    /// The problems, in the order of the files' names.
    pub fn problems(&self) -> &[AdoptError] {
        &self.problems
    }
}

/// One thing that keeps a prefix from being adopted.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum AdoptError {
    /// The folder is no conda prefix.
    #[error("`{}` is not a conda prefix: it holds no `conda-meta` folder", .0.display())]
    #[diagnostic(
        code(envbuild::adopt::not_a_prefix),
        help("name the folder that `CONDA_PREFIX` holds when it is active")
    )]
    NotAPrefix(PathBuf),
    /// A file of `conda-meta` is not what an installer writes.
    #[error("`{name}` is not a package's record: {reason}")]
    #[diagnostic(
        code(envbuild::adopt::record),
        help(
            "install the package again, or leave the record out with `--exclude '{name}'`: its files are packed as \
             files of no package then"
        )
    )]
    Record {
        /// The record's name in the prefix.
        name: String,
        /// What the JSON parser says.
        reason: String,
    },
    /// Something is neither a file, a folder nor a symbolic link.
    #[error("`{name}` is {what}, which no archive can hold")]
    #[diagnostic(
        code(envbuild::adopt::file_type),
        help("end the program that made it, or leave it out with `--exclude '{name}'`")
    )]
    FileType {
        /// Its name in the prefix.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// A package is imported from a folder outside of the prefix.
    #[error("`{name}` is installed in editable mode: Python imports it from {sources}, which stays behind")]
    #[diagnostic(
        code(envbuild::adopt::editable),
        help(
            "leave it out (`--ignore-editable`), put its sources into the archive (`--include-editable`), or build a \
             wheel and install that: `pip install --no-deps --force-reinstall FOLDER`"
        )
    )]
    Editable {
        /// The package.
        name: String,
        /// The folders from which it is imported, in backticks.
        sources: String,
    },
    /// An editable package whose modules are nowhere to be found.
    #[error("the sources of `{name}` cannot be put into the archive: {reason}")]
    #[diagnostic(
        code(envbuild::adopt::sources),
        help(
            "leave it out (`--ignore-editable`), or build a wheel and install that: `pip install --no-deps \
             --force-reinstall FOLDER`"
        )
    )]
    Sources {
        /// The package.
        name: String,
        /// Why not.
        reason: String,
    },
    /// A glob that is none.
    #[error("`{pattern}` is not a pattern: {reason}")]
    #[diagnostic(
        code(envbuild::adopt::pattern),
        help(
            "`*` stands for anything, `/` too, `?` for one character, `[ab]` for one of them, `{{a,b}}` for one of two \
             texts"
        )
    )]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody wrote to a file while it was read.
    #[error("`{}` changed while it was packed", .0.display())]
    #[diagnostic(code(envbuild::adopt::changed), help("nothing may run in the environment while it is packed"))]
    Changed(PathBuf),
    /// Somebody wants an end.
    #[error("stopped")]
    #[diagnostic(code(envbuild::adopt::stopped))]
    Stopped,
    /// A file or folder could not be read.
    #[error(transparent)]
    #[diagnostic(code(envbuild::adopt::file), help("make it readable, or leave it out with `--exclude`"))]
    File(#[from] FsError),
}

impl From<TreeError> for AdoptError {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::FileType { path, what } => Self::FileType { name: path.display().to_string(), what },
            TreeError::Changed(path) => Self::Changed(path),
            TreeError::File(error) => Self::File(error),
        }
    }
}
