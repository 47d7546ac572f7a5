//! The operating system's half of a lock.

use std::{
    fs::{File, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::base::FsError;

/// Whether flock is asked at all; said once, when the program starts.
static TRUSTED: AtomicBool = AtomicBool::new(true);

pub(super) fn trust_none() {
    TRUSTED.store(false, Ordering::SeqCst);
}

pub(super) fn is_trusted() -> bool {
    TRUSTED.load(Ordering::SeqCst)
}

/// A held flock; closing the file releases it.
#[derive(Debug)]
pub(super) struct Flock {
    _file: File,
}

/// What came of trying.
pub(super) enum Tried {
    /// It is ours.
    Taken(Flock),
    /// Somebody has it.
    Busy,
    /// The file system knows no such thing.
    Unknown,
}

impl Flock {
    pub(super) fn attempt(path: &Path) -> Result<Tried, FsError> {
        let fail = |source| FsError::new("lock", path, source);
        let file = open(path).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Tried::Busy),
            Err(TryLockError::Error(error)) if is_unknown(&error) => return Ok(Tried::Unknown),
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        // Whoever held it may have removed the file: then others lock a new one.
        let same = |there: &std::fs::Metadata, ours: &std::fs::Metadata| {
            (there.dev(), there.ino()) == (ours.dev(), ours.ino())
        };
        match (path.metadata(), file.metadata()) {
            (Ok(there), Ok(ours)) if same(&there, &ours) => Ok(Tried::Taken(Self { _file: file })),
            _ => Ok(Tried::Busy),
        }
    }
}

/// Opens the lock file, and makes it only when it is not there: in a folder that everybody may write to, Linux refuses
/// to open another user's file with the wish to create it.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => options.create(true).truncate(false).open(path),
        other => other,
    }
}

/// Whether an error says that there are no such locks here: file systems without them, servers whose lock daemon is off.
fn is_unknown(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let known = [Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOLCK, Errno::INVAL];
    known.iter().any(|it| error.raw_os_error() == Some(it.raw_os_error()))
}
