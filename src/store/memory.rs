//! What the folder remembers: records, announcements, the last run.

use std::{io::ErrorKind, path::Path};

use serde::{Serialize, de::DeserializeOwned};

use super::{Announcement, LastRun, NodeResult, Output, Record, Store, StoreError, brief::Briefs};
use crate::{base::fs, fingerprint::Key, plan::NodeId};

impl Store {
    /// What is remembered of a node. A record that cannot be read is none: the node runs again.
    ///
    /// # Errors
    /// When the file is there and the disk refuses it.
    pub fn record(&self, node: &NodeId) -> Result<Option<Record>, StoreError> {
        let record = self.read(&self.record_of(node))?;
        if let Some(record) = &record {
            self.briefs().put(record);
        }
        Ok(record)
    }

    /// The key of a node and what it made, when that is known without reading its record.
    pub fn brief(&self, node: &NodeId) -> Option<(Key, Output)> {
        self.briefs().get(node)
    }

    /// Keeps what is known of the records for the next run. Only a cache: without it they are read one by one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_briefs(&self) -> Result<(), StoreError> {
        Ok(self.briefs().save()?)
    }

    fn briefs(&self) -> &Briefs {
        self.briefs.get_or_init(|| Briefs::open(&self.briefs_file(), &self.records()))
    }

    /// What was once built from inputs with this key, for this or another matrix.
    ///
    /// # Errors
    /// When the file is there and the disk refuses it.
    pub fn build(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.read(&self.build_of(key))
    }

    /// Remembers a node that is done. Its outputs must be complete and in their place.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn commit(&self, record: &Record) -> Result<(), StoreError> {
        if matches!(record.output, Output::Package(_)) {
            self.write(&self.build_of(&record.key), record)?;
        }
        self.briefs().outdate(&record.node)?;
        self.write(&self.record_of(&record.node), record)?;
        self.briefs().put(record);
        Ok(fs::remove_file(&self.announcement_of(&record.node))?)
    }

    /// Notes a package that goes into the channel before its record is written; [`Store::commit`] ends it. A run that dies
    /// in between leaves a package in the index that no record speaks of.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn announce(&self, announcement: &Announcement) -> Result<(), StoreError> {
        self.write(&self.announcement_of(&announcement.node), announcement)
    }

    /// What dead runs have announced.
    ///
    /// # Errors
    /// When the folder cannot be listed or a file in it cannot be read.
    pub fn announced(&self) -> Result<Vec<Announcement>, StoreError> {
        let all: Result<Vec<Option<_>>, _> = fs::list(&self.announcements())?.iter().map(|it| self.read(it)).collect();
        Ok(all?.into_iter().flatten().collect())
    }

    /// Forgets all that dead runs have announced.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget_announced(&self) -> Result<(), StoreError> {
        Ok(fs::remove_dir_all(&self.announcements())?)
    }

    /// Forgets a node before it runs, so that a kill in the middle leaves no old truth about new outputs.
    ///
    /// # Errors
    /// When the record cannot be removed.
    pub fn forget(&self, node: &NodeId) -> Result<(), StoreError> {
        self.briefs().outdate(node)?;
        make_way(&self.record_of(node))?;
        Ok(fs::remove_file(&self.record_of(node))?)
    }

    /// The last run.
    ///
    /// # Errors
    /// When the file is there and the disk refuses it.
    pub fn last_run(&self) -> Result<LastRun, StoreError> {
        Ok(self.read(&self.last_run_file())?.unwrap_or_default())
    }

    /// Remembers how a run went, when there is something new. Nodes that it did not touch keep what was known of them.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember_run(&self, run: LastRun) -> Result<(), StoreError> {
        let mut all = self.last_run()?;
        // A node that had nothing to do is known by the run that did it, and not by one that failed since.
        let news = |(node, (result, ..)): &(NodeId, (NodeResult, _, _))| {
            *result != NodeResult::Fresh || !matches!(all.nodes.get(node), Some((NodeResult::Built, ..)))
        };
        let news: Vec<_> = run.nodes.into_iter().filter(news).collect();
        if news.is_empty() {
            return Ok(());
        }
        all.nodes.extend(news);
        all.ended = run.ended;
        self.write(&self.last_run_file(), &all)
    }

    pub(super) fn read<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, StoreError> {
        match fs::read_if_there(path) {
            Err(error) if error.kind() == ErrorKind::IsADirectory => Ok(None),
            read => Ok(read?.and_then(|bytes| serde_json::from_slice(&bytes).ok())),
        }
    }

    fn write<T: Serialize>(&self, path: &Path, value: &T) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec_pretty(value).expect("records hold nothing that JSON cannot say");
        make_way(path)?;
        Ok(fs::write_atomic(path, &bytes)?)
    }
}

/// Removes a folder that stands where a file goes; nobody but a stranger has put it there.
fn make_way(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() { Ok(fs::remove_dir_all(path)?) } else { Ok(()) }
}
