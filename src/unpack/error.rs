//! What can go wrong while an archive is unpacked or a deployed environment is looked after.

use std::{
    io,
    path::{Path, PathBuf},
};

use miette::Diagnostic;

use crate::base::FsError;

/// An archive that cannot be unpacked, or an environment that is not what it should be.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum UnpackError {
    /// The placeholder is not one that the shell script can search for.
    #[error("`{0}` cannot serve as a placeholder")]
    #[diagnostic(
        code(envbuild::unpack::placeholder),
        help("a placeholder is an absolute path of 8 to 255 letters, `_` and `/`")
    )]
    Placeholder(String),
    /// The destination is longer than what was reserved for it.
    #[error("`{}` is {length} bytes long; this environment can live at a path of at most {limit}", prefix.display())]
    #[diagnostic(code(envbuild::unpack::prefix_length), help("choose a shorter path"))]
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
    #[diagnostic(code(envbuild::unpack::prefix_character), help("choose a path without it"))]
    PrefixCharacter {
        /// Where the environment was to go.
        prefix: PathBuf,
        /// The character, named.
        what: &'static str,
    },
    /// The environment is for another machine.
    #[error("the environment in `{}` cannot run on this machine: {}", path.display(), faults.join("; "))]
    #[diagnostic(
        code(envbuild::unpack::machine),
        help(
            "get one that was made for this machine; with `--ignore-platform` it is unpacked all the same, for another"
        )
    )]
    Machine {
        /// The archive.
        path: PathBuf,
        /// What it needs and what there is, in a sentence each.
        faults: Vec<String>,
    },
    /// There is not enough room.
    #[error("it needs {}{needed} bytes, and `{}` has {free} left", roughly(*about), folder.display())]
    #[diagnostic(code(envbuild::unpack::no_room), help("make room there, or choose a place on another file system"))]
    NoRoom {
        /// Where it was to go.
        folder: PathBuf,
        /// How many bytes it takes.
        needed: u64,
        /// How many there are.
        free: u64,
        /// Whether the first number is an estimate.
        about: bool,
    },
    /// There are not enough inodes.
    #[error("it has {}{needed} files, and `{}` has room for {free} more", roughly(*about), folder.display())]
    #[diagnostic(
        code(envbuild::unpack::no_inodes),
        help("delete files there (`df -i` shows how many there can be), or choose a place on another file system")
    )]
    NoInodes {
        /// Where it was to go.
        folder: PathBuf,
        /// How many files, folders and links it has.
        needed: u64,
        /// How many there can be.
        free: u64,
        /// Whether the first number is an estimate.
        about: bool,
    },
    /// The disk, or the user's quota, was full before everything was written.
    #[error("{why}; the environment needs {needed} in `{}`, where {free} are free: nothing of it is left", folder.display())]
    #[diagnostic(
        code(envbuild::unpack::full),
        help("make room there, or choose a place on another file system; `quota -s` shows how much of it you may use")
    )]
    Full {
        /// Where it was to go.
        folder: PathBuf,
        /// What it takes, in words.
        needed: String,
        /// What there is again, in words.
        free: String,
        /// The file that could not be written.
        why: FsError,
    },
    /// Something is there already.
    #[error("`{}` is there already", .0.display())]
    #[diagnostic(code(envbuild::unpack::occupied), help("unpack to a path where there is nothing, or an empty folder"))]
    Occupied(PathBuf),
    /// Something came there meanwhile.
    #[error("something else came to `{}` while this was being unpacked, and is left as it is", .0.display())]
    #[diagnostic(
        code(envbuild::unpack::overtaken),
        help("look at what is there: another unpack may have made the same environment")
    )]
    Overtaken(PathBuf),
    /// A file system is mounted there, so no finished environment can be put in the place of the folder.
    #[error("`{}` is a mount point, which cannot be replaced by the finished environment", .0.display())]
    #[diagnostic(code(envbuild::unpack::mount_point), help("unpack to a new folder inside of it"))]
    MountPoint(PathBuf),
    /// An update for another tree.
    #[error("`{}` is the tree {found}, and the update builds on {wanted}", prefix.display())]
    #[diagnostic(
        code(envbuild::unpack::other_tree),
        help("get the update that was made since this tree, or unpack a whole archive elsewhere")
    )]
    OtherTree {
        /// The environment.
        prefix: PathBuf,
        /// The digest of the tree that is there.
        found: crate::base::Digest,
        /// The digest of the tree that should be.
        wanted: crate::base::Digest,
    },
    /// Somebody worked in an environment that is to be updated.
    #[error("`{}` is not as it was unpacked: {}", prefix.display(), short(faults))]
    #[diagnostic(
        code(envbuild::unpack::not_old),
        help(
            "`envbuild unpack --verify` lists everything; undo it, move it away, or unpack a whole archive elsewhere"
        )
    )]
    NotOld {
        /// The environment.
        prefix: PathBuf,
        /// What is different, in a sentence each.
        faults: Vec<String>,
    },
    /// An environment that was moved and not relocated is to be updated.
    #[error("the files of `{}` name {}", prefix.display(), named.display())]
    #[diagnostic(code(envbuild::unpack::moved), help("run `envbuild unpack --relocate` for it first"))]
    Moved {
        /// Where it lies.
        prefix: PathBuf,
        /// What its files say.
        named: PathBuf,
    },
    /// There is no environment of ours.
    #[error("{}", undeployed(.0))]
    #[diagnostic(
        code(envbuild::unpack::not_deployed),
        help("name an environment that was unpacked from an archive of `envbuild pack`: it has `conda-meta/envbuild`")
    )]
    NotDeployed(PathBuf),
    /// The lists of an environment of ours were altered.
    #[error("what `{}` says of itself cannot be read: {reason}", prefix.display())]
    #[diagnostic(
        code(envbuild::unpack::lists),
        help("somebody changed the files in its `conda-meta/envbuild`: unpack its archive again, elsewhere")
    )]
    Lists {
        /// The environment.
        prefix: PathBuf,
        /// What is wrong with them.
        reason: String,
    },
    /// An update without the environment on which it builds.
    #[error("`{}` is an update, and {}", archive.display(), undeployed(prefix))]
    #[diagnostic(
        code(envbuild::unpack::no_tree),
        help(
            "with -p name the environment that is to be updated: one that was unpacked from an archive of `envbuild pack`; a \
             new one is made of a whole archive, which was packed without --since"
        )
    )]
    NoTree {
        /// The update.
        archive: PathBuf,
        /// Where the environment should be.
        prefix: PathBuf,
    },
    /// An environment where an archive should be.
    #[error("`{}` is an environment already, and no archive", .0.display())]
    #[diagnostic(
        code(envbuild::unpack::environment),
        help("`envbuild clone` copies it to another place; `envbuild pack -p` makes an archive of it")
    )]
    Environment(PathBuf),
    /// Some files name one prefix, and some another.
    #[error("`{}` was left while its prefix was being written into its files", .0.display())]
    #[diagnostic(code(envbuild::unpack::half_relocated), help("run `envbuild unpack --relocate` for it first"))]
    HalfRelocated(PathBuf),
    /// Ctrl-C or a termination signal while files were rewritten.
    #[error("stopped while the prefix was being written into the files of `{}`", .0.display())]
    #[diagnostic(code(envbuild::unpack::stopped_halfway), help("run the same command again: it goes on from there"))]
    StoppedHalfway(PathBuf),
    /// Ctrl-C or a termination signal.
    #[error("stopped; nothing was left behind")]
    #[diagnostic(code(envbuild::unpack::stopped))]
    Stopped,
    /// The file does not begin like an archive of ours.
    #[error("`{}` is not an archive of `envbuild pack`, or a damaged one: {reason}", path.display())]
    #[diagnostic(code(envbuild::unpack::not_an_archive), help("if it is one, {}", again(path)))]
    NotAnArchive {
        /// The archive.
        path: PathBuf,
        /// What stands there instead.
        reason: String,
    },
    /// The archive was written by a later version.
    #[error("`{}` has relocation format {found}; this envbuild reads format {known}", path.display())]
    #[diagnostic(
        code(envbuild::unpack::format),
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
    #[diagnostic(code(envbuild::unpack::damaged), help("{}", again(path)))]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// What the decoder says.
        source: io::Error,
    },
    /// The container cannot be read here.
    #[error("`{}` cannot be read: {fault}", path.display())]
    #[diagnostic(
        code(envbuild::unpack::container),
        help("pack it again with envbuild; all parts of a split archive must lie in one folder")
    )]
    Container {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        fault: crate::archive::Fault,
    },
    /// The archive holds an entry that would reach outside the destination or is of no use in an environment.
    #[error("`{}` cannot be used: its entry `{entry}` {why}", path.display())]
    #[diagnostic(code(envbuild::unpack::refused), help("{}", distrust(path)))]
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
    #[diagnostic(code(envbuild::unpack::file), forward(0))]
    File(#[from] FsError),
}

