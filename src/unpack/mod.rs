//! Turns an archive into an environment elsewhere, in one pass: files are written with their prefix already right.
//!
//! Knows nothing of: the graph, the manifest, solving, how the archive was made.

mod error;
mod grow;
mod head;
#[cfg(test)]
mod hostile;
mod members;
mod peek;
mod whole;

pub use error::UnpackError;
pub use peek::{Peeked, files_in, files_that, peek};
pub use whole::{UnpackRequest, Unpacked, unpack};
