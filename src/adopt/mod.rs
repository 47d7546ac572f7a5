//! Any existing conda prefix as a tree whose files name a placeholder, and a report of how it differs from its
//! packages.
//!
//! Whoever made the prefix, and whatever was done to it since: nothing is asked but its own files. The package cache
//! may be gone, files may be overwritten, changed or deleted; that is told, and packed as it is.
//!
//! Knows nothing of: archives, solving, the manifest, where the tree goes.

mod account;
mod editable;
mod error;
mod filter;
mod links;
mod placed;
mod prefix;
mod python;
mod records;
mod relink;
mod report;
mod restore;
mod scan;
mod shebang;
mod sources;
mod spelling;
#[cfg(test)]
mod tests;
mod walk;

pub use editable::Editables;
pub use error::{AdoptError, AdoptErrors};
pub use filter::{Filter, Filters, select};
pub use prefix::{AdoptOptions, Adopted, Compiled, PipPackage, adopt};
pub use report::{Changed, Clobbered, Editable, Outside, Package, Report, Unfixable};