fn roughly(estimated: bool) -> &'static str {
    if estimated { "about " } else { "" }
}

/// Where to get what is damaged.
fn again(path: &Path) -> &'static str {
    if path.is_dir() {
        "copy the folder again from where it was packed, or pack it again"
    } else {
        "fetch or copy it again, and compare it with its `.sha256` file"
    }
}

/// What to think of entries that should not be there.
fn distrust(path: &Path) -> &'static str {
    if path.is_dir() {
        "somebody changed what is in the folder: undo that, or copy it again from where it was packed"
    } else {
        "do not trust this archive: envbuild does not make such entries"
    }
}

/// What stands where an environment of ours should be.
fn undeployed(prefix: &Path) -> String {
    let shown = prefix.display();
    match prefix.metadata() {
        Err(_) => format!("there is nothing at `{shown}`"),
        Ok(it) if !it.is_dir() => format!("`{shown}` is a file"),
        Ok(_) if prefix.join("conda-meta").is_dir() => {
            format!("`{shown}` was not unpacked from an archive made by envbuild")
        }
        Ok(_) => format!("`{shown}` is a folder without an environment"),
    }
}

/// The first few of them.
fn short(faults: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = faults.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if faults.len() > SHOWN {
        text.push_str(&format!(" and {} more", faults.len() - SHOWN));
    }
    text
}
