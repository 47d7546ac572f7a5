//! Why a job did not end well.

use std::{fmt::Write as _, io, path::PathBuf};

use miette::Diagnostic;

use crate::{
    adopt::AdoptErrors,
    backup::BackupError,
    base::{self, FsError},
    build::BuildError,
    channel::ChannelError,
    conda::CondaError,
    export::ExportError,
    fetch::FetchError,
    fingerprint::FingerprintError,
    host::HostErrors,
    image::ImageError,
    install::InstallError,
    ledger::LedgerError,
    lock::LockError,
    needs::NeedsError,
    pack::PackError,
    solve::SolveError,
    store::StoreError,
    tree::TreeError,
    unpack::UnpackError,
};

/// A job that failed.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ExecError {
    /// A package build; its log says why.
    #[error("the build failed: {why}")]
    #[diagnostic(code(envbuild::exec::build))]
    Build {
        /// The worker's last word.
        why: String,
    },
    /// The host is not as the project says.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Host(HostErrors),
    /// An environment that does not run where it must.
    #[error("the target `{target}` lacks what `{environment}` needs:\n{}", list.trim_end())]
    #[diagnostic(
        code(envbuild::exec::target),
        help(
            "choose other builds; or say in [targets.{target}] what it has: `virtual-packages`, `libraries` that it has or \
             that nobody will miss there, and `symbols`"
        )
    )]
    Target {
        /// The environment.
        environment: String,
        /// The target.
        target: String,
        /// A line for everything that is missing.
        list: String,
    },
    /// A bundle of packages whose archives are gone.
    #[error("a bundle is made of the archives of packages, and these are gone:\n{}", .gone.join("\n"))]
    #[diagnostic(
        code(envbuild::exec::no_archives),
        help("bring their channel back, or pack into another format: for its files the package cache is enough")
    )]
    NoArchives {
        /// Where they should be.
        gone: Vec<String>,
    },
    /// A build that declares more memory than there is.
    #[error("the recipe declares {} of memory, and this machine has {}", gib(*wanted), gib(*there))]
    #[diagnostic(
        code(envbuild::exec::too_big),
        help("lower `memory` in the recipe's `resources` in project.toml, or build where there is more")
    )]
    TooBig {
        /// What is declared, in bytes.
        wanted: u64,
        /// What the machine has, in bytes.
        there: u64,
    },
    /// The build and host environments of a package; the log says why.
    #[error("{why}")]
    #[diagnostic(code(envbuild::exec::unresolved))]
    Unresolved {
        /// The worker's last word.
        why: String,
    },
    /// A git source that names no commit: what it gives today is not what it gives tomorrow.
    #[error("the git source `{url}` is at `{rev}`, which moves")]
    #[diagnostic(
        code(envbuild::exec::moving_source),
        help("name one commit by its 40 digits, as `rev`, or as `expected_commit` beside a tag")
    )]
    MovingSource {
        /// The repository.
        url: String,
        /// The revision.
        rev: String,
    },
    /// Somebody edited the recipe while it was built: nobody knows which text the package was made of.
    #[error("`{path}` changed while the package was being built")]
    #[diagnostic(code(envbuild::exec::changed), help("run again: the package is built from what is there now"))]
    Changed {
        /// The recipe's folder, or a source.
        path: String,
    },
    /// A package of the project's own channel holds other bytes than were built.
    #[error("somebody changed the package `{file}`: its sha256 is {found}, and {expected} was built")]
    #[diagnostic(code(envbuild::exec::altered), help("it was removed from the channel; run again to build it again"))]
    Altered {
        /// The archive, relative to the project.
        file: String,
        /// The sha256 that was recorded.
        expected: String,
        /// The sha256 of the file.
        found: String,
    },
    /// An environment's test script.
    #[error("the test script ended with {status}")]
    #[diagnostic(code(envbuild::exec::test))]
    Test {
        /// Exit status or signal.
        status: String,
    },
    /// `--locked`, and the lock file does not satisfy the manifest.
    #[error("the lock file does not satisfy the manifest, and --locked forbids to change it: {why}")]
    #[diagnostic(code(envbuild::exec::locked), help("run `envbuild lock` and commit envbuild.lock"))]
    Locked {
        /// What does not fit.
        why: String,
    },
    /// An environment is not in the lock file although it was just locked.
    #[error("`{environment}` is not in the lock file")]
    #[diagnostic(code(envbuild::exec::not_locked), help("run `envbuild lock`"))]
    NotLocked {
        /// The environment.
        environment: String,
    },
    /// A program could not be started.
    #[error("could not start `{program}`: {source}")]
    #[diagnostic(code(envbuild::exec::start))]
    Start {
        /// Its path.
        program: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A mistake in this program.
    #[error("envbuild made a mistake, which it told above")]
    #[diagnostic(code(envbuild::exec::panicked), help("report it with these words"))]
    Panicked,
    /// The worker ended without a word.
    #[error("the build process ended with {status} and left no result")]
    #[diagnostic(code(envbuild::exec::worker), help("was it killed, or did the machine run out of memory?"))]
    Worker {
        /// Exit status or signal.
        status: String,
    },
    /// A message between this program and its worker is not understood.
    #[error("`{}` is not what this version of envbuild writes: {why}", path.display())]
    #[diagnostic(code(envbuild::exec::protocol))]
    Protocol {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A package that was to be compared with a second build was not built a first time.
    #[error("`{node}` is not built, so there is nothing to compare with")]
    #[diagnostic(code(envbuild::exec::unbuilt), help("run `envbuild build`"))]
    Unbuilt {
        /// The node.
        node: String,
    },
    /// An archive that cannot be compared.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Conda(#[from] CondaError),
    /// The run was stopped.
    #[error("stopped")]
    #[diagnostic(code(envbuild::exec::cancelled))]
    Cancelled,
    /// A file.
    #[error(transparent)]
    #[diagnostic(code(envbuild::exec::file), forward(0))]
    File(#[from] FsError),
    /// The state folder.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// An input.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Fingerprint(#[from] FingerprintError),
    /// A source.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Fetch(#[from] FetchError),
    /// The builder.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Builder(#[from] BuildError),
    /// The local channel.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Channel(ChannelError),
    /// The solver.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Solve(#[from] SolveError),
    /// The lock file.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Lock(#[from] LockError),
    /// The installer.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Install(#[from] InstallError),
    /// A library of the host.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Ledger(#[from] LedgerError),
    /// What makes a tree of packages.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Image(#[from] ImageError),
    /// The packer.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pack(PackError),
    /// The files of a tree.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tree(#[from] TreeError),
    /// A prefix that is not ours.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Adopt(AdoptErrors),
    /// The unpacker.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Unpack(UnpackError),
    /// The lists of packages.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Export(#[from] ExportError),
    /// A backup.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Backup(BackupError),
    /// A machine that conda has no name for.
    #[error("conda has no name for this platform")]
    #[diagnostic(code(envbuild::exec::no_platform))]
    NoPlatform,
    /// A path that a prefix cannot have.
    #[error("`{}` holds {what}, which the files of an environment cannot have in their path", prefix.display())]
    #[diagnostic(code(envbuild::exec::prefix_character), help("choose another path"))]
    PrefixCharacter {
        /// The path.
        prefix: PathBuf,
        /// The character.
        what: &'static str,
    },
    /// A path that is too long for what is in the prefix.
    #[error("`{}` is {length} bytes long; this environment can live at a path of at most {limit}", prefix.display())]
    #[diagnostic(code(envbuild::exec::prefix_length), help("choose a shorter path"))]
    PrefixLength {
        /// The path.
        prefix: PathBuf,
        /// Its length.
        length: usize,
        /// The longest that would do.
        limit: usize,
    },
    /// A way of restoring that this machine does not allow.
    #[error("{}", .reasons.join("\n"))]
    #[diagnostic(code(envbuild::exec::hindered))]
    Hindered {
        /// Everything that is in its way.
        reasons: Vec<String>,
    },
    /// pip did not install what it had installed before.
    #[error("pip ended with {status}:\n{why}")]
    #[diagnostic(code(envbuild::exec::pip), help("pip.txt in the backup lists what it was to install"))]
    Pip {
        /// Exit status or signal.
        status: String,
        /// What it said.
        why: String,
    },
    /// An update would be written over what it builds on.
    #[error("the update would be written over `{}`, which it is made since, and be of no use then", .0.display())]
    #[diagnostic(code(envbuild::exec::since_itself), help("choose another name for the update with -o"))]
    SinceItself(PathBuf),
    /// A backup that no way brings back.
    #[error("`{}` cannot be restored here\n{}", folder.display(), .refused.iter().chain(.differences).map(String::as_str).collect::<Vec<_>>().join("\n"))]
    #[diagnostic(
        code(envbuild::exec::no_way),
        help(
            "restore it on a machine like the one that it was made on, or where its channels can be reached; without --by \
             every way is tried"
        )
    )]
    NoWay {
        /// The backup.
        folder: PathBuf,
        /// Why not each way.
        refused: Vec<String>,
        /// Where the systems differ.
        differences: Vec<String>,
    },
    /// What a tree needs.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Needs(#[from] NeedsError),
}

