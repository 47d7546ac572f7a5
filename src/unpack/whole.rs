//! Unpacks an archive and writes the prefix into its files in one pass.
//!
//! Everything goes into a folder beside the destination, which is renamed when it is whole: an interrupted or failed
//! unpack leaves nothing at the destination.

use std::{
    ffi::OsStr,
    fs::File,
    io::ErrorKind,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Component, Path, PathBuf},
};

use super::{
    error::UnpackError,
    grow::Tree,
    head::Reader,
    members::{FileInfo, Kind, Member},
};
use crate::{
    base::{Cancel, FsError, Scratch, fs},
    tree::{HEAD, PrefixFault, prefix_fault},
};

/// What to unpack, and where to.
#[derive(Debug, Clone, Copy)]
pub struct UnpackRequest<'a> {
    /// An archive of `envbuild pack`.
    pub archive: &'a Path,
    /// Where the environment is to live: nothing may be there but an empty folder. A relative path is made absolute.
    pub prefix: &'a Path,
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

/// Unpacks an archive; `bin/conda-unpack` need not be run afterwards.
///
/// # Errors
/// When the destination is occupied or cannot be the path of this environment, when the archive is not one of ours, is
/// damaged, or holds an entry that reaches outside, when a file cannot be written, or when somebody wants it to stop.
pub fn unpack(request: &UnpackRequest<'_>) -> Result<Unpacked, UnpackError> {
    let prefix = destination(request.prefix)?;
    let reader = Reader { archive: request.archive };
    let file = File::open(request.archive).map_err(|error| FsError::new("read", request.archive, error))?;
    let stream = zstd::Decoder::new(file).map_err(|error| reader.damaged(error))?;
    let mut archive = tar::Archive::new(stream);
    let mut entries = archive.entries().map_err(|error| reader.damaged(error))?.raw(true);
    let head = reader.head(&mut entries)?;
    check_prefix(&prefix, head.header.placeholder.len())?;

    let scratch = Scratch::inside(prefix.parent().unwrap_or(Path::new("/")))?;
    // The scratch folder is private; the environment is not.
    let inside = scratch.path().join("prefix");
    std::fs::create_dir(&inside).map_err(|error| FsError::new("make the folder", &inside, error))?;
    let new = prefix.as_os_str().as_bytes();
    let mut tree = Tree::new(&inside, request.archive, &head, new);
    tree.reserve_marker();
    for (name, content) in HEAD.iter().zip(&head.contents) {
        match content {
            Some((bytes, modified)) => {
                let info = FileInfo { modified: *modified, executable: false, size: bytes.len() as u64 };
                tree.file(name.as_bytes(), info, &mut bytes.as_slice())?;
            }
            None => tree.folder(name.as_bytes())?,
        }
    }
    while let Some(member) = reader.next(&mut entries)? {
        if request.cancel.is_cancelled() {
            return Err(UnpackError::Stopped);
        }
        let Member { name, kind, info, mut data } = member;
        match kind {
            Kind::Folder => tree.folder(&name)?,
            Kind::Link(target) => tree.link(&name, target)?,
            Kind::File => tree.file(&name, info, &mut data)?,
        }
    }
    reader.end(archive.into_inner())?;
    let unpacked = tree.finish()?;
    // An empty folder at the destination is replaced; anything that came there meanwhile makes this fail.
    match std::fs::rename(&inside, &prefix) {
        Ok(()) => Ok(unpacked),
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Err(UnpackError::Occupied(prefix)),
        Err(error) if error.kind() == ErrorKind::ResourceBusy => Err(UnpackError::MountPoint(prefix)),
        Err(error) => Err(FsError::new("rename into place", prefix, error).into()),
    }
}

fn check_prefix(prefix: &Path, limit: usize) -> Result<(), UnpackError> {
    let prefix = || prefix.to_owned();
    match prefix_fault(&prefix(), limit) {
        None => Ok(()),
        Some(PrefixFault::Character(what)) => Err(UnpackError::PrefixCharacter { prefix: prefix(), what }),
        Some(PrefixFault::Length { length, limit }) => {
            Err(UnpackError::PrefixLength { prefix: prefix(), length, limit })
        }
    }
}

/// The absolute path of the destination, without `..`, where nothing is but perhaps an empty folder.
fn destination(prefix: &Path) -> Result<PathBuf, UnpackError> {
    let fail = |error| FsError::new("find the path of", prefix, error);
    let mut absolute = PathBuf::new();
    for part in std::path::absolute(prefix).map_err(fail)?.components() {
        if part == Component::ParentDir {
            // What `..` leads to depends on symbolic links.
            absolute = absolute.canonicalize().unwrap_or(absolute);
            absolute.pop();
        } else {
            absolute.push(part);
        }
    }
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
