//! The command line. Doc comments here are the help texts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{pack_args::PackArgs, values};

/// Builds conda environments the way make builds programs: only what is out of date.
#[derive(Debug, Parser)]
#[command(
    name = "envbuild",
    version,
    about,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub(super) struct Global {
    /// Work in DIR instead of the current folder; project.toml is looked for there and above
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true, display_order = 1000)]
    pub(super) directory: Option<PathBuf>,
    /// Say only what went wrong
    #[arg(short, long, global = true, display_order = 1001)]
    pub(super) quiet: bool,
    /// Say more: name the nodes that are fresh, and everything where else only a few are named
    #[arg(short, long, global = true, display_order = 1002)]
    pub(super) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Do everything that is out of date: packages, locks, prefixes, tests, archives
    All(RunArgs),
    /// Build packages: all, or those of the named recipes with the local packages they need
    Build(BuildArgs),
    /// Solve environments into envbuild.lock, those that packages are built in too
    Lock(LockArgs),
    /// Make the prefixes of environments
    Install(RunArgs),
    /// Run the environments' test scripts
    Test(RunArgs),
    /// Pack environments into dist/, or a conda prefix that lies anywhere into a file
    Pack(PackArgs),
    /// Unpack an archive of `envbuild pack` and fix its prefix, in one pass
    Unpack(UnpackArgs),
    /// Compare the host's libraries, or with --target all that files need, to what a machine has
    Check(CheckArgs),
    /// Show what a run would do and why, without doing it
    Plan(PlanArgs),
    /// Show which inputs of a node changed since it was last done: old value, new value
    Why(WhyArgs),
    /// Show what the host provides, where it was found, and what a change of it makes stale
    Host(HostArgs),
    /// Show what is done, stale or failed, and how much room it takes
    Status(StatusArgs),
    /// Run a command in an activated environment
    Run(ExecArgs),
    /// List the packages of an environment
    List(ListArgs),
    /// Write what an environment holds in the formats of other programs
    Export(ExportArgs),
    /// Save a conda prefix in a folder that can bring it back, and try that
    Backup(BackupArgs),
    /// Bring a backed-up prefix back, in the best way that this machine allows
    Restore(RestoreArgs),
    /// Copy a prefix to another place of this machine
    Clone(CloneArgs),
    /// Delete what can be made again
    Clean(CleanArgs),
    /// Delete what nothing refers to any more: the manifest, envbuild.lock, the channel's index
    Gc(GcArgs),
    /// Build one package for a coordinator
    #[command(hide = true)]
    Worker(WorkerArgs),
}

/// Goals, and how to reach them.
#[derive(Debug, Clone, Args)]
pub(super) struct RunArgs {
    /// What to reach (default: all): recipes or packages for `build` and `all`, environments for all but `build`, or
    /// nodes as `plan` names them; VAR=VALUE replaces the values of an axis
    #[arg(value_name = "NAME|VAR=VALUE")]
    pub(super) words: Vec<String>,
    #[command(flatten)]
    pub(super) how: How,
    /// Print a report on standard output at the end
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct BuildArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// Then build what was named a second time, aside, and name every file that differs
    #[arg(long)]
    pub(super) check: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct LockArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// Move what is locked to the newest that satisfies, for the named environments and recipes or for all, and print
    /// what moved
    #[arg(long, conflicts_with = "locked")]
    pub(super) update: bool,
}

/// How to run.
#[derive(Debug, Clone, Args)]
pub(super) struct How {
    /// Run N jobs at once (default: one for each processor)
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) jobs: Option<u32>,
    /// After a failure, go on with everything that does not need what failed
    #[arg(short, long)]
    pub(super) keep_going: bool,
    /// Use no network: only file:// channels, and what was fetched before
    #[arg(long)]
    pub(super) offline: bool,
    /// Fail when envbuild.lock would have to change
    #[arg(long)]
    pub(super) locked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PlanFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// For Graphviz
    Dot,
    /// A picture
    Svg,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// An environment of the project, the prefix of one anywhere, or an archive of `envbuild pack`
    #[arg(value_name = "ENV|PREFIX|ARCHIVE")]
    pub(super) what: PathBuf,
    /// Look at every executable and library, and hold what they need against this machine: a target of project.toml,
    /// what it has, as `__glibc=2.17,__cuda=12.3`, or `this-machine`
    #[arg(long, value_name = "NAME|VIRTUAL=VERSION")]
    pub(super) target: Option<String>,
    /// Look for builds that would fit in no channel that needs the network
    #[arg(long, requires = "target")]
    pub(super) offline: bool,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// Recipes, environments or nodes (default: all), and VAR=VALUE to replace the values of an axis
    #[arg(value_name = "NAME|VAR=VALUE")]
    pub(super) words: Vec<String>,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: PlanFormat,
}