/// Bytes in the unit that manifests are written in.
fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

impl From<BackupError> for ExecError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Stopped => Self::Cancelled,
            other => Self::Backup(other),
        }
    }
}

impl From<PackError> for ExecError {
    fn from(error: PackError) -> Self {
        match error {
            PackError::Stopped => Self::Cancelled,
            other => Self::Pack(other),
        }
    }
}

impl From<AdoptErrors> for ExecError {
    fn from(errors: AdoptErrors) -> Self {
        if errors.is_stopped() { Self::Cancelled } else { Self::Adopt(errors) }
    }
}

impl From<UnpackError> for ExecError {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::Stopped => Self::Cancelled,
            other => Self::Unpack(other),
        }
    }
}

impl From<HostErrors> for ExecError {
    fn from(errors: HostErrors) -> Self {
        if errors.is_cancelled() { Self::Cancelled } else { Self::Host(errors) }
    }
}

impl From<ChannelError> for ExecError {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::Locked(base::LockError::Stopped(_)) => Self::Cancelled,
            other => Self::Channel(other),
        }
    }
}

/// An error as plain text: what happened, each problem of several, what to do.
pub fn tell(error: &dyn Diagnostic) -> String {
    let mut text = error.to_string();
    for problem in error.related().into_iter().flatten() {
        let _ = write!(text, "\n{}", tell(problem));
    }
    if let Some(help) = error.help() {
        let _ = write!(text, "\nhelp: {help}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{ExecError, PackError, UnpackError};

    #[test]
    fn what_was_stopped_is_no_failure_whichever_part_stopped() {
        assert!(matches!(ExecError::from(PackError::Stopped), ExecError::Cancelled));
        assert!(matches!(ExecError::from(UnpackError::Stopped), ExecError::Cancelled));
    }
}
