//! Unpacks an archive and writes the prefix into its files in one pass.
//!
//! Everything goes into a folder beside the destination, which is renamed when it is whole: an interrupted or failed
//! unpack leaves nothing at the destination.

use std::{
    ffi::OsStr,
    fs::File,
    io::{BufReader, ErrorKind, Read as _},
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Component, Path, PathBuf},
};

use super::{
    error::PackError,
    members::{self, Fault, FileInfo, Kind, Member},
    placeholder::{check_prefix, is_placeholder},
    relocation::{FORMAT, HEAD, Header, Relocation},
    tree::Tree,
};
use crate::base::{Cancel, FsError, Scratch, fs};

/// What to unpack, and where to.
#[derive(Debug, Clone, Copy)]
pub struct UnpackRequest<'a> {
    /// An archive made by [`pack`](super::pack()).
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

/// The longest relocation list that is read into memory, in bytes: two million files.
const LONGEST_LIST: u64 = 256 << 20;

type Stream = zstd::Decoder<'static, BufReader<File>>;

/// Unpacks an archive; `bin/conda-unpack` need not be run afterwards.
///
/// # Errors
/// When the destination is occupied or cannot be the path of this environment, when the archive is not one of ours, is
/// damaged, or holds an entry that reaches outside, when a file cannot be written, or when somebody wants it to stop.
pub fn unpack(request: &UnpackRequest<'_>) -> Result<Unpacked, PackError> {
    let prefix = destination(request.prefix)?;
    let reader = Reader { archive: request.archive };
    let file = File::open(request.archive).map_err(|error| FsError::new("read", request.archive, error))?;
    let stream = zstd::Decoder::new(file).map_err(|error| reader.damaged(error))?;
    let mut archive = tar::Archive::new(stream);
    let mut entries = archive.entries().map_err(|error| reader.damaged(error))?.raw(true);
    let head = reader.head(&mut entries)?;
    check_prefix(&prefix, &head.header.placeholder)?;

    let scratch = Scratch::inside(prefix.parent().unwrap_or(Path::new("/")))?;
    // The scratch folder is private; the environment is not.
    let inside = scratch.path().join("prefix");
    std::fs::create_dir(&inside).map_err(|error| FsError::new("make the folder", &inside, error))?;
    let new = prefix.as_os_str().as_bytes();
    let mut tree = Tree::new(&inside, request.archive, &head.relocation, (head.header.placeholder.as_bytes(), new));
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
            return Err(PackError::Stopped);
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
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Err(PackError::Occupied(prefix)),
        Err(error) if error.kind() == ErrorKind::ResourceBusy => Err(PackError::MountPoint(prefix)),
        Err(error) => Err(FsError::new("rename into place", prefix, error).into()),
    }
}

/// The absolute path of the destination, without `..`, where nothing is but perhaps an empty folder.
fn destination(prefix: &Path) -> Result<PathBuf, PackError> {
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
                Some(parent) if parent.dev() != metadata.dev() => Err(PackError::MountPoint(absolute)),
                _ => Ok(absolute),
            }
        }
        Ok(_) => Err(PackError::Occupied(absolute)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(absolute),
        Err(error) => Err(FsError::new("look at", absolute, error).into()),
    }
}

struct Head {
    header: Header,
    relocation: Relocation,
    /// The contents and times of the files among [`HEAD`], nothing for its folders.
    contents: Vec<Option<(Vec<u8>, u64)>>,
}

struct Reader<'a> {
    archive: &'a Path,
}

impl Reader<'_> {
    fn damaged(&self, source: std::io::Error) -> PackError {
        PackError::Damaged { path: self.archive.to_owned(), source }
    }

    fn strange(&self, reason: impl Into<String>) -> PackError {
        PackError::NotAnArchive { path: self.archive.to_owned(), reason: reason.into() }
    }

    fn next<'a>(&self, entries: &mut tar::Entries<'a, Stream>) -> Result<Option<Member<'a, Stream>>, PackError> {
        members::next(entries).map_err(|fault| match fault {
            Fault::Stream(source) => self.damaged(source),
            Fault::Entry { name, why } => {
                PackError::Refused { path: self.archive.to_owned(), entry: name.escape_ascii().to_string(), why }
            }
        })
    }

    /// Reads the entries with which every archive begins.
    fn head<'a>(&self, entries: &mut tar::Entries<'a, Stream>) -> Result<Head, PackError> {
        let mut contents = Vec::new();
        for name in HEAD {
            // Whatever is wrong here, most likely the file is something else.
            let member = match members::next(entries) {
                Ok(Some(member)) if member.name == name.as_bytes() => member,
                Ok(Some(member)) => {
                    return Err(self.strange(format!("`{}` stands first", member.name.escape_ascii())));
                }
                Ok(None) => return Err(self.strange(format!("it ends before `{name}`"))),
                Err(Fault::Stream(error)) => return Err(self.strange(error.to_string())),
                Err(Fault::Entry { name, why }) => {
                    return Err(self.strange(format!("the entry `{}` {why}", name.escape_ascii())));
                }
            };
            let Member { kind, info: FileInfo { modified, size, .. }, mut data, .. } = member;
            contents.push(match kind {
                Kind::Folder => None,
                Kind::File if size <= LONGEST_LIST => {
                    let mut bytes = Vec::new();
                    data.read_to_end(&mut bytes).map_err(|error| self.damaged(error))?;
                    if bytes.len() as u64 != size {
                        return Err(self.damaged(ErrorKind::UnexpectedEof.into()));
                    }
                    Some((bytes, modified))
                }
                Kind::File | Kind::Link(_) => return Err(self.strange(format!("`{name}` is no list"))),
            });
        }
        let [None, None, Some(header), Some(binary), Some(links), Some(text)] = contents.as_slice() else {
            return Err(self.strange("its first entries are not two folders and four files"));
        };
        // A later format may have other keys: the number is looked at first.
        let value: serde_json::Value =
            serde_json::from_slice(&header.0).map_err(|error| self.strange(error.to_string()))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(FORMAT) => {}
            Some(found) => return Err(PackError::Format { path: self.archive.to_owned(), found, known: FORMAT }),
            None => return Err(self.strange("it names no format")),
        }
        let header: Header = serde_json::from_value(value).map_err(|error| self.strange(error.to_string()))?;
        if !is_placeholder(&header.placeholder) {
            return Err(PackError::Placeholder(header.placeholder));
        }
        let relocation = Relocation::parse(&text.0, &binary.0, &links.0)
            .ok_or_else(|| self.strange("its lists of files are malformed"))?;
        Ok(Head { header, relocation, contents })
    }

    /// Reads to the end, so that the checksum is verified. After the last entry stand blocks of zeros; without them the
    /// archive was cut between two entries.
    fn end(&self, mut stream: Stream) -> Result<(), PackError> {
        let mut zeros = 0;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.damaged(error)),
            };
            if buffer[..read].iter().any(|byte| *byte != 0) {
                return Err(self.damaged(std::io::Error::other("something follows the last entry")));
            }
            zeros += read;
        }
        // `tar` has consumed the first of the two blocks.
        if zeros < 512 {
            return Err(self.damaged(ErrorKind::UnexpectedEof.into()));
        }
        Ok(())
    }
}

/// The path that a name in the archive has below a folder.
pub(super) fn below(folder: &Path, name: &[u8]) -> PathBuf {
    folder.join(OsStr::from_bytes(name))
}
