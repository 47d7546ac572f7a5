//! What can go wrong while an environment is packed.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::{archive::SinkError, base::FsError, tree::TreeError};

/// An environment that cannot be packed.
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
        help("a placeholder is an absolute path of 8 to 255 letters, `_` and `/`")
    )]
    Placeholder(String),
    /// A file of `conda-meta` is not what an installer writes.
    #[error("`{}` is not a package's record: {reason}", path.display())]
    #[diagnostic(code(envbuild::pack::record), help("install the environment again"))]
    Record {
        /// The record.
        path: PathBuf,
        /// What the JSON parser says.
        reason: String,
    },
    /// Files name a folder of this machine, which would put a path of this machine into the archive.
    #[error("{count} files name the folder `{}` of this machine, first `{}`", foreign.display(), first.display())]
    #[diagnostic(
        code(envbuild::pack::machine_path),
        help("they were written after the packages were linked; write the placeholder instead of the staging path")
    )]
    MachinePath {
        /// The folder.
        foreign: PathBuf,
        /// The first such file.
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
    #[diagnostic(code(envbuild::pack::changed), help("nothing may run in the environment while it is packed"))]
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
    /// A file could not be read or written.
    #[error(transparent)]
    #[diagnostic(code(envbuild::pack::file), forward(0))]
    File(#[from] FsError),
    /// The folder for the environment inside the archive is no such thing.
    #[error("`{0}` cannot be a folder in an archive")]
    #[diagnostic(code(envbuild::pack::arcroot), help("name it by a relative path without `.` and `..`"))]
    Arcroot(String),
    /// Something is where a folder should be made.
    #[error("`{}` is there already", .0.display())]
    #[diagnostic(code(envbuild::pack::occupied), help("remove it, or choose another place"))]
    Occupied(PathBuf),
    /// The build script could not make the unpacker.
    #[error("this envbuild was built without the unpacker that a self-extracting archive carries")]
    #[diagnostic(
        code(envbuild::pack::no_unpacker),
        help("choose another format, or build envbuild where there is a static C library")
    )]
    NoUnpacker,
    /// The unpacker could not run where the environment can.
    #[error("an archive for {platform} cannot unpack itself: this envbuild has an unpacker for {own}")]
    #[diagnostic(
        code(envbuild::pack::other_unpacker),
        help("choose another format, or pack it with an envbuild for that platform")
    )]
    OtherUnpacker {
        /// The environment's platform.
        platform: String,
        /// The unpacker's.
        own: &'static str,
    },
    /// Ctrl-C or a termination signal.
    #[error("stopped; nothing was left behind")]
    #[diagnostic(code(envbuild::pack::stopped))]
    Stopped,
    /// The archive cannot hold it, or cannot be written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Archive(#[from] SinkError),
    /// The tree could not be listed or read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tree(#[from] TreeError),
}
