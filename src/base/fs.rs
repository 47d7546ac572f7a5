//! Files, with the verb and the path in every error, and writes that are whole or absent.

use std::{
    ffi::OsStr,
    fmt::Display,
    fs::DirEntry,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Once,
};

use rustix::fs::Access;

use super::lock;

/// A file operation that failed: what was tried, on which path, and why not.
#[derive(Debug, thiserror::Error)]
#[error("could not {verb} `{}`: {why}", path.display())]
pub struct FsError {
    verb: &'static str,
    path: PathBuf,
    // Not called `source`: the sentence says it already, and a report would say it twice.
    why: io::Error,
}

impl FsError {
    /// Wraps an error of the operating system; `verb` completes "could not …".
    pub fn new(verb: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { verb, path: path.into(), why: source }
    }

    /// What the error is about.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it failed because the disk, or the user's quota, is full.
    pub fn is_full(&self) -> bool {
        super::causes::is_full(self.why.kind())
    }

    /// The kind of the operating system's error.
    pub fn kind(&self) -> io::ErrorKind {
        self.why.kind()
    }
}

impl miette::Diagnostic for FsError {
    fn code(&self) -> Option<Box<dyn Display + '_>> {
        Some(Box::new("envbuild::file"))
    }

    /// What to do about what many meet; what the operating system says otherwise has no remedy that is known here.
    fn help(&self) -> Option<Box<dyn Display + '_>> {
        let only_looks = ["read", "look", "list", "find", "open", "follow", "resolve", "run"];
        let help = match self.kind() {
            io::ErrorKind::PermissionDenied if only_looks.iter().any(|it| self.verb.starts_with(it)) => {
                "you may not read it: become somebody who may, or ask its owner"
            }
            io::ErrorKind::PermissionDenied => "you may not write there: choose another place, or ask its owner",
            io::ErrorKind::ReadOnlyFilesystem => {
                "nothing can be written there, for that file system is read-only: choose a place on another one"
            }
            io::ErrorKind::StorageFull => "its disk is full: make room there, or choose a place on another one",
            io::ErrorKind::QuotaExceeded => "your quota there is used up: delete something, or choose another place",
            io::ErrorKind::NotADirectory => "what stands where a folder has to be is none: choose another place",
            _ => return None,
        };
        Some(Box::new(help))
    }
}

/// Reads a whole file.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, FsError> {
    std::fs::read(path).map_err(|source| FsError::new("read", path, source))
}

/// Reads a whole file as UTF-8.
///
/// # Errors
/// When it cannot be read or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FsError> {
    std::fs::read_to_string(path).map_err(|source| FsError::new("read", path, source))
}

/// Reads a whole file, or nothing when there is none.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FsError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FsError::new("read", path, source)),
    }
}

/// Makes a folder and its parents; one that is there is fine.
///
/// # Errors
/// When it cannot be made.
pub fn create_dir_all(path: &Path) -> Result<(), FsError> {
    std::fs::create_dir_all(path).map_err(|source| FsError::new("make the folder", path, source))
}

/// Makes sure that a file's folder is there, for a writer that must not make it again when somebody has removed it.
///
/// # Errors
/// When it is not there.
pub fn require_folder_of(path: &Path) -> Result<(), FsError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    folder.read_dir().map(drop).map_err(|source| FsError::new("find", folder, source))
}

/// Makes sure that something can be written at a path, before anybody works for it: that the nearest folder above it can be
/// written to. What the folder's disk has room for is another question.
///
/// # Errors
/// When it is no folder, or cannot be written to.
pub fn require_writable(goal: &Path) -> Result<(), FsError> {
    let there = goal.ancestors().skip(1).find(|it| it.symlink_metadata().is_ok());
    let folder = there.filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let writable = if folder.is_dir() {
        rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from)
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    };
    writable.map_err(|source| FsError::new("write into", folder, source))
}

/// Writes a file beside its place, syncs it and renames it, so that a reader sees the old content or the new one. The
/// file can be read by everyone (0644 less the umask).
///
/// # Errors
/// When a step fails; nothing is left behind then.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    create_dir_all(folder)?;
    let write = || -> io::Result<()> {
        let mut file = new_beside(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        place(file, path)
    };
    write().map_err(|source| FsError::new("write", path, source))
}

/// Copies a file beside its new place, syncs and renames it. The mode becomes 0644.
///
/// # Errors
/// When a step fails; nothing is left behind then.
pub fn copy_atomic(from: &Path, to: &Path) -> Result<(), FsError> {
    let folder = to.parent().unwrap_or(Path::new("."));
    create_dir_all(folder)?;
    let mut source = std::fs::File::open(from).map_err(|error| FsError::new("read", from, error))?;
    let mut copy = || -> io::Result<()> {
        let mut file = new_beside(folder)?;
        io::copy(&mut source, &mut file)?;
        file.as_file().sync_all()?;
        place(file, to)
    };
    copy().map_err(|error| FsError::new("write", to, error))
}

/// Writes a file beside the one that it replaces, gives it the other's mode and renames it. It is not synced: this is for
/// what can be made again.
///
/// # Errors
/// When a step fails, or there is no file to replace; nothing is left behind then.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let write = || -> io::Result<()> {
        let mode = path.metadata()?.permissions();
        let mut file = new_beside(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(mode)?;
        place(file, path)
    };
    write().map_err(|source| FsError::new("write", path, source))
}

/// The prefix of every temporary file and folder that this program makes, so that a sweep knows its own. What follows says
/// which process has made it.
pub const TEMPORARY: &str = ".envbuild-tmp-";

