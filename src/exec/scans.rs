//! The folders of recipes, read once for all the cells that are built from them.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
};

use crate::{
    base::FsError,
    fingerprint::{Entry, scan},
};

/// What is in each folder that was looked at during this run.
#[derive(Debug, Default)]
pub(super) struct Scans(Mutex<BTreeMap<std::path::PathBuf, Arc<Vec<Entry>>>>);

impl Scans {
    /// What is in a folder, or the value of a single file.
    pub(super) fn of(&self, path: &Path) -> Result<Arc<Vec<Entry>>, FsError> {
        let mut known = self.0.lock().expect("no thread panics while it holds the scans");
        if let Some(entries) = known.get(path) {
            return Ok(Arc::clone(entries));
        }
        let entries = Arc::new(scan(path)?);
        known.insert(path.to_owned(), Arc::clone(&entries));
        Ok(entries)
    }

    /// Whether a folder still holds what it held when it was first looked at.
    pub(super) fn still(&self, path: &Path) -> Result<bool, FsError> {
        Ok(*self.of(path)? == scan(path)?)
    }
}
