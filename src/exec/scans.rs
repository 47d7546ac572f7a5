//! The folders of recipes, looked at once for all the cells that are built from them.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use crate::{
    base::{FsError, Stamps},
    fingerprint::{Entry, scan},
};

/// What is in each folder that was looked at during this run.
#[derive(Debug, Default)]
pub(super) struct Scans {
    known: Mutex<HashMap<PathBuf, Arc<Vec<Entry>>>>,
}

impl Scans {
    /// What is in a folder, or the value of a single file.
    pub(super) fn of(&self, path: &Path, stamps: &Stamps) -> Result<Arc<Vec<Entry>>, FsError> {
        let mut known = self.known.lock().expect("no thread panics while it holds the scans");
        if let Some(entries) = known.get(path) {
            return Ok(Arc::clone(entries));
        }
        let entries = Arc::new(scan(path, stamps)?);
        known.insert(path.to_owned(), Arc::clone(&entries));
        Ok(entries)
    }

    /// Whether a folder still holds what it held when it was first looked at.
    pub(super) fn still(&self, path: &Path, stamps: &Stamps) -> Result<bool, FsError> {
        Ok(*self.of(path, stamps)? == scan(path, stamps)?)
    }
}