fn temporary() -> String {
    format!("{TEMPORARY}{}-", lock::signature())
}

fn new_beside(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;
    tempfile::Builder::new()
        .prefix(&temporary())
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(folder)
}

/// Gives a file that is written its name. The rename goes through libc, where the tests can stand in its way; the
/// library's own does not. A file that cannot be renamed is removed.
fn place(file: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    let (_, beside) = file.into_parts();
    std::fs::rename(&beside, path)?;
    beside.keep().map_err(|error| error.error)?;
    Ok(())
}

/// Renames a file or folder within one file system.
///
/// # Errors
/// When it cannot be renamed.
pub fn rename(from: &Path, to: &Path) -> Result<(), FsError> {
    std::fs::rename(from, to).map_err(|source| FsError::new("rename into place", to, source))
}

/// Removes a file; one that is not there is fine.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove_file(path: &Path) -> Result<(), FsError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FsError::new("remove", path, error)),
        _ => Ok(()),
    }
}

/// Removes a folder with all that is in it; one that is not there is fine.
///
/// # Errors
/// When something in it cannot be removed.
pub fn remove_dir_all(path: &Path) -> Result<(), FsError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FsError::new("remove", path, error)),
        _ => Ok(()),
    }
}

/// Removes a file, a link (not what it leads to) or a folder with all that is in it; what is not there is fine.
///
/// # Errors
/// When something cannot be removed.
pub fn remove(path: &Path) -> Result<(), FsError> {
    let is_folder = path.symlink_metadata().is_ok_and(|it| it.is_dir());
    if is_folder { remove_dir_all(path) } else { remove_file(path) }
}

/// The bytes of all files below a path; links count as themselves, and what cannot be read as nothing.
pub fn size(path: &Path) -> u64 {
    let Ok(metadata) = path.symlink_metadata() else { return 0 };
    if metadata.is_dir() { list(path).unwrap_or_default().iter().map(|it| size(it)).sum() } else { metadata.len() }
}

/// The names in a folder, sorted; none when there is no such folder.
///
/// # Errors
/// When the folder is there and cannot be listed.
pub fn list(path: &Path) -> Result<Vec<PathBuf>, FsError> {
    list_named(path, |_| true)
}

fn list_named(path: &Path, is_wanted: impl Fn(&OsStr) -> bool) -> Result<Vec<PathBuf>, FsError> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|source| FsError::new("list", path, source))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| FsError::new("list", path, source))?;
        if is_wanted(&entry.file_name()) {
            paths.push(entry.path());
        }
    }
    // All are of one folder, so that this is the order of their names; to compare paths part by part takes long.
    paths.sort_unstable_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    Ok(paths)
}

/// What is in a folder, sorted by name; nothing when there is no such folder.
///
/// # Errors
/// As for [`list`].
pub fn entries(path: &Path) -> Result<Vec<DirEntry>, FsError> {
    let fail = |source| FsError::new("list", path, source);
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(fail)?,
    };
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(fail)?;
    entries.sort_by_cached_key(DirEntry::file_name);
    Ok(entries)
}

/// What stands in a folder under a temporary name, sorted: somebody is writing it, or was killed.
///
/// # Errors
/// When the folder cannot be listed.
pub fn leftovers(folder: &Path) -> Result<Vec<PathBuf>, FsError> {
    list_named(folder, |name| name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes()))
}

/// Removes from a folder what a killed program has left there under a temporary name. Nobody else may work in it.
///
/// # Errors
/// When the folder cannot be listed, or something cannot be removed.
pub fn sweep(folder: &Path) -> Result<(), FsError> {
    for path in leftovers(folder)? {
        if path.is_dir() { remove_dir_all(&path)? } else { remove_file(&path)? }
    }
    Ok(())
}

/// Removes from a folder, in which others may work, what programs have left there that were killed on this machine since it was
/// started. What cannot be removed stays.
pub fn sweep_dead(folder: &Path) {
    for path in leftovers(folder).unwrap_or_default() {
        let name = path.file_name().and_then(OsStr::to_str).and_then(|it| it.strip_prefix(TEMPORARY));
        if name.is_some_and(lock::has_ended) {
            drop(remove(&path));
        }
    }
}

/// From now on the libraries of this process make their temporary files in this folder, not where the system has them: what
/// a killed program leaves there is swept away with the folder, which the caller makes before it is needed. Only the
/// first call counts.
pub fn temporary_files_in(folder: &Path) {
    // It fails when there was a call before.
    drop(tempfile::env::override_temp_dir(folder));
}

/// A temporary folder beside the place where its content will go; removed when dropped.
#[derive(Debug)]
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// A fresh folder where the temporary files of this process are. The first one takes the place of what dead ones have left.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> Result<Self, FsError> {
        static SWEPT: Once = Once::new();
        let folder = tempfile::env::temp_dir();
        SWEPT.call_once(|| sweep_dead(&folder));
        Self::inside(&folder)
    }

    /// A fresh folder beside the place where something is to be, which may be anybody's: what others have left there whom
    /// somebody killed goes first.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn beside(goal: &Path) -> Result<Self, FsError> {
        let folder = goal.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sweep_dead(folder);
        Self::inside(folder)
    }

    /// A fresh folder inside `parent`, which is made when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn inside(parent: &Path) -> Result<Self, FsError> {
        create_dir_all(parent)?;
        tempfile::Builder::new()
            .prefix(&temporary())
            .tempdir_in(parent)
            .map(Self)
            .map_err(|source| FsError::new("make a temporary folder in", parent, source))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}
