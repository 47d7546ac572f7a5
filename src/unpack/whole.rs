//! Unpacks an archive and writes the prefix into its files in one pass.
//!
//! Everything goes into a folder beside the destination, which is renamed when it is whole: an interrupted or failed
//! unpack leaves nothing at the destination.

use std::{
    ffi::OsStr,
    io::ErrorKind,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use super::{
    crew,
    deployed::{Deployed, absolute, bytes_of},
    error::UnpackError,
    grow::{Job, Tree, mark},
    head::Head,
    machine::{Machine, check_machine, check_prefix},
    reader::Reader,
    room::{Wanted, told},
    site::Site,
    update,
};
use crate::{
    archive::{Kind, Member},
    base::{Cancel, Disk, FsError, Meter, Progress, Scratch, fs},
    tree::{Digests, FILES, FOLDER, MARKER},
};

/// What to unpack, and where to.
#[derive(Debug, Clone, Copy)]
pub struct UnpackRequest<'a> {
    /// An archive of `envbuild pack`.
    pub archive: &'a Path,
    /// Where the environment is to live: nothing may be there but an empty folder; for an update, the environment on
    /// which it builds. A relative path is made absolute.
    pub prefix: &'a Path,
    /// Where it is to run; [`Machine::default`] suits every environment.
    pub machine: &'a Machine,
    /// Threads that write, at least one. Their number does not change the result.
    pub threads: u32,
    /// Is told how many bytes of the archive's files are written.
    pub progress: Progress<'a>,
    /// When it is raised, what was written is deleted again.
    pub cancel: &'a Cancel,
}

/// What was unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unpacked {
    /// Regular files.
    pub files: u64,
    /// Their size in the archive, in bytes.
    pub bytes: u64,
    /// Files and symbolic links into which the prefix was written.
    pub replaced: u64,
}

/// How many bytes of small files may wait for a thread that writes them.
const WAITING: usize = 32 << 20;

/// Unpacks an archive; `bin/conda-unpack` need not be run afterwards.
///
/// # Errors
/// When the destination is occupied or cannot be the path of this environment, when the environment cannot run on the
/// machine or has no room there, when the archive is not one of ours, is damaged, or holds an entry that reaches outside
/// or is not in its list, when a file cannot be written, or when somebody wants it to stop.
pub fn unpack(request: &UnpackRequest<'_>) -> Result<Unpacked, UnpackError> {
    if is_environment(request.archive) {
        return Err(UnpackError::Environment(request.archive.to_owned()));
    }
    let mut reader = Reader::open(request.archive)?;
    let opened = Opened { head: reader.head()?, reader };
    if let Some(since) = opened.head.header.since {
        return update::apply(request, opened, since);
    }
    let head = &opened.head;
    let prefix = destination(request.prefix)?;
    check_machine(request.archive, head, request.machine)?;
    check_prefix(&prefix, head.header.placeholder.len())?;
    let disk = Disk::of(prefix.parent().unwrap_or(Path::new("/")))?;
    let wanted = Wanted::by(&disk, head, bytes_of(&prefix), |_, _| true);
    wanted.check(&disk)?;
    let nothing_else = |_: &mut Tree<'_>, _: &Head| Ok(());
    let grown = grow(request, opened, &prefix, nothing_else, |inside| place(inside, &prefix));
    grown.map_err(|error| told(error, &disk, wanted))
}

/// Whether a folder is no archive because somebody uses it: what was packed names no place, and every installer's prefix is
/// without our lists.
fn is_environment(path: &Path) -> bool {
    path.join(MARKER).is_file() || path.join("conda-meta").is_dir() && !path.join(FOLDER).exists()
}

/// Whether an environment can live at a path: nothing is there but perhaps an empty folder, and files whose room for a prefix
/// is `limit` bytes can name it. Gives the path, absolute and without `..`.
///
/// # Errors
/// When it cannot.
pub fn require_place(prefix: &Path, limit: usize) -> Result<PathBuf, UnpackError> {
    let prefix = destination(prefix)?;
    check_prefix(&prefix, limit)?;
    Ok(prefix)
}

