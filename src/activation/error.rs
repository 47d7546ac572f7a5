//! What is wrong with activation scripts.

use miette::Diagnostic;

use crate::base::FsError;

/// The scripts of a package cannot stay as they are, or could not be tried.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum LintError {
    /// They do harm to a shell.
    #[error("the activation scripts of `{package}` do harm in {}", count(problems))]
    #[diagnostic(code(envbuild::activation::harm))]
    Harm {
        /// The package.
        package: String,
        /// Everything that was found.
        #[related]
        problems: Vec<Problem>,
    },
    /// bash did not start.
    #[error("the activation scripts could not be tried: bash does not start: {reason}")]
    #[diagnostic(code(envbuild::activation::no_bash), help("install bash: activation scripts are sourced by it"))]
    NoBash {
        /// What the system says.
        reason: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    #[diagnostic(code(envbuild::activation::file), forward(0))]
    File(#[from] FsError),
}

/// One thing that is wrong. `script` is the path below the prefix; `when` tells what was there before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Diagnostic)]
#[expect(missing_docs, reason = "each field stands in the message above it")]
pub enum Problem {
    /// Something is not as it was after activation and deactivation.
    #[error("`{script}` leaves {what} behind{when}: before {before}, after {after}")]
    #[diagnostic(code(envbuild::activation::leak), help("{help}"))]
    Leak { script: String, what: String, when: &'static str, before: String, after: String, help: String },
    /// The mask of devices that the scheduler gave is not as it was.
    #[error("`{script}` changes `CUDA_VISIBLE_DEVICES`{when}: before {before}, while active {active}")]
    #[diagnostic(
        code(envbuild::activation::devices),
        help("remove it: the variable holds the devices that a job was given, and a package does not know them")
    )]
    Devices { script: String, when: &'static str, before: String, active: String },
    /// A value names a place that exists while the package is built, and nowhere else.
    #[error("`{script}` bakes a place of the build into `{variable}`: {value} is {place}")]
    #[diagnostic(
        code(envbuild::activation::baked),
        help(
            "let the script name what it needs by `$CONDA_PREFIX`, or leave the variable to modules and run paths: \
             what is written down while a package is built is wrong on the next machine"
        )
    )]
    Baked { script: String, variable: String, value: String, place: &'static str },
    /// A script ends with another status than 0.
    #[error("`{script}` fails with status {status}{when}{said}")]
    #[diagnostic(
        code(envbuild::activation::failed),
        help("let its last command succeed: under `set -e`, a script that fails ends the shell of whoever activates")
    )]
    Failed { script: String, status: i32, when: &'static str, said: String },
    /// A script ends the shell that sources it.
    #[error("`{script}` ends the shell that sources it{when}{said}")]
    #[diagnostic(
        code(envbuild::activation::ends),
        help("use neither `exit` nor `exec`: what follows in the shell of whoever activates would not run")
    )]
    Ends { script: String, when: &'static str, said: String },
    /// A script does not come to its end.
    #[error("`{script}` is not done after {seconds} seconds{when}")]
    #[diagnostic(
        code(envbuild::activation::hangs),
        help("activation has to take no time: let it wait for nothing, and read nothing from the terminal")
    )]
    Hangs { script: String, seconds: u64, when: &'static str },
    /// A process outlives the scripts.
    #[error("the scripts leave a process running{when}")]
    #[diagnostic(
        code(envbuild::activation::process),
        help("start nothing in the background on activation, or end it in `etc/conda/deactivate.d`")
    )]
    Process { when: &'static str },
}

impl Problem {
    /// What it is about: two problems with the same subject are one, seen twice.
    pub(super) fn subject(&self) -> (u8, &str, &str) {
        match self {
            Self::Leak { script, what, .. } => (0, script, what),
            Self::Devices { script, .. } => (1, script, ""),
            Self::Baked { script, value, .. } => (2, script, value),
            Self::Failed { script, .. } => (3, script, ""),
            Self::Ends { script, .. } => (4, script, ""),
            Self::Hangs { script, .. } => (5, script, ""),
            Self::Process { .. } => (6, "", ""),
        }
    }
}

fn count(problems: &[Problem]) -> String {
    match problems.len() {
        1 => "one way".to_owned(),
        more => format!("{more} ways"),
    }
}
