//! What a backup says of the system that it was made on, and in which ways another system differs; the folder that a
//! backup is; and copies of trees that share their bytes where the file system can.
//!
//! Knows nothing of: how a prefix is packed, unpacked, listed or installed.

mod copy;
mod difference;
mod error;
mod folder;
mod records;
mod system;
#[cfg(test)]
mod tests;

pub use copy::{Copied, CopyRequest, Sharing, copy};
pub use difference::{Difference, Unlike, differences};
pub use error::BackupError;
pub use folder::{
    ARCHIVE, CONDA_LIST, DRILL, Drill, ENVIRONMENT, ENVIRONMENT_NO_BUILDS, EXPLICIT, LOCK, LOG, PIP, SBOM, SYSTEM,
    TestRun, read_system, seal, verify, write_json,
};
pub use records::renew;
pub use system::System;
