//! ELF files: what they are linked with and need of a machine, which libraries the loader finds for them, and the built-in
//! patchelf, which gives a file a run path, however long.
//!
//! Knows nothing of: recipes, prefixes, which run path is the right one.

mod cache;
mod demands;
mod edit;
mod error;
mod image;
mod linkage;
mod loader;
mod notes;
mod patchelf;
mod reader;
mod room;
#[cfg(test)]
mod tests;
mod versions;

pub use demands::{Demands, demands, demands_of};
pub use edit::{RunPathKind, run_path, set_run_path};
pub use error::ElfError;
pub use linkage::{Linkage, Machine, defined_versions, linkage, needed_versions, set_run_path_kind};
pub use loader::{Found, Loader, Object, Rule};
pub use notes::Level;
pub use patchelf::patchelf;
pub use reader::Pieces;
pub use versions::SymbolVersion;
