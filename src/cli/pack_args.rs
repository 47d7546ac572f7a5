//! The options of `pack`. Doc comments here are the help texts.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::{args::RunArgs, patterns::Patterns, values};

#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("one").args(["prefix", "output", "since"]).multiple(true),
    override_usage = "envbuild pack [OPTIONS] [NAME|VAR=VALUE]...\n       \
                      envbuild pack [OPTIONS] <NAME> --output <FILE> | --since <OLD>\n       \
                      envbuild pack [OPTIONS] --prefix <PREFIX>"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct PackArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// Pack the conda environment in this folder, whoever made it, instead of environments of the project
    #[arg(short, long, value_name = "PREFIX", conflicts_with = "words")]
    pub(super) prefix: Option<PathBuf>,
    /// The archive to write, of PREFIX or of one environment of the project; its ending says its format: .tar.zst, .tar.gz,
    /// .tar.bz2, .tar.xz or .tar, as .tgz too; .zip, .squashfs, .sh, .bundle; or `/` for a folder
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Make an update: only what this archive, or environment that was unpacked, does not have
    #[arg(long, value_name = "OLD")]
    pub(super) since: Option<PathBuf>,
    /// Replace the archive if it is there: a file by a file, a packed folder by a folder
    #[arg(long, requires = "one")]
    pub(super) force: bool,
    /// Compress at this level (default: 7 for tar.zst and sh, the usual one for others)
    #[arg(long, value_name = "N", requires = "one")]
    pub(super) level: Option<i32>,
    /// Put everything into this folder of the archive
    #[arg(long, value_name = "DIR", requires = "one", default_value = "", hide_default_value = true,
          value_parser = values::arcroot)]
    pub(super) arcroot: String,
    /// Write this absolute path into the files, so that the environment can be mounted or unpacked there and used as it is
    #[arg(long, value_name = "PATH", requires = "one", value_parser = values::dest_prefix)]
    pub(super) dest_prefix: Option<String>,
    /// Cut the archive into parts of this size, such as 2G: FILE.000, FILE.001 and so on
    #[arg(long, value_name = "SIZE", requires = "one", value_parser = values::size)]
    pub(super) split: Option<u64>,
    /// Fail when the environment needs something that this target does not have, as `check` does; of an environment of the
    /// project instead of its own target
    #[arg(long, value_name = "NAME")]
    pub(super) target: Option<String>,
    #[command(flatten)]
    pub(super) filters: Patterns,
    /// Leave out packages that are installed in editable mode
    #[arg(long)]
    pub(super) ignore_editable: bool,
    /// Put the sources of packages that are installed in editable mode where an ordinary install puts them
    #[arg(long, conflicts_with = "ignore_editable")]
    pub(super) include_editable: bool,
    /// Correct files that were compiled in the prefix, too: the archive can go only to paths that are not longer than
    /// PREFIX
    #[arg(long)]
    pub(super) short_prefix: bool,
}
