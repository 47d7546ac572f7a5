//! What a tree of files needs of a machine, and whether a machine has it.
//!
//! Every executable and shared library of the tree is looked at: only its headers, the texts that they point to, and its
//! notes are read. Of what they need, what others in the tree provide does not count.
//!
//! Knows nothing of: the manifest, where a tree comes from, what else there is in channels.

mod archive;
mod cpu;
mod error;
mod gather;
mod glibc;
mod model;
mod platform;
mod record;
mod scan;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod verdict;
mod wheel;

pub use archive::{of_archive, owners_in};
pub use error::NeedsError;
pub use model::{
    Constraint, Cpu, FORMAT, FileNeeds, Highest, HostNeed, Lacking, Library, Needs, Owner, Symbols, Unfixable,
};
pub use scan::{Source, of_entries, of_files, of_folder};
pub use stream::Stream;
pub use target::Target;
pub use verdict::{Kind, Violation, unsaid, violations};
pub use wheel::PYPI;