#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// The node, as `envbuild plan` names it; VAR=VALUE replaces the values of an axis
    #[arg(value_name = "NODE|VAR=VALUE", required = true)]
    pub(super) words: Vec<String>,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct HostArgs {
    /// Keep what was found in FILE, for `--against` on another day
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// Show what is stale if everything was built on the host of FILE, which `--save` wrote; without it, what is stale
    /// since it was built
    #[arg(long, value_name = "FILE")]
    pub(super) against: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The environment
    #[arg(value_name = "ENV")]
    pub(super) environment: String,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// An environment of the lock, the prefix of any conda environment, or an archive of `envbuild pack`
    #[arg(value_name = "ENV|PREFIX|ARCHIVE")]
    pub(super) what: PathBuf,
    /// How to write it
    #[arg(long, value_enum, default_value = "environment")]
    pub(super) format: ExportFormat,
    /// Write FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    /// What `conda list` prints
    List,
    /// URLs with hashes, for `conda create --file`
    Explicit,
    /// environment.yml with build strings
    Environment,
    /// environment.yml without build strings
    EnvironmentNoBuilds,
    /// conda-lock.yml
    CondaLock,
    /// pixi.lock
    Pixi,
    /// CycloneDX 1.6 in JSON
    Sbom,
}

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The prefix: any conda environment
    #[arg(short, long, value_name = "PREFIX")]
    pub(super) prefix: PathBuf,
    /// The folder to write: it does not exist yet, or is empty
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: PathBuf,
    /// Run SCRIPT in the environment that the drill makes; bash runs what has no `#!` line
    #[arg(long, value_name = "SCRIPT")]
    pub(super) test: Option<PathBuf>,
    /// Leave out packages that are installed in editable mode
    #[arg(long, conflicts_with = "include_editable")]
    pub(super) ignore_editable: bool,
    /// Put the sources of such packages where an ordinary install would put them
    #[arg(long)]
    pub(super) include_editable: bool,
    /// Use N threads (default: one for each processor)
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) jobs: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The folder that `envbuild backup` wrote
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// Where to: a folder that does not exist yet, or is empty
    #[arg(short, long, value_name = "PREFIX", value_parser = values::new_prefix())]
    pub(super) prefix: PathBuf,
    /// Try this way only (default: the first that this machine allows, in this order)
    #[arg(long, value_enum)]
    pub(super) by: Option<RestoreBy>,
    /// Use no network: only file:// channels, and what was fetched before
    #[arg(long)]
    pub(super) offline: bool,
    /// Use N threads (default: one for each processor)
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) jobs: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RestoreBy {
    /// The archive: the same files
    Pack,
    /// The same packages, from their channels
    Explicit,
    /// A new solve of environment.yml
    Environment,
}

#[derive(Debug, Args)]
pub(super) struct CloneArgs {
    /// The prefix of any conda environment, or an environment of the project
    #[arg(value_name = "ENV|PREFIX")]
    pub(super) what: PathBuf,
    /// Where to: a folder that does not exist yet, or is empty
    #[arg(short, long, value_name = "PREFIX", value_parser = values::new_prefix())]
    pub(super) prefix: PathBuf,
    /// Share nothing: give each file bytes of its own
    #[arg(long)]
    pub(super) copy: bool,
    /// Use N threads (default: one for each processor)
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) jobs: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct ExecArgs {
    /// The environment; it is brought up to date first
    #[arg(value_name = "ENV")]
    pub(super) environment: String,
    #[command(flatten)]
    pub(super) how: How,
    /// The command and its arguments
    #[arg(value_name = "CMD", last = true, required = true)]
    pub(super) command: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true).args(["archive", "relocate", "verify"]),
    override_usage = "envbuild unpack [OPTIONS] <ARCHIVE> --prefix <PREFIX>\n       \
                      envbuild unpack [OPTIONS] --relocate <PREFIX>\n       \
                      envbuild unpack [OPTIONS] --verify <PREFIX>"
)]
pub(super) struct UnpackArgs {
    /// The archive, whatever its name ends in: a file or folder of `envbuild pack`, a bundle, the first of several parts, or
    /// an update for the environment that is there
    #[arg(value_name = "ARCHIVE", requires = "prefix")]
    pub(super) archive: Option<PathBuf>,
    /// Where to: a folder that does not exist yet, or is empty; for an update, the environment
    #[arg(short, long, value_name = "PREFIX", requires = "archive", value_parser = values::new_prefix())]
    pub(super) prefix: Option<PathBuf>,
    /// Unpack an environment that is for another platform or a newer glibc
    #[arg(long, requires = "archive")]
    pub(super) ignore_platform: bool,
    /// Write into the files of an environment that was unpacked, moved or copied where it lies now
    #[arg(long, value_name = "PREFIX")]
    pub(super) relocate: Option<PathBuf>,
    /// Compare an environment that was unpacked with the digests that came with it
    #[arg(long, value_name = "PREFIX")]
    pub(super) verify: Option<PathBuf>,
    /// Write N files at once (default: one for each processor)
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) jobs: Option<u32>,
    /// How to say what was done or found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// What to delete; everything, when nothing is named.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct CleanArgs {
    /// Delete the packages in output/
    #[arg(long)]
    pub(super) packages: bool,
    /// Delete the prefixes
    #[arg(long)]
    pub(super) environments: bool,
    /// Delete the archives in dist/
    #[arg(long)]
    pub(super) packs: bool,
    /// Delete the rest of .envbuild/: records, logs, fetched sources
    #[arg(long)]
    pub(super) state: bool,
    /// Only say what would be deleted
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct GcArgs {
    /// Only say what would be deleted
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// The job file
    #[arg(long)]
    pub(super) job: PathBuf,
    /// The process that takes in what the build leaves; without it, this is that process
    #[arg(long)]
    pub(super) guard: Option<i32>,
}
