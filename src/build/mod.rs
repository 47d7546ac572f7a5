//! Builds one package cell: a rendered recipe becomes a tested `.conda` archive.
//!
//! The same job gives the same bytes, whoever runs it and wherever the recipe lies: the build folder depends on the
//! package and its variant only, the recipe is seen through a link in that folder, the timestamp is fixed, and nothing
//! that names the machine is stored.
//!
//! Knows nothing of: the manifest, the graph, the local channel, processes and log files, where sources come from.

mod activation;
mod bytecode;
mod check;
mod error;
mod frozen;
mod host;
mod job;
mod kinds;
mod leftover;
mod linked;
mod log;
mod output;
mod package;
mod pins;
mod place;
mod resolve;
mod run;
mod sources;
#[cfg(test)]
mod tests;

pub use error::BuildError;
pub use host::sets_itself;
pub use job::{
    BuildJob, Built, Environments, FetchedSource, LoadedModule, ResolveJob, ResolvePolicy, ResolvedPackage, Sibling,
};
pub use leftover::{abandoned, discard};
pub use log::log_to;
pub use output::TIMESTAMP;
pub use resolve::resolve;
pub use run::build;
