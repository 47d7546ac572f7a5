//! The zip format, as PKWARE's APPNOTE 6.3 and Info-ZIP's notes on extra fields describe it: deflated, with unix modes,
//! symbolic links, names that are bytes, and the larger numbers of zip64 where they are needed.

mod content;
mod directory;
mod read;
mod records;
mod write;

pub(super) use read::ZipSource;
pub(super) use write::ZipSink;
