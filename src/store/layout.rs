//! Every path under `.envbuild/`, and what is read from and written to it.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{Announcement, LastRun, NodeResult, Record, StoreError};
use crate::{
    base::{Digest, FileLock, fs},
    fingerprint::Key,
    plan::NodeId,
};

/// The form of the state folder. Records of another form are as good as none.
const FORM: &str = "1";

/// How long a second run waits for the first: longer than the longest build.
const PATIENCE: Duration = Duration::from_hours(24);

/// An open state folder.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the state folder of a project for reading; nothing is made or changed.
    pub fn at(project: &Path) -> Self {
        Self { root: project.join(".envbuild") }
    }

    /// Makes the folder ready for a run and locks it against other runs. `waiting` hears who holds it.
    ///
    /// # Errors
    /// When it cannot be made, was written by a newer program, or stays locked.
    pub fn lock(&self, waiting: impl FnMut(&str)) -> Result<FileLock, StoreError> {
        let lock = FileLock::acquire(&self.root.join("lock"), PATIENCE, waiting)?;
        let form = self.root.join("form");
        match fs::read_if_there(&form)? {
            Some(found) if found == FORM.as_bytes() => {}
            Some(found) if !found.is_empty() && found.iter().all(u8::is_ascii_digit) => {
                let found = String::from_utf8_lossy(&found).into_owned();
                return Err(StoreError::Newer { path: self.root.clone(), found });
            }
            // There is no form, or what a broken disk left of it.
            _ => {
                fs::write_atomic(&self.root.join(".gitignore"), b"*\n")?;
                fs::write_atomic(&form, FORM.as_bytes())?;
            }
        }
        // Whatever a killed run left half done is in scratch, or has a temporary name beside its place.
        fs::remove_dir_all(&self.scratch())?;
        for folder in ["records", "builds", "announced", "cache/rendered", "cache/sources", "envs", ""] {
            fs::sweep(&self.root.join(folder))?;
        }
        Ok(lock)
    }

    /// Locks the folder, or says who holds it.
    ///
    /// # Errors
    /// When a run holds it.
    pub fn try_lock(&self) -> Result<FileLock, StoreError> {
        Ok(FileLock::acquire(&self.root.join("lock"), Duration::ZERO, |_| {})?)
    }

    /// Everything in the folder but the prefixes and the lock.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub fn all_but_prefixes(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut all = fs::list(&self.root)?;
        all.retain(|it| !["envs", "lock", "form", ".gitignore"].iter().any(|name| it.ends_with(name)));
        Ok(all)
    }

    /// The state folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where rendered recipes are kept.
    pub fn rendered(&self) -> PathBuf {
        self.root.join("cache/rendered")
    }

    /// Where sources are kept, by digest.
    pub fn sources(&self) -> PathBuf {
        self.root.join("cache/sources")
    }

    /// A folder for what is thrown away.
    pub fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// The log of a node.
    pub fn log(&self, node: &NodeId) -> PathBuf {
        self.root.join("logs").join(format!("{}.log", file_name(node)))
    }

    /// The log of a package that is built again to be compared.
    pub fn check_log(&self, node: &NodeId) -> PathBuf {
        self.root.join("logs/check").join(format!("{}.log", file_name(node)))
    }

    /// The prefix of an environment.
    pub fn prefix(&self, environment: &str) -> PathBuf {
        self.root.join("envs").join(environment)
    }

    /// The folder of all prefixes.
    pub fn prefixes(&self) -> PathBuf {
        self.root.join("envs")
    }

    fn record_of(&self, node: &NodeId) -> PathBuf {
        self.root.join("records").join(format!("{}.json", file_name(node)))
    }

    fn build_of(&self, key: &Key) -> PathBuf {
        self.root.join("builds").join(format!("{key}.json"))
    }

    /// What is remembered of a node. A record that cannot be read is none: the node runs again.
    ///
    /// # Errors
    /// When the file is there and the disk refuses it.
    pub fn record(&self, node: &NodeId) -> Result<Option<Record>, StoreError> {
        self.read(&self.record_of(node))
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
        if matches!(record.output, super::Output::Package(_)) {
            self.write(&self.build_of(&record.key), record)?;
        }
        self.write(&self.record_of(&record.node), record)?;
        Ok(fs::remove_file(&self.announcement_of(&record.node))?)
    }

    fn announcement_of(&self, node: &NodeId) -> PathBuf {
        self.root.join("announced").join(format!("{}.json", file_name(node)))
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
        let all: Result<Vec<Option<_>>, _> =
            fs::list(&self.root.join("announced"))?.iter().map(|it| self.read(it)).collect();
        Ok(all?.into_iter().flatten().collect())
    }

    /// Forgets all that dead runs have announced.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget_announced(&self) -> Result<(), StoreError> {
        Ok(fs::remove_dir_all(&self.root.join("announced"))?)
    }

    /// Forgets a node before it runs, so that a kill in the middle leaves no old truth about new outputs.
    ///
    /// # Errors
    /// When the record cannot be removed.
    pub fn forget(&self, node: &NodeId) -> Result<(), StoreError> {
        make_way(&self.record_of(node))?;
        Ok(fs::remove_file(&self.record_of(node))?)
    }

    /// The last run.
    ///
    /// # Errors
    /// When the file is there and the disk refuses it.
    pub fn last_run(&self) -> Result<LastRun, StoreError> {
        Ok(self.read(&self.root.join("last-run.json"))?.unwrap_or_default())
    }

    /// Remembers how a run went. Nodes that it did not touch keep what was known of them.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember_run(&self, run: LastRun) -> Result<(), StoreError> {
        let mut all = self.last_run()?;
        // A node that had nothing to do is known by the run that did it.
        let news = |(node, (result, ..)): &(NodeId, (NodeResult, _, _))| {
            *result != NodeResult::Fresh || !all.nodes.contains_key(node)
        };
        let news: Vec<_> = run.nodes.into_iter().filter(news).collect();
        all.nodes.extend(news);
        self.write(&self.root.join("last-run.json"), &all)
    }

    fn read<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, StoreError> {
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

/// A node's name as a file name: distinct for distinct nodes, readable, never longer than a file system takes.
fn file_name(node: &NodeId) -> String {
    let mut name = String::new();
    for byte in node.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'=' | b',' | b'-' | b'[' | b']' => {
                name.push(char::from(byte));
            }
            b':' => name.push('+'),
            other => name.push_str(&format!("%{other:02x}")),
        }
    }
    if name.len() > 200 {
        name.truncate(180);
        name.push('~');
        name.push_str(&Digest::of(node.as_str()).short(16));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::file_name;
    use crate::plan::{Kind, NodeId};

    #[test]
    fn file_names_are_readable_distinct_and_short() {
        let name = |what: &str| file_name(&NodeId::new(Kind::Build, what));
        assert_eq!(name("mpi4py[python=3.11]"), "build+mpi4py[python=3.11]");
        assert_ne!(name("a/b"), name("a%b"));
        assert!(name(&"x".repeat(500)).len() < 240);
        assert_ne!(name(&"x".repeat(500)), name(&"x".repeat(501)));
    }
}
