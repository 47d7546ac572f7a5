//! A lock that does not rely on flock alone: network file systems often grant that to everybody.
//!
//! A lock is held by whoever has both an flock on its file and the claim beside it, a file that is put there in one step
//! and names its owner. Either of the two keeps others out. The operating system lets go of an flock when its process
//! ends; a claim whose owner is dead is taken away by whoever comes next.

mod claim;
mod flock;
mod owner;
mod place;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use claim::{Found, Watch};
use flock::{Flock, Tried};
use owner::Claim;
pub(super) use owner::{has_ended, signature};
use place::{Held, Own};

use super::{Cancel, fs::FsError};

/// How often a waiting program looks.
const PERIOD: Duration = Duration::from_millis(50);

/// How often a holder touches its claim, so that other hosts see that it lives.
const PULSE: Duration = Duration::from_secs(5);

/// A claim of another host whose file does not change for so long, by the clock of the one who waits, is a dead one's.
/// Long enough for a server that hangs, and for clients that remember a file's time for half a minute.
const SILENCE: Duration = Duration::from_secs(60);

/// A held lock; released when dropped. When the process dies, the next one takes it over.
#[derive(Debug)]
pub struct FileLock {
    path: PathBuf,
    // Fields are dropped in this order: who gets the flock next must not find our claim.
    _claim: Option<Held>,
    _flock: Option<Flock>,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else held it for the whole time.
    #[error("`{}` is locked by {owner}; waited {} s", path.display(), waited.as_secs())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who holds it: process, user, host, command, for how long.
        owner: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The wait was cancelled.
    #[error("stopped while waiting for `{}`", .0.display())]
    Stopped(PathBuf),
    /// The lock file could not be used.
    #[error(transparent)]
    Fs(#[from] FsError),
}

/// How long to wait for a lock.
#[derive(Debug, Clone, Default)]
pub struct Wait {
    /// At most this long; zero only tries.
    pub patience: Duration,
    /// Ends the wait at once when it is raised.
    pub cancel: Cancel,
}

impl Wait {
    /// Waits at most `patience`, and is not cancelled.
    pub fn at_most(patience: Duration) -> Self {
        Self { patience, cancel: Cancel::new() }
    }
}

/// What a lock is made of. Tests turn parts of it off, and make it faster.
#[derive(Debug, Clone, Copy)]
struct Means {
    /// Whether flock is asked.
    flock: bool,
    pulse: Duration,
    silence: Duration,
}

impl Means {
    fn usual() -> Self {
        Self { flock: flock::is_trusted(), pulse: PULSE, silence: SILENCE }
    }
}

/// From now on no lock of this process asks flock: some network file systems let it wait for ever. Claims alone keep
/// others out then.
pub fn trust_no_flock() {
    flock::trust_none();
}

impl FileLock {
    /// Takes the lock at `path`. `waiting` is called once, with who holds it, when it is held by somebody else.
    ///
    /// # Errors
    /// When it stays held, the wait is cancelled, or the folder of the file cannot be written to.
    pub fn acquire(path: &Path, wait: &Wait, waiting: impl FnMut(&str)) -> Result<Self, LockError> {
        Self::acquire_by(Means::usual(), path, wait, waiting)
    }

    fn acquire_by(means: Means, path: &Path, wait: &Wait, mut waiting: impl FnMut(&str)) -> Result<Self, LockError> {
        if let Some(folder) = path.parent() {
            super::fs::create_dir_all(folder)?;
        }
        let started = Instant::now();
        let own = Own::new(path);
        let mut watch = Watch::new(means.silence);
        let mut asks_flock = means.flock;
        let mut flock = None;
        let mut told = false;
        loop {
            if asks_flock && flock.is_none() {
                match Flock::attempt(path)? {
                    Tried::Taken(taken) => flock = Some(taken),
                    Tried::Busy => {}
                    Tried::Unknown => asks_flock = false,
                }
            }
            let in_the_way = if asks_flock && flock.is_none() {
                claim::look(own.place())?
            } else {
                match own.take(&mut watch, means.pulse) {
                    Ok(place::Taking::Done(held)) => {
                        place::tidy(&own, &mut watch, flock.is_some());
                        return Ok(Self { path: path.to_owned(), _claim: Some(held), _flock: flock });
                    }
                    Ok(place::Taking::InTheWay(found)) => Some(found),
                    // `clean` and `gc` have to work on a full disk: flock alone is better than no way out.
                    Err(error) if flock.is_some() && is_full(&error) => {
                        return Ok(Self { path: path.to_owned(), _claim: None, _flock: flock });
                    }
                    Err(error) => return Err(error.into()),
                }
            };
            let owner = in_the_way.as_ref().and_then(Found::owner);
            let owner = owner.map_or_else(|| "another process".to_owned(), Claim::to_string);
            // Between an flock and its claim there is a moment in which nobody is named.
            let waited = started.elapsed();
            if !told && (in_the_way.is_some() || waited > PERIOD) {
                waiting(&owner);
                told = true;
            }
            if wait.cancel.is_cancelled() {
                return Err(LockError::Stopped(path.to_owned()));
            }
            if waited >= wait.patience {
                return Err(LockError::Held { path: path.to_owned(), owner, waited });
            }
            std::thread::sleep(PERIOD);
        }
    }

    /// Releases the lock and removes its file, which nobody needs any more.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(self) -> Result<(), FsError> {
        super::fs::remove_file(&self.path)
    }

    /// Every file that a lock at `path` may have: its own, the claim, and what takers leave for a moment.
    pub fn is_part(path: &Path, file: &Path) -> bool {
        let (Some(lock), Some(name)) = (path.file_name(), file.file_name()) else { return false };
        let (lock, name) = (lock.to_string_lossy(), name.to_string_lossy());
        name.strip_prefix(&*lock).is_some_and(|rest| rest.is_empty() || rest.starts_with(place::ENDING))
    }
}

fn is_full(error: &FsError) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}
