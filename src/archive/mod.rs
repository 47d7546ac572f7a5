//! Containers and compressors: writes archives whose bytes follow from their entries alone, and reads archives that
//! nobody vouches for.
//!
//! A [`Sink`] takes entries one after the other, a [`Source`] gives them; both stream, so that their memory does not
//! grow with the archive.
//!
//! Knows nothing of: conda, environments, prefixes, where an archive is unpacked.

mod ahead;
mod blocks;
mod error;
mod fields;
mod folder;
mod format;
#[cfg(test)]
pub(crate) mod hostile;
mod names;
mod ordered;
mod output;
mod parts;
mod promised;
mod self_extracting;
mod sink;
mod source;
mod squashfs;
mod tarball;
#[cfg(test)]
mod tests;
mod zipped;

pub use error::{Fault, SinkError};
pub use folder::folder;
pub use format::Format;
pub use output::{Output, Shown};
pub use parts::{Joined, Parts, SMALLEST_PART, join, part};
pub use self_extracting::SELF_EXTRACTING;
pub use sink::{EPOCH, FileMeta, Options, Sink, create};
pub use source::{FileInfo, Input, Kind, Limits, Member, Source, format_of, input, open, read};
