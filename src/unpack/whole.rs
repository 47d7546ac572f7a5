//! Unpacks an archive and writes the prefix into its files in one pass.
//!
//! Everything goes into a folder beside the destination, which is renamed when it is whole: an interrupted or failed
//! unpack leaves nothing at the destination.

use std::{
    ffi::OsStr,
    fs::File,
    io::{BufReader, ErrorKind},
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use super::{
    crew,
    deployed::absolute,
    error::UnpackError,
    grow::{Job, Tree, mark},
    head::Reader,
    machine::{Machine, check_machine, check_prefix, check_room},
    members::{Kind, Member},
    progress::{Meter, Progress},
    site::Site,
};
use crate::base::{Cancel, FsError, Scratch, fs};

/// What to unpack, and where to.
#[derive(Debug, Clone, Copy)]
pub struct UnpackRequest<'a> {
    /// An archive of `envbuild pack`.
    pub archive: &'a Path,
    /// Where the environment is to live: nothing may be there but an empty folder. A relative path is made absolute.
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
    let reader = Reader { archive: request.archive };
    let file = File::open(request.archive).map_err(|error| FsError::new("read", request.archive, error))?;
    let file = BufReader::with_capacity(256 << 10, file);
    let stream = zstd::Decoder::with_buffer(file).map_err(|error| reader.damaged(error))?;
    let mut archive = tar::Archive::new(stream);
    let mut entries = archive.entries().map_err(|error| reader.damaged(error))?.raw(true);
    let head = reader.head(&mut entries)?;
    let prefix = destination(request.prefix)?;
    check_machine(request.archive, &head, request.machine)?;
    check_prefix(&prefix, head.header.placeholder.len())?;
    let folder = prefix.parent().unwrap_or(Path::new("/"));
    check_room(folder, head.header.holds)?;

    let scratch = Scratch::inside(folder)?;
    // The scratch folder is private; the environment is not.
    let inside = scratch.path().join("prefix");
    std::fs::create_dir(&inside).map_err(|error| FsError::new("make the folder", &inside, error))?;
    let new = prefix.as_os_str().as_bytes();
    let meter = Meter::new(request.progress, head.header.holds.bytes);
    let site = Site { root: &inside, archive: request.archive, head: &head, new, meter };
    let write = |job: Job| site.write(&job.name, job.info, &job.bytes);
    let unpacked = crew::lead(request.threads.saturating_sub(1), WAITING, &write, |bench| {
        let mut tree = Tree::new(&site, bench);
        tree.head()?;
        while let Some(member) = reader.next(&mut entries)? {
            if request.cancel.is_cancelled() {
                return Err(UnpackError::Stopped);
            }
            let Member { name, kind, mut data } = member;
            match kind {
                Kind::Folder => tree.folder(&name)?,
                Kind::Link(target) => tree.link(&name, &target)?,
                Kind::File(info) => tree.file(&name, info, &mut data)?,
            }
        }
        tree.finish()
    })?;
    drop(entries);
    reader.end(archive.into_inner())?;
    mark(&inside, new)?;
    // An empty folder at the destination is replaced; anything that came there meanwhile makes this fail.
    match std::fs::rename(&inside, &prefix) {
        Ok(()) => Ok(unpacked),
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Err(UnpackError::Occupied(prefix)),
        Err(error) if error.kind() == ErrorKind::ResourceBusy => Err(UnpackError::MountPoint(prefix)),
        Err(error) => Err(FsError::new("rename into place", prefix, error).into()),
    }
}

/// The absolute path of the destination, without `..`, where nothing is but perhaps an empty folder.
fn destination(prefix: &Path) -> Result<PathBuf, UnpackError> {
    let absolute = absolute(prefix)?;
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
