//! What can go wrong with the project's own channel.

use std::{io, path::PathBuf};

use miette::Diagnostic;

use crate::base::{Digest, FsError, LockError};

/// The channel could not do what was asked.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ChannelError {
    /// An archive is not a conda package.
    #[error("`{}` is not a conda package: {reason}", path.display())]
    #[diagnostic(code(envbuild::channel::archive), help("delete the file and build the package again"))]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another package has the same name. The digits of its content that end it are enough for every day and no proof.
    #[error("`{}` is in the channel with another content: {there}, and {new} was built", path.display())]
    #[diagnostic(
        code(envbuild::channel::clash),
        help("raise the build number in the recipe: the package gets another name")
    )]
    Clash {
        /// The file in the channel.
        path: PathBuf,
        /// Its content.
        there: Digest,
        /// The content of the package that was to be published.
        new: Digest,
    },
    /// The package's file is gone from the channel.
    #[error("the channel holds no file `{}`", .0.display())]
    #[diagnostic(code(envbuild::channel::gone), help("build the package again"))]
    Gone(PathBuf),
    /// The channel's folder has no `file://` URL.
    #[error("the folder `{}` cannot be a channel, because it is not an absolute path", .0.display())]
    #[diagnostic(code(envbuild::channel::root), help("name the folder by an absolute path"))]
    Root(PathBuf),
    /// Somebody else writes to the channel.
    #[error(transparent)]
    #[diagnostic(
        code(envbuild::channel::locked),
        help("wait for the other run, or end it; the lock goes away with its process")
    )]
    Locked(#[from] LockError),
    /// A file could not be read or written.
    #[error(transparent)]
    #[diagnostic(
        code(envbuild::channel::file),
        help("look at the path's permissions and at the free space of its disk")
    )]
    File(#[from] FsError),
}

impl ChannelError {
    pub(super) fn archive(path: impl Into<PathBuf>, reason: impl ToString) -> Self {
        Self::Archive { path: path.into(), reason: reason.to_string() }
    }

    pub(super) fn read(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::File(FsError::new("read", path, source))
    }
}
