//! The ledger: which libraries of the host a package was linked with, and whether this machine has them.
//!
//! It is a file of the package, `share/envbuild/host/<package>.json`, and so of every prefix that holds the package and of
//! every archive that is made of such a prefix, whoever packs it.
//!
//! Knows nothing of: recipes, how packages are built, modules but their names.

mod c_library;
mod error;
mod file;
mod hold;
mod make;
#[cfg(test)]
mod tests;

pub use c_library::is_c_library;
pub use error::LedgerError;
pub use file::{FOLDER, HostLibrary, Ledger, of_prefix};
pub use hold::{Held, Host, State, identity};
pub use make::{Made, Module, Need, Request, make};
