//! Every path under `.envbuild/`, and the lock on it.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use super::{StoreError, brief::Briefs};
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
    pub(super) briefs: OnceLock<Briefs>,
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

    /// The file in which environments of the host's modules are kept.
    pub fn host(&self) -> PathBuf {
        self.root.join("cache/host.json")
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
        self.records().join(format!("{}.json", file_name(node)))
    }

    pub(super) fn build_of(&self, key: &Key) -> PathBuf {
        self.root.join("builds").join(format!("{key}.json"))
    }

    /// The records without their inputs, in one file.
    pub(super) fn briefs_file(&self) -> PathBuf {
        self.root.join("cache/records.txt")
    }

    /// The folder of records.
    pub(super) fn records(&self) -> PathBuf {
        self.root.join("records")
    }

    /// The folder of announcements.
    pub(super) fn announcements(&self) -> PathBuf {
        self.root.join("announced")
    }

    /// The announcement of a node.
    pub(super) fn announcement_of(&self, node: &NodeId) -> PathBuf {
        self.announcements().join(format!("{}.json", file_name(node)))
    }

    /// How the last run went.
    pub(super) fn last_run_file(&self) -> PathBuf {
        self.root.join("last-run.json")
    }
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
