//! What is in a `.conda` archive: its content, the name that follows from it, and how it differs from another one.
//!
//! A package is built under a provisional build string, which is the same for every build of a variant. When the archive
//! is whole, its content is digested, and the digest's first digits end the final build string. So equal content has an
//! equal name and equal bytes, whoever built it, from whatever inputs.
//!
//! It also knows how to name where a package came from without secrets and paths of a machine, and how the record of an
//! installed one is called, and which sums a written file is known by.
//!
//! Knows nothing of: how an archive is built, published or installed.

mod amend;
mod archive;
mod compare;
mod content;
mod error;
mod location;
mod name;
mod record;
mod seal;
mod sums;
#[cfg(test)]
pub(crate) mod support;
#[cfg(test)]
mod tests;

pub use amend::{Amendment, amend, each_file};
pub use compare::{Difference, How, compare};
pub use content::sealed_content;
pub use error::CondaError;
pub use location::{is_below, is_placeless, public_channel, public_url, without_secrets};
pub use name::provisional;
pub use record::is_record;
pub use seal::{Sealed, seal};
pub use sums::{Summing, Sums, checksum_line};
