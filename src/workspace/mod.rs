//! What was written becomes what it means: recipes rendered over the matrix, environments multiplied, paths absolute.
//!
//! Reads recipe files and environment files, writes nothing. Knows nothing of: the graph, what is up to date, the disk
//! layout of results.

mod environments;
mod error;
mod host;
mod load;
mod matrix;
mod model;
mod recipes;
mod sources;

pub use environments::targets;
pub use error::{WorkspaceError, WorkspaceErrors};
pub use host::{ExternalVersion, Fact, Host, InitFile, ModuleSet, ModuleStep, Verb};
pub use load::{Options, load};
pub use matrix::{Override, OverrideError, parse_overrides};
pub use model::{BaseChannel, Environment, Package, Resources, Target, Workspace};