/// Puts a finished environment where it is to live.
///
/// # Errors
/// When something has come there meanwhile, or it is a mount point.
pub fn place(whole: &Path, prefix: &Path) -> Result<(), UnpackError> {
    // An empty folder at the destination is replaced; anything else makes this fail.
    match std::fs::rename(whole, prefix) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory) => {
            Err(UnpackError::Overtaken(prefix.to_owned()))
        }
        Err(error) if error.kind() == ErrorKind::ResourceBusy => Err(UnpackError::MountPoint(prefix.to_owned())),
        Err(error) => Err(FsError::new("rename into place", prefix, error).into()),
    }
}

/// An archive whose beginning is read.
pub(super) struct Opened<'a> {
    pub(super) head: Head,
    pub(super) reader: Reader<'a>,
}

/// Writes the rest of an archive into a fresh folder beside the prefix, adds what `more` knows of, and hands the whole
/// tree to `place`. Whatever is left in that folder is deleted.
pub(super) fn grow(
    request: &UnpackRequest<'_>,
    opened: Opened<'_>,
    prefix: &Path,
    more: impl FnOnce(&mut Tree<'_>, &Head) -> Result<(), UnpackError>,
    place: impl FnOnce(&Path) -> Result<(), UnpackError>,
) -> Result<Unpacked, UnpackError> {
    let Opened { head, mut reader } = opened;
    let scratch = Scratch::beside(prefix)?;
    // The scratch folder is private; the environment is not.
    let inside = scratch.path().join("prefix");
    std::fs::create_dir(&inside).map_err(|error| FsError::new("make the folder", &inside, error))?;
    let new = bytes_of(prefix);
    let meter = Meter::new(request.progress, head.header.holds.bytes);
    let site = Site { root: &inside, archive: request.archive, head: &head, new, meter };
    let write = |job: Job| site.write(&job.name, job.info, &job.bytes);
    let unpacked = crew::lead(request.threads.saturating_sub(1), WAITING, &write, |bench| {
        let mut tree = Tree::new(&site, bench);
        tree.head()?;
        while let Some(member) = reader.next()? {
            if request.cancel.is_cancelled() {
                return Err(UnpackError::Stopped);
            }
            let Member { name, kind, data } = member;
            match kind {
                Kind::Folder if name.is_empty() => {}
                Kind::Folder => tree.folder(&name)?,
                Kind::Link(target) => tree.link(&name, &target)?,
                Kind::File(info) => tree.file(&name, info, data)?,
            }
        }
        more(&mut tree, &head)?;
        tree.finish()
    })?;
    mark(&inside, new)?;
    place(&inside)?;
    Ok(unpacked)
}

/// The list of digests of an archive, or of an environment that was unpacked: what an update can build on.
///
/// # Errors
/// When it is none of ours.
pub fn digests_of(path: &Path) -> Result<Digests, UnpackError> {
    if path.join(FILES).is_file() {
        return Ok(Deployed::at(path)?.head.digests);
    }
    Ok(Reader::open(path)?.head()?.digests)
}

/// The absolute path of the destination, without `..`, where nothing is but perhaps an empty folder.
fn destination(prefix: &Path) -> Result<PathBuf, UnpackError> {
    let absolute = absolute(prefix)?;
    fs::require_writable(&absolute)?;
    match absolute.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() && fs::list(&absolute)?.is_empty() => {
            // A whole environment would be written before the rename fails.
            let parent = absolute.parent().and_then(|parent| parent.metadata().ok());
            match parent {
                Some(parent) if parent.dev() != metadata.dev() => Err(UnpackError::MountPoint(absolute)),
                _ => Ok(absolute),
            }
        }
        Ok(_) => Err(UnpackError::Occupied(absolute)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(absolute),
        Err(error) => Err(FsError::new("look at", absolute, error).into()),
    }
}

/// The path that a name in the archive has below a folder.
pub(super) fn below(folder: &Path, name: &[u8]) -> PathBuf {
    folder.join(OsStr::from_bytes(name))
}
