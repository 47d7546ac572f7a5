//! Gives an ELF file a run path, however long: what rattler-build otherwise needs an installed `patchelf` for.
//!
//! Knows nothing of: recipes, prefixes, which run path is the right one.

mod edit;
mod error;
mod image;
mod patchelf;
mod room;
#[cfg(test)]
mod tests;

pub use edit::{RunPathKind, run_path, set_run_path};
pub use error::ElfError;
pub use patchelf::patchelf;
