//! An advisory lock on a file, with the owner written into it, so that whoever waits can say for whom.

use std::{
    fs::{File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::fs::FsError;

/// A held lock; released when dropped or when the process ends.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else held it for the whole time.
    #[error("`{}` is locked by {owner}; waited {} s", path.display(), waited.as_secs())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who wrote themselves into it.
        owner: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The lock file could not be used.
    #[error(transparent)]
    Fs(#[from] FsError),
}

impl FileLock {
    /// Takes the lock at `path`, waiting at most `patience`. `waiting` is called once, with the owner's text, when the
    /// lock is held by somebody else.
    ///
    /// # Errors
    /// When it stays held, or the file cannot be made or locked.
    pub fn acquire(path: &Path, patience: Duration, mut waiting: impl FnMut(&str)) -> Result<Self, LockError> {
        if let Some(folder) = path.parent() {
            super::fs::create_dir_all(folder)?;
        }
        let fail = |source| FsError::new("lock", path, source);
        let mut file = open(path).map_err(fail)?;
        let started = Instant::now();
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(fail(error).into()),
                Err(TryLockError::WouldBlock) => {
                    let owner = owner_in(&mut file);
                    if !told {
                        waiting(&owner);
                        told = true;
                    }
                    let waited = started.elapsed();
                    if waited >= patience {
                        return Err(LockError::Held { path: path.to_owned(), owner, waited });
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
        // The text is for people only: the lock is the operating system's, and a failure to write it harms nothing.
        let write = |file: &mut File| -> std::io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "process {}", std::process::id())
        };
        write(&mut file).map_err(fail)?;
        Ok(Self { file })
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // A failure here is harmless: closing the file, which follows, releases the lock as well.
        drop(self.file.unlock());
    }
}

/// Opens the lock file, and makes it only when it is not there: in a folder that everybody may write to, Linux refuses
/// to open another user's file with the wish to create it.
fn open(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => options.create(true).truncate(false).open(path),
        other => other,
    }
}

fn owner_in(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    match (read, text.trim()) {
        (Ok(_), owner) if !owner.is_empty() => owner.to_owned(),
        _ => "another process".to_owned(),
    }
}
