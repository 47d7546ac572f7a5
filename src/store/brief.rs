//! All records in one file, without their inputs: enough to know that nothing changed. It is made of the records, and
//! believed only as long as their folder is as it was.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::{Output, Record};
use crate::{
    base::{FsError, Table, fs},
    fingerprint::Key,
    plan::NodeId,
};

/// Changes when the form of [`Output`] does.
const FORM: &str = "records 2";

/// The row that holds the stamp of the folder; no node is called so.
const FOLDER: &str = "";

/// What is known of the records.
#[derive(Debug)]
pub(super) struct Briefs {
    file: PathBuf,
    folder: PathBuf,
    rows: Table,
    changed: AtomicBool,
    gone: AtomicBool,
}

impl Briefs {
    /// Reads what is kept in `file` of the records in `folder`.
    pub(super) fn open(file: &Path, folder: &Path) -> Self {
        let kept = Table::open(file, FORM);
        let is_true = kept.get(FOLDER).is_some_and(|it| Some(&*it) == stamp(folder).as_deref());
        let rows = if is_true { kept } else { Table::empty(file, FORM) };
        let (file, folder) = (file.to_owned(), folder.to_owned());
        Self { file, folder, rows, changed: AtomicBool::new(false), gone: AtomicBool::new(false) }
    }

    /// The key of a node that was done, and what it made.
    pub(super) fn get(&self, node: &NodeId) -> Option<(Key, Output)> {
        serde_json::from_str(&self.rows.get(node.as_str())?).ok()
    }

    /// Takes note of a record that was read or written.
    pub(super) fn put(&self, record: &Record) {
        if let Ok(value) = serde_json::to_string(&(&record.key, &record.output)) {
            self.rows.put(record.node.as_str(), value);
            self.changed.store(true, Ordering::Relaxed);
        }
    }

    /// A record is about to be written or removed. A kill after that must not leave a file that speaks of the time
    /// before, however coarse the clock of the file system is.
    pub(super) fn outdate(&self, node: &NodeId) -> Result<(), FsError> {
        self.rows.remove(node.as_str());
        self.changed.store(true, Ordering::Relaxed);
        if self.gone.swap(true, Ordering::Relaxed) { Ok(()) } else { fs::remove_file(&self.file) }
    }

    /// Writes the file, when there is something new. The caller holds the project's lock.
    pub(super) fn save(&self) -> Result<(), FsError> {
        let Some(stamp) = stamp(&self.folder).filter(|_| self.changed.swap(false, Ordering::Relaxed)) else {
            return Ok(());
        };
        self.rows.put(FOLDER, stamp);
        self.rows.save(&|_| true)
    }
}

/// Changes whenever a record is renamed into the folder or removed from it.
fn stamp(folder: &Path) -> Option<String> {
    let it: Metadata = folder.metadata().ok()?;
    Some(format!("{}:{} {}.{} {}.{}", it.ino(), it.dev(), it.mtime(), it.mtime_nsec(), it.ctime(), it.ctime_nsec()))
}
