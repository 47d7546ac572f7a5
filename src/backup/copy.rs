//! Writes a tree into a folder, and shares the bytes of files that do not change where the file system can.

use std::{
    ffi::OsStr,
    fs::{File as OsFile, Permissions},
    io::{self, Write as _},
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use rayon::prelude::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::error::BackupError;
use crate::{
    base::{Cancel, FsError, fs},
    tree::{Entries, Entry, File},
};

/// How files may share their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// By reflinks, which nobody can tell from copies, and by hard links where that is allowed.
    Any,
    /// Each file has bytes of its own.
    None,
}

/// What to write, and where to.
#[derive(Clone, Copy)]
pub struct CopyRequest<'a> {
    /// The tree.
    pub entries: &'a Entries,
    /// A folder that does not exist yet; its parent does.
    pub to: &'a Path,
    /// Whether a file may become a hard link: whoever writes into one of the two later writes into both.
    pub may_link: &'a (dyn Fn(&[u8]) -> bool + Sync),
    /// Whether bytes may be shared at all.
    pub sharing: Sharing,
    /// When it is raised, the copy stops; what was written stays for the caller to delete.
    pub cancel: &'a Cancel,
}

/// How many files came how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Regular files in all.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that share their blocks.
    pub reflinked: u64,
    /// Those that are the same file.
    pub linked: u64,
}

/// Writes a tree. Files that are on disk as they are keep their modes and times.
///
/// # Errors
/// When a file cannot be read or written, changed meanwhile, or somebody wants it to stop.
pub fn copy(request: &CopyRequest<'_>) -> Result<Copied, BackupError> {
    std::fs::create_dir(request.to).map_err(|error| FsError::new("make the folder", request.to, error))?;
    let mut files = Vec::new();
    let place = |name: &[u8]| request.to.join(OsStr::from_bytes(name));
    // A folder's name comes before those of what is in it.
    for (name, entry) in request.entries {
        let path = place(name);
        match entry {
            Entry::Folder => fs::create_dir_all(&path)?,
            Entry::Link(target) => {
                std::os::unix::fs::symlink(OsStr::from_bytes(target), &path)
                    .map_err(|error| FsError::new("write the link", &path, error))?;
            }
            Entry::File(file) => files.push((name.as_slice(), file)),
        }
    }
    let writer = Writer {
        request,
        reflinks: AtomicBool::new(request.sharing == Sharing::Any),
        links: AtomicBool::new(request.sharing == Sharing::Any),
        reflinked: AtomicU64::new(0),
        linked: AtomicU64::new(0),
    };
    let one = |(name, file): (&[u8], &File)| {
        if request.cancel.is_cancelled() {
            return Err(BackupError::Stopped);
        }
        Ok(writer.write(name, file, &place(name))?)
    };
    let count = files.len() as u64;
    let bytes = files.iter().map(|(_, file)| file.content.size()).sum();
    files.into_par_iter().with_max_len(16).try_for_each(one)?;
    let [reflinked, linked] = [writer.reflinked, writer.linked].map(AtomicU64::into_inner);
    Ok(Copied { files: count, bytes, reflinked, linked })
}

struct Writer<'a> {
    request: &'a CopyRequest<'a>,
    /// Whether the file system has not refused yet. It refuses for all files or for none.
    reflinks: AtomicBool,
    links: AtomicBool,
    reflinked: AtomicU64,
    linked: AtomicU64,
}

impl Writer<'_> {
    fn write(&self, name: &[u8], file: &File, to: &Path) -> Result<(), FsError> {
        let fail = |error| FsError::new("write", to, error);
        let Some((from, _)) = file.content.on_disk() else {
            self.write_anew(file, to)?;
            return Ok(());
        };
        if tried(&self.reflinks, || reflink_copy::reflink(from, to)).map_err(fail)? {
            self.reflinked.fetch_add(1, Ordering::Relaxed);
            return dress(from, to).map_err(fail);
        }
        if (self.request.may_link)(name) && tried(&self.links, || std::fs::hard_link(from, to)).map_err(fail)? {
            self.linked.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        self.write_anew(file, to)
    }

    fn write_anew(&self, file: &File, to: &Path) -> Result<(), FsError> {
        let fail = |error| FsError::new("write", to, error);
        let mut reader = file.content.open()?;
        let mut writer = io::BufWriter::with_capacity(256 * 1024, OsFile::create_new(to).map_err(fail)?);
        io::copy(&mut reader, &mut writer).and_then(|_| writer.flush()).map_err(fail)?;
        drop(writer);
        match file.content.path() {
            Some(from) => dress(from, to),
            None => std::fs::set_permissions(to, Permissions::from_mode(if file.executable { 0o755 } else { 0o644 })),
        }
        .map_err(fail)
    }
}

/// Does something that file systems may refuse. Says whether it was done; after the first refusal it is not tried again.
fn tried(open: &AtomicBool, act: impl Fn() -> io::Result<()>) -> io::Result<bool> {
    if !open.load(Ordering::Relaxed) {
        return Ok(false);
    }
    match act() {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Full disks and the like are met again by the copy, which tells them better.
        Err(_) => {
            open.store(false, Ordering::Relaxed);
            Ok(false)
        }
    }
}

/// Gives a file the mode and the time of another: bytecode names its source by its time.
fn dress(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = from.metadata()?;
    let file = OsFile::options().write(true).open(to)?;
    file.set_modified(metadata.modified()?)?;
    file.set_permissions(Permissions::from_mode(metadata.permissions().mode() & 0o777))
}
