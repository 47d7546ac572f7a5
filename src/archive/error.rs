//! What can go wrong while an archive is written or read.

use std::io;

use miette::Diagnostic;

use crate::base::FsError;

/// An archive that cannot be written.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum SinkError {
    /// What should go into the archive cannot be read.
    #[error("could not read what is to be packed as `{}`: {why}", name.escape_ascii())]
    #[diagnostic(code(envbuild::archive::data), help("see that the file is still there and can be read"))]
    Data {
        /// The entry's name.
        name: Vec<u8>,
        /// What its reader says.
        why: io::Error,
    },
    /// A file gave more or fewer bytes than were promised.
    #[error("`{}` was to have {promised} bytes and has {found}", name.escape_ascii())]
    #[diagnostic(code(envbuild::archive::changed), help("nothing may write to the files while they are packed"))]
    Size {
        /// The entry's name.
        name: Vec<u8>,
        /// How many bytes were promised.
        promised: u64,
        /// `more` or `fewer`.
        found: &'static str,
    },
    /// The archive itself cannot be written.
    #[error("could not write the archive: {0}")]
    #[diagnostic(
        code(envbuild::archive::write),
        help("see that there is room on the disk and that you may write there")
    )]
    Write(io::Error),
    /// The format has no way to hold an entry.
    #[error("`{}` {why}", name.escape_ascii())]
    #[diagnostic(code(envbuild::archive::unfit), help("rename or exclude it, or choose another format"))]
    Unfit {
        /// The entry's name.
        name: Vec<u8>,
        /// The rest of the sentence.
        why: &'static str,
    },
    /// A compression level that the format does not have.
    #[error("{format} has no level {level}; it has {levels}")]
    #[diagnostic(code(envbuild::archive::level), help("choose one of those, or none"))]
    Level {
        /// The format's name.
        format: &'static str,
        /// What was asked for.
        level: i32,
        /// What there is.
        levels: String,
    },
}

impl From<io::Error> for SinkError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// Why an archive cannot be read, or why there is no next entry.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Fault {
    /// The archive cannot be read from the disk.
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] FsError),
    /// The bytes are no archive of a kind that is known here.
    #[error("it is no archive of a known format")]
    #[diagnostic(
        code(envbuild::archive::unknown),
        help(
            "known are tar (plain, or compressed with zstd, gzip, bzip2 or xz), zip, squashfs, folders and files of envbuild that unpack themselves"
        )
    )]
    Unknown,
    /// The archive is damaged, was cut short or lies about itself.
    #[error("the archive is damaged: {0}")]
    #[diagnostic(
        code(envbuild::archive::damaged),
        help(
            "get it again and compare its checksum; if it came in parts, see that each has the name it was written with"
        )
    )]
    Damaged(String),
    /// The archive uses a part of its format that is not read here.
    #[error("the archive {0}")]
    #[diagnostic(code(envbuild::archive::unsupported), help("pack it again with usual settings"))]
    Unsupported(&'static str),
    /// An entry that nothing good comes from.
    #[error("its entry `{}` {why}", name.escape_ascii())]
    #[diagnostic(
        code(envbuild::archive::entry),
        help("use the archive only if you know who made it, and unpack it by hand")
    )]
    Entry {
        /// The entry's name as it stands in the archive.
        name: Vec<u8>,
        /// The rest of the sentence.
        why: &'static str,
    },
    /// More than the caller is ready to take.
    #[error("the archive holds more than {limit} {what}")]
    #[diagnostic(code(envbuild::archive::limit), help("if it is meant to be that large, allow it"))]
    Limit {
        /// `entries`, or `bytes`.
        what: &'static str,
        /// How many were allowed.
        limit: u64,
    },
    /// Parts of an archive that do not belong together, or not all of them.
    #[error("the parts of the archive do not fit together: {0}")]
    #[diagnostic(
        code(envbuild::archive::parts),
        help("put all parts into one folder, under the names they were written with")
    )]
    Parts(String),
}

impl Fault {
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

    pub(super) fn entry(name: &[u8], why: &'static str) -> Self {
        Self::Entry { name: name.to_vec(), why }
    }
}

/// A fault that had to pass through [`io::Read`] becomes itself again; anything else is damage.
impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(fault) => fault,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::damaged("it ends too early"),
            Err(error) => Self::damaged(error.to_string()),
        }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        Self::other(fault)
    }
}
