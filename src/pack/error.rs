//! What can go wrong while an environment is packed or unpacked.

use std::{io, path::PathBuf};

use miette::Diagnostic;

use crate::base::FsError;

/// An environment that cannot be packed, or an archive that cannot be unpacked.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum PackError {
    /// The folder to pack is no conda prefix.
    #[error("`{}` is not a conda prefix: it holds no `conda-meta` folder", .0.display())]
    #[diagnostic(code(envbuild::pack::not_a_prefix), help("install the environment there first"))]
    NotAPrefix(PathBuf),
    /// The placeholder is not one that the shell script can search for.
    #[error("`{0}` cannot serve as a placeholder")]
    #[diagnostic(
        code(envbuild::pack::placeholder),
        help("a placeholder is an absolute path of 32 to 255 letters, `_` and `/`")
    )]
    Placeholder(String),
    /// Something in the prefix is neither a file, a folder nor a symbolic link.
    #[error("`{}` is {what}, which no archive can hold", path.display())]
    #[diagnostic(
        code(envbuild::pack::file_type),
        help("remove it from the environment, or from the package that made it")
    )]
    FileType {
        /// The offending entry.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A file of `conda-meta` is not what an installer writes.
    #[error("`{}` is not a package's record: {reason}", path.display())]
    #[diagnostic(code(envbuild::pack::record), help("install the environment again"))]
    Record {
        /// The record.
        path: PathBuf,
        /// What the JSON parser says.
        reason: String,
    },
    /// Files name the staging prefix itself, which would put a path of this machine into the archive.
    #[error("{count} files name the staging prefix `{}`, first `{}`", staging.display(), first.display())]
    #[diagnostic(
        code(envbuild::pack::machine_path),
        help("they were written after the packages were linked; write the placeholder instead of the staging path")
    )]
    MachinePath {
        /// The staging prefix.
        staging: PathBuf,
        /// The first such file, relative to it.
        first: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// An environment variable that a shell could not set.
    #[error("`{0}` is not the name of an environment variable")]
    #[diagnostic(
        code(envbuild::pack::variable),
        help("names are made of letters, digits and `_`, and do not begin with a digit; values hold no NUL")
    )]
    Variable(String),
    /// Somebody wrote to a file while it was packed.
    #[error("`{}` changed while it was packed", .0.display())]
    #[diagnostic(code(envbuild::pack::changed), help("nothing may run in the staging prefix during packing"))]
    Changed(PathBuf),
    /// The destination is longer than what was reserved for it.
    #[error("`{}` is {length} bytes long; this environment can live at a path of at most {limit}", prefix.display())]
    #[diagnostic(code(envbuild::pack::prefix_length), help("choose a shorter path"))]
    PrefixLength {
        /// Where the environment was to go.
        prefix: PathBuf,
        /// The length of that path, in bytes.
        length: usize,
        /// The longest path that fits, in bytes.
        limit: usize,
    },
    /// The destination holds a character that scripts or modules cannot quote.
    #[error("`{}` holds {what}, which the files of an environment cannot have in their path", prefix.display())]
    #[diagnostic(code(envbuild::pack::prefix_character), help("choose a path without it"))]
    PrefixCharacter {
        /// Where the environment was to go.
        prefix: PathBuf,
        /// The character, named.
        what: &'static str,
    },
    /// Something is there already.
    #[error("`{}` is there already", .0.display())]
    #[diagnostic(code(envbuild::pack::occupied), help("unpack to a path where there is nothing, or an empty folder"))]
    Occupied(PathBuf),
    /// A file system is mounted there, so no finished environment can be put in the place of the folder.
    #[error("`{}` is a mount point, which cannot be replaced by the finished environment", .0.display())]
    #[diagnostic(code(envbuild::pack::mount_point), help("unpack to a new folder inside of it"))]
    MountPoint(PathBuf),
    /// Ctrl-C or a termination signal.
    #[error("stopped; nothing was left behind")]
    #[diagnostic(code(envbuild::pack::stopped))]
    Stopped,
    /// The file does not begin like an archive of ours.
    #[error("`{}` does not begin with a relocation list: {reason}", path.display())]
    #[diagnostic(
        code(envbuild::pack::not_an_archive),
        help("is this an archive made by `envbuild pack`? if so, compare it with its `.sha256` file")
    )]
    NotAnArchive {
        /// The archive.
        path: PathBuf,
        /// What stands there instead.
        reason: String,
    },
    /// The archive was written by a later version.
    #[error("`{}` has relocation format {found}; this envbuild reads format {known}", path.display())]
    #[diagnostic(
        code(envbuild::pack::format),
        help("use a newer envbuild, or unpack it with `tar` and run its `bin/conda-unpack`")
    )]
    Format {
        /// The archive.
        path: PathBuf,
        /// The format that it names.
        found: u64,
        /// The format that is understood here.
        known: u64,
    },
    /// The archive is cut short or was altered.
    #[error("`{}` is damaged", path.display())]
    #[diagnostic(code(envbuild::pack::damaged), help("fetch or copy it again, and compare it with its `.sha256` file"))]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// What the decoder says.
        source: io::Error,
    },
    /// The archive holds an entry that would reach outside the destination or is of no use in an environment.
    #[error("`{}` holds the entry `{entry}`, which {why}", path.display())]
    #[diagnostic(code(envbuild::pack::refused), help("do not trust this archive: envbuild does not make such entries"))]
    Refused {
        /// The archive.
        path: PathBuf,
        /// The entry's name.
        entry: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    #[diagnostic(code(envbuild::pack::file))]
    File(#[from] FsError),
}
