//! The state folder `.envbuild/`: records, logs, prefixes, scratch. Only this room spells paths inside it.
//!
//! A record exists only when the outputs that it names are complete: outputs are written beside and renamed, and the
//! record goes last. Knows nothing of: what a node does, who runs it.

mod brief;
mod error;
mod layout;
mod memory;
mod record;
mod shelves;

pub use error::StoreError;
pub use layout::Store;
pub use record::{Announcement, Ended, LastRun, NodeResult, Output, PackageFile, Record};
pub use shelves::Shelf;
