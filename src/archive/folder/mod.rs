//! A folder on disk as an archive: written like one, and read like one.

mod read;
mod write;

pub(super) use read::FolderSource;
pub use write::folder;
