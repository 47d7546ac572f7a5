//! Turns an installed staging prefix into one reproducible `.tar.zst`, and such an archive into a prefix elsewhere.
//!
//! The staging prefix names a long placeholder where its own path would stand. The archive carries the list of files
//! that hold the placeholder, so that `bin/conda-unpack` (a shell script, after `tar`) or [`unpack`] (natively, in one
//! pass) can write the real path there.
//!
//! Knows nothing of: the graph, the manifest, solving, how the staging prefix was installed.

mod archive;
mod bytecode;
mod contents;
mod entries;
mod error;
#[cfg(test)]
mod hostile;
mod members;
mod peek;
mod placeholder;
mod records;
mod relocation;
mod rewrite;
mod scan;
mod scripts;
mod shebang;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod tests;
mod tree;
mod unpack;

pub use archive::{PackRequest, Packed, has_checksum, pack};
pub use error::PackError;
pub use peek::{files_in, files_that};
pub use placeholder::{PLACEHOLDER_MAX, placeholder};
pub use unpack::{UnpackRequest, Unpacked, unpack};
