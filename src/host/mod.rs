//! What the machine provides from outside conda: its modules' environment, facts about it, its compilers.
//!
//! A module set is probed once in a run, in a shell that knows nothing of the user's, and becomes a value: [`Found`].
//! Everybody else reads that. Knows nothing of: packages, keys, what is up to date.

mod cache;
mod capture;
mod compiler;
mod error;
mod fact;
mod found;
mod mpi;
mod probe;
mod saved;
mod shell;
#[cfg(test)]
mod tests;
mod variables;

pub use capture::Module;
pub use compiler::Compiler;
pub use error::{HostError, HostErrors};
pub use fact::FoundFact;
pub use found::{File, Found};
pub use mpi::Library;
pub use probe::{Probe, Request};
pub use saved::{Saved, SavedError};
