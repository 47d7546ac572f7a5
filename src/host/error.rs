//! What keeps the host from being known.

use std::io;

use miette::{Diagnostic, NamedSource, SourceSpan};

use crate::base::FsError;

/// Everything that is wrong with the host, drawn in the manifest.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
#[error("this host is not as the project says ({} problem{})", .problems.len(), if .problems.len() == 1 { "" } else { "s" })]
#[diagnostic(code(envbuild::host))]
pub struct HostErrors {
    #[source_code]
    manifest: NamedSource<String>,
    #[related]
    problems: Vec<HostError>,
}

impl HostErrors {
    /// Binds problems to the text that their places point into. One that several module sets have is told once.
    pub fn new(name: &str, text: &str, problems: Vec<HostError>) -> Self {
        let mut once: Vec<HostError> = Vec::new();
        for problem in problems {
            if !once.iter().any(|it| it.same(&problem)) {
                once.push(problem);
            }
        }
        Self { manifest: NamedSource::new(name, text.to_owned()).with_language("TOML"), problems: once }
    }

    /// The problems.
    pub fn problems(&self) -> &[HostError] {
        &self.problems
    }

    /// Whether the run was stopped while the host was looked at.
    pub fn is_cancelled(&self) -> bool {
        self.problems.iter().any(|it| matches!(it, HostError::Cancelled))
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
#[expect(missing_docs, reason = "the fields are those that the sentence names; `said` is what a program printed")]
pub enum HostError {
    /// A file that is to be sourced is not there.
    #[error("the file `{file}` is not there")]
    #[diagnostic(
        code(envbuild::host::no_init),
        help("`init` names files that define `module`, such as /etc/profile.d/modules.sh; is this the right machine?")
    )]
    NoInit {
        file: String,
        #[label("sourced before modules are loaded")]
        at: SourceSpan,
    },
    /// A file that is sourced returned an error.
    #[error("sourcing `{file}` failed{}", quoted(said))]
    #[diagnostic(
        code(envbuild::host::init),
        help(
            "it is sourced by bash in an empty environment, and its last command has to succeed; where that means \
             nothing, name a file of your own that sources it and ends with `true`"
        )
    )]
    Init {
        file: String,
        said: String,
        #[label("sourced here")]
        at: Option<SourceSpan>,
    },
    /// There is no module command.
    #[error("there is no `module` command on this machine")]
    #[diagnostic(
        code(envbuild::host::no_modules),
        help("name the file that defines it: `init = [\"/etc/profile.d/modules.sh\"]` in [host]")
    )]
    NoModules {
        #[label("to be loaded or unloaded")]
        at: SourceSpan,
    },
    /// A module that cannot be loaded.
    #[error("the module `{module}` cannot be loaded{}", quoted(said))]
    #[diagnostic(code(envbuild::host::module), help("`module avail` lists what this machine has"))]
    Module {
        module: String,
        said: String,
        #[label("the module system does not load this")]
        at: SourceSpan,
    },
    /// A module that is to be unloaded and is not there.
    #[error("the module `{module}` is not loaded, so it cannot be unloaded")]
    #[diagnostic(code(envbuild::host::not_loaded), help("loaded are: {loaded}"))]
    NotLoaded {
        module: String,
        loaded: String,
        #[label("nothing to unload")]
        at: SourceSpan,
    },
    /// The shell ended before its time.
    #[error("the shell that loads modules ended{what} with {status}{}", quoted(said))]
    #[diagnostic(code(envbuild::host::ended), help("a file or a module that it reads calls `exit`"))]
    Ended {
        what: String,
        status: String,
        said: String,
        #[label("ended the shell")]
        at: Option<SourceSpan>,
    },
    /// Something took too long.
    #[error("{what} has not ended after {seconds} seconds")]
    #[diagnostic(code(envbuild::host::slow), help("it may wait for an answer, or for a file system"))]
    Slow {
        what: String,
        seconds: u64,
        #[label("not ended")]
        at: Option<SourceSpan>,
    },
    /// The command of a fact failed.
    #[error("the fact `{fact}`: its command ended with {status}{}", quoted(said))]
    #[diagnostic(
        code(envbuild::host::fact_command),
        help("the command runs in bash with the modules of [host] and nothing of your shell")
    )]
    FactCommand {
        fact: String,
        status: String,
        said: String,
        #[label("run here")]
        at: SourceSpan,
    },
    /// The pattern of a fact finds nothing.
    #[error("the fact `{fact}`: its pattern finds no version in what the command says{}", quoted(said))]
    #[diagnostic(
        code(envbuild::host::fact_pattern),
        help(
            "the first group of the pattern, or all of it, has to be a version; both outputs of the command are searched"
        )
    )]
    FactPattern {
        fact: String,
        said: String,
        #[label("finds no version")]
        at: SourceSpan,
    },
    /// The command of a fact without a pattern says something else.
    #[error("the fact `{fact}`: its command says no version{}", quoted(said))]
    #[diagnostic(
        code(envbuild::host::fact_version),
        help("without a `pattern`, the first line that the command prints has to be a version")
    )]
    FactVersion {
        fact: String,
        said: String,
        #[label("says no version")]
        at: SourceSpan,
    },
    /// A file of a fact.
    #[error("the fact `{fact}`: the file `{file}` {}", if *there { "is not a file" } else { "is not there" })]
    #[diagnostic(code(envbuild::host::fact_file), help("is this the right machine? Otherwise correct the path"))]
    FactFile {
        fact: String,
        file: String,
        there: bool,
        #[label("read here")]
        at: SourceSpan,
    },
    /// Bash could not be started.
    #[error("bash cannot be started: {source}")]
    #[diagnostic(code(envbuild::host::shell), help("/bin/bash is needed to ask the host about its modules"))]
    Shell {
        #[source]
        source: std::sync::Arc<io::Error>,
    },
    /// A file that cannot be read or written.
    #[error("{0}")]
    #[diagnostic(code(envbuild::host::file))]
    File(std::sync::Arc<FsError>),
    /// The run was stopped.
    #[error("stopped")]
    #[diagnostic(code(envbuild::host::stopped))]
    Cancelled,
}

impl HostError {
    /// Whether another one is the same sentence about the same place.
    fn same(&self, other: &Self) -> bool {
        let places = |it: &Self| it.labels().into_iter().flatten().map(|it| *it.inner()).collect::<Vec<_>>();
        self.to_string() == other.to_string() && places(self) == places(other)
    }

    /// Whether a fact is not there, which may be as it should where other modules are loaded.
    pub(super) fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::FactCommand { .. } | Self::FactPattern { .. } | Self::FactVersion { .. } | Self::FactFile { .. }
        )
    }
}

impl From<FsError> for HostError {
    fn from(error: FsError) -> Self {
        Self::File(std::sync::Arc::new(error))
    }
}

/// The most lines of another program's words that are shown.
const LINES: usize = 12;

/// What a program said, indented below the sentence.
fn quoted(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim_end).filter(|it| !it.is_empty()).take(LINES).collect();
    if lines.is_empty() { String::new() } else { format!(":\n  {}", lines.join("\n  ")) }
}
