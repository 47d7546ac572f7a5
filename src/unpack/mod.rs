//! Turns an archive into an environment elsewhere, in one pass: files are written with their prefix already right.
//!
//! Knows nothing of: the graph, the manifest, solving, how the archive was made.

mod crew;
#[cfg(test)]
mod cut;
mod deployed;
mod edited;
mod error;
#[cfg(test)]
mod full;
mod grow;
mod head;
#[cfg(test)]
mod hostile;
mod machine;
mod peek;
mod reader;
mod relocate;
mod rewrite;
mod room;
mod site;
#[cfg(test)]
mod tests;
mod transplant;
mod update;
mod verify;
mod whole;

pub use error::UnpackError;
pub use machine::{Machine, require_machine};
pub use peek::{files_in, files_that};
pub use relocate::{Edited, RelocateRequest, Relocated, relocate};
pub use room::{Wanted, out_of_room, require_room};
pub use transplant::{Transplanted, transplant};
pub use verify::{Verified, VerifyRequest, verify};
pub use whole::{UnpackRequest, Unpacked, digests_of, place, require_place, unpack};
