//! The tar format as GNU tar writes it, and as others write it where it can be read without guessing.

mod header;
mod pax;
mod read;
mod write;

pub(super) use header::is_header;
pub(super) use read::TarSource;
pub(super) use write::TarSink;
