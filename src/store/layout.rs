//! Every path under `.envbuild/`, and what is read from and written to it.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{Announcement, LastRun, NodeResult, Output, Record, StoreError, brief::Briefs};
use crate::{
    base::{Cancel, Digest, FileLock, Stamps, Wait, fs},
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
    /// Read when it is first asked for: not every command looks at records.
    briefs: OnceLock<Briefs>,
}

impl Store {
    /// Opens the state folder of a project for reading; nothing is made or changed.
    pub fn at(project: &Path) -> Self {
        Self { root: project.join(".envbuild"), briefs: OnceLock::new() }
    }

    /// Makes the folder ready for a run and locks it against other runs. `waiting` hears who holds it; `cancel` ends the
    /// wait.
    ///
    /// # Errors
    /// When it cannot be made or written to, was written by a newer program, stays locked, or the wait is cancelled.
    pub fn lock(&self, cancel: &Cancel, waiting: impl FnMut(&str)) -> Result<FileLock, StoreError> {
        let (lock, has_form) = self.hold(cancel, waiting)?;
        if !has_form {
            fs::write_atomic(&self.root.join(".gitignore"), b"*\n")?;
            fs::write_atomic(&self.root.join("form"), FORM.as_bytes())?;
        }
        // Whatever a killed run left half done is in scratch, or has a temporary name beside its place.
        fs::remove_dir_all(&self.scratch())?;
        for folder in ["records", "builds", "announced", "cache", "cache/rendered", "cache/sources", "envs", ""] {
            fs::sweep(&self.root.join(folder))?;
        }
        Ok(lock)
    }

    /// Locks the folder as [`lock`](Self::lock) does, and changes nothing in it. Also says whether it has a form; without
    /// one it is new, or a broken disk has lost it.
    ///
    /// # Errors
    /// As for `lock`.
    pub fn hold(&self, cancel: &Cancel, waiting: impl FnMut(&str)) -> Result<(FileLock, bool), StoreError> {
        let wait = Wait { patience: PATIENCE, cancel: cancel.clone() };
        let lock = FileLock::acquire(&self.lock_file(), &wait, waiting)?;
        match fs::read_if_there(&self.root.join("form"))? {
            Some(found) if found == FORM.as_bytes() => Ok((lock, true)),
            Some(found) if !found.is_empty() && found.iter().all(u8::is_ascii_digit) => {
                let found = String::from_utf8_lossy(&found).into_owned();
                Err(StoreError::Newer { path: self.root.clone(), found })
            }
            _ => Ok((lock, false)),
        }
    }

    /// Locks the folder, or says who holds it.
    ///
    /// # Errors
    /// When a run holds it.
    pub fn try_lock(&self) -> Result<FileLock, StoreError> {
        Ok(FileLock::acquire(&self.lock_file(), &Wait::default(), |_| {})?)
    }

    fn lock_file(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Everything in the folder but the prefixes and the lock.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub fn all_but_prefixes(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut all = fs::list(&self.root)?;
        all.retain(|it| !["envs", "form", ".gitignore"].iter().any(|name| it.ends_with(name)));
        all.retain(|it| !FileLock::is_part(&self.lock_file(), it));
        Ok(all)
    }

    /// The state folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file in which rendered recipes are kept.
    pub fn rendered(&self) -> PathBuf {
        self.root.join("cache/rendered.txt")
    }

    /// What earlier runs knew of the project's files. A run begins with a new claim to the lock in this folder, whose time
    /// is then that of its beginning.
    pub fn stamps(&self, project: &Path) -> Stamps {
        Stamps::open(&self.root.join("cache/stamps.txt"), project, &self.root)
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

    /// The record of a node.
    pub fn record_of(&self, node: &NodeId) -> PathBuf {
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
        self.briefs.get_or_init(|| Briefs::open(&self.root.join("cache/records.txt"), &self.root.join("records")))
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
        self.briefs().outdate(node)?;
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
        self.write(&self.root.join("last-run.json"), &all)
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
