//! Writes an environment's files as one reproducible archive.
//!
//! The files name a placeholder where the prefix stands. The archive carries the places where they do, so that
//! `bin/conda-unpack` (a shell script, after `tar`) or the room `unpack` (natively, in one pass) can write the real path
//! there.
//!
//! Knows nothing of: the graph, the manifest, solving, where the files come from.

mod bytecode;
mod contents;
mod early;
mod error;
mod order;
mod records;
mod request;
mod scripts;
mod shebang;
mod since;
#[cfg(test)]
pub(crate) mod stage;
mod staging;
#[cfg(test)]
pub(crate) mod tests;
mod write;

pub use contents::see;
pub use error::PackError;
pub use request::{PackRequest, Packed, Prepared, contents, pack, prepare, update_name};
pub use staging::{of_prefix, stays_behind};
pub use write::{Piece, has_checksum};
