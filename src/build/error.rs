//! Why a package could not be built.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::{
    activation::LintError,
    base::{FsError, LockError, with_causes},
    conda::CondaError,
    ledger::LedgerError,
    recipe::RecipeError,
};

/// A build that failed.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum BuildError {
    /// The recipe cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Recipe(#[from] RecipeError),
    /// Rendered with the job's axes, the recipe has no such output.
    #[error("the recipe `{}` has no output `{output}` for this variant", recipe.display())]
    #[diagnostic(code(envbuild::build::no_output), help("its outputs are: {there}"))]
    NoOutput {
        /// The recipe.
        recipe: PathBuf,
        /// The output that was asked for.
        output: String,
        /// The outputs that there are.
        there: String,
    },
    /// A value of the job cannot be understood.
    #[error("the {what} `{value}` cannot be used: {reason}")]
    #[diagnostic(code(envbuild::build::invalid))]
    Invalid {
        /// What the value is.
        what: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The host prefix, which is padded to a fixed length, does not fit.
    #[error("the build folder `{}` is too long a path: {length} characters, at most {limit} fit", path.display())]
    #[diagnostic(
        code(envbuild::build::path_too_long),
        help("choose a shorter scratch folder: the host prefix below it is padded to 255 characters")
    )]
    PathTooLong {
        /// The build folder.
        path: PathBuf,
        /// Its length.
        length: usize,
        /// The longest that works.
        limit: usize,
    },
    /// Another build of the same cell held the folder for too long.
    #[error(transparent)]
    #[diagnostic(code(envbuild::build::locked))]
    Locked(#[from] LockError),
    /// What an earlier build left cannot be removed.
    #[error("an earlier build left a folder that is in the way: {source}")]
    #[diagnostic(
        code(envbuild::build::stale),
        help("it may belong to another user: have it removed, or choose another scratch folder")
    )]
    Stale {
        /// Why it cannot be removed.
        source: FsError,
    },
    /// The recipe names a source that nobody fetched.
    #[error("the source `{url}` of `{package}` was not fetched before the build")]
    #[diagnostic(code(envbuild::build::source_missing))]
    SourceMissing {
        /// The package.
        package: String,
        /// The source's first URL.
        url: String,
    },
    /// A source could not be laid out or patched.
    #[error("the sources of `{package}` could not be prepared: {reason}")]
    #[diagnostic(code(envbuild::build::source))]
    Source {
        /// The package.
        package: String,
        /// What the library says.
        reason: String,
    },
    /// The package holds a file where envbuild keeps its list of the host's libraries.
    #[error("`{package}` packages `{path}`, which envbuild writes itself")]
    #[diagnostic(
        code(envbuild::build::own_ledger),
        help(
            "share/envbuild/host holds one file for each package, with the libraries of the host that it needs: install the file elsewhere"
        )
    )]
    OwnLedger {
        /// The package.
        package: String,
        /// The file, relative to the prefix.
        path: String,
    },
    /// The build and host environments cannot be solved.
    #[error("the build and host environments of `{package}` cannot be resolved: {reason}")]
    #[diagnostic(code(envbuild::build::unsolvable))]
    Unsolvable {
        /// The package.
        package: String,
        /// What the solver says.
        reason: String,
    },
    /// The build and host environments were solved but not installed.
    #[error("the build and host environments of `{package}` cannot be installed: {reason}")]
    #[diagnostic(code(envbuild::build::install))]
    Install {
        /// The package.
        package: String,
        /// What the installer says.
        reason: String,
    },
    /// The staging output that the package inherits from failed.
    #[error("the staging output that `{package}` inherits from could not be built: {reason}")]
    #[diagnostic(code(envbuild::build::staging), help("the work folder was kept: {}", folder.display()))]
    Staging {
        /// The package.
        package: String,
        /// What the library says.
        reason: String,
        /// The folder that was kept.
        folder: PathBuf,
    },
    /// The build script ended with a status other than 0.
    #[error("the build script of `{package}` failed with exit status {status}")]
    #[diagnostic(code(envbuild::build::script), help("the work folder was kept: {}", folder.display()))]
    Script {
        /// The package.
        package: String,
        /// The script's exit status.
        status: i32,
        /// The folder that was kept.
        folder: PathBuf,
    },
    /// The build script could not be run at all.
    #[error("the build script of `{package}` could not be run: {reason}")]
    #[diagnostic(code(envbuild::build::interpreter))]
    Interpreter {
        /// The package.
        package: String,
        /// What the library says.
        reason: String,
    },
    /// The script worked, and what it made cannot be packaged.
    #[error("what the script of `{package}` made cannot be packaged: {reason}")]
    #[diagnostic(code(envbuild::build::package), help("the work folder was kept: {}", folder.display()))]
    Package {
        /// The package.
        package: String,
        /// What the library says.
        reason: String,
        /// The folder that was kept.
        folder: PathBuf,
    },
    /// The recipe installs a script that is made of its settings.
    #[error("the script of `{package}` installs `{file}`, which is made of the recipe's `activation`")]
    #[diagnostic(
        code(envbuild::build::two_activations),
        help("keep one of the two: remove the file from what the recipe installs, or `activation` from project.toml")
    )]
    TwoActivations {
        /// The package.
        package: String,
        /// The file, relative to the prefix.
        file: String,
    },
    /// What the package does to a shell on activation does harm.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Activation(#[from] LintError),
    /// It needs libraries that it may not need.
    #[error("`{package}` is linked with what it neither requires nor may take from the host:\n  {}", offenders.join("\n  "))]
    #[diagnostic(
        code(envbuild::build::overlinking),
        help(
            "require the package that provides a library in `requirements: run`, or allow the host's by `[host] libraries`; \
             the work folder was kept: {}",
            folder.display()
        )
    )]
    Overlinking {
        /// The package.
        package: String,
        /// A library each, why not, and the files that need it.
        offenders: Vec<String>,
        /// The folder that was kept.
        folder: PathBuf,
    },
    /// A library of the host was found and cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Ledger(#[from] LedgerError),
    /// The archive that the library made cannot be given its final name.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Seal(#[from] CondaError),
    /// A test of the recipe failed.
    #[error("{test} of `{package}` failed: {reason}")]
    #[diagnostic(
        code(envbuild::build::test),
        help("the package is not handed on; what was tested was kept: {}", folder.display())
    )]
    Test {
        /// The package.
        package: String,
        /// Which test, as in `test 1 of 2 (commands)`.
        test: String,
        /// What the library says.
        reason: String,
        /// The folder that was kept.
        folder: PathBuf,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    #[diagnostic(code(envbuild::build::file), forward(0))]
    File(#[from] FsError),
}

/// A report of the library with its causes and its help, as one text.
pub(super) fn report_text(report: &miette::Report) -> String {
    let error: &(dyn std::error::Error + 'static) = report.as_ref();
    match report.help() {
        Some(help) => format!("{} ({help})", with_causes(error)),
        None => with_causes(error),
    }
}
