//! An environment that was unpacked, by whatever: what it says of itself, and what its files hold.

use std::{
    fs::File,
    io::{self, BufReader, ErrorKind, Read},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Component, Path, PathBuf},
};

use super::{
    error::UnpackError,
    head::{Content, Head, Strange},
    whole::below,
};
use crate::{
    base::{Digest, FsError, fs},
    tree::{DigestOf, FOLDER, HEAD, HEADER, MARKER, PART, Places, Splicer, with_prefix},
};

/// An environment on disk.
pub(super) struct Deployed {
    /// Where it lies: an absolute path.
    pub(super) prefix: PathBuf,
    pub(super) head: Head,
    /// The prefixes that its files may name, without doubles; one, when `whole`.
    pub(super) named: Vec<Vec<u8>>,
    /// Whether all of its files name the same prefix. Otherwise somebody was interrupted while he wrote another.
    pub(super) whole: bool,
}

impl Deployed {
    /// Reads what an environment says of itself.
    ///
    /// # Errors
    /// When there is none, or it did not come from an archive of ours.
    pub(super) fn at(prefix: &Path) -> Result<Self, UnpackError> {
        let prefix = absolute(prefix)?;
        if prefix.is_file() {
            return Err(UnpackError::NotDeployed(prefix));
        }
        let mut contents = Vec::new();
        for name in HEAD {
            let path = below(&prefix, name.as_bytes());
            let content = if name == "conda-meta" || name == FOLDER {
                None
            } else {
                let bytes = fs::read_if_there(&path)?.ok_or_else(|| UnpackError::NotDeployed(prefix.clone()))?;
                Some(Content { bytes, executable: false, modified: 0 })
            };
            contents.push((name, content));
        }
        let head = Head::parse(contents).map_err(|strange| match strange {
            Strange::Reason(reason) => UnpackError::Lists { prefix: prefix.clone(), reason },
            other => other.about(&below(&prefix, HEADER.as_bytes())),
        })?;
        let lines = |name: &str| -> Result<Option<Vec<Vec<u8>>>, FsError> {
            let text = fs::read_if_there(&below(&prefix, name.as_bytes()))?;
            let lines = text.map(|it| it.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>());
            Ok(lines.map(|it| it.into_iter().filter(|line| !line.is_empty()).collect()))
        };
        // The marker goes before the first file is rewritten, and comes after the last one.
        let (named, whole) = match (lines(MARKER)?, lines(PART)?) {
            (Some(marker), _) => (marker, true),
            (None, None) => (vec![head.header.prefix.clone().into_bytes()], true),
            (None, Some(mut part)) => {
                if part.len() < 2 {
                    part.push(head.header.prefix.clone().into_bytes());
                }
                (part, false)
            }
        };
        Ok(Self { prefix, head, named, whole })
    }

    /// Which of the prefixes a listed file or link names, when nothing else in it changed; the first, when it holds none.
    ///
    /// # Errors
    /// When it cannot be read. [`ErrorKind::NotFound`] when it is not there.
    pub(super) fn state(&self, name: &[u8], of: &DigestOf) -> Result<Option<usize>, FsError> {
        let path = below(&self.prefix, name);
        let metadata = path.symlink_metadata().map_err(|error| FsError::new("look at", &path, error))?;
        let canonical = self.head.header.placeholder.as_bytes();
        let same = match of.kind {
            'D' => metadata.is_dir(),
            'L' => metadata.is_symlink(),
            kind => metadata.is_file() && (kind == 'X') == is_executable(&metadata),
        };
        if !same || of.kind == 'D' {
            return Ok(same.then_some(0));
        }
        if of.kind == 'L' {
            let target = path.read_link().map_err(|error| FsError::new("read the link", &path, error))?;
            let target = target.into_os_string().into_vec();
            return Ok(match self.head.relocation.links.get(name) {
                Some(link) => self.named.iter().position(|prefix| with_prefix(link, canonical, prefix) == target),
                None => (Digest::of(&target) == of.digest).then_some(0),
            });
        }
        let Some(places) = self.head.relocation.places.get(name) else {
            if metadata.len() != of.size {
                return Ok(None);
            }
            let digest = digest(&path, None).map_err(|error| FsError::new("read", &path, error))?;
            return Ok((digest == of.digest).then_some(0));
        };
        for (index, prefix) in self.named.iter().enumerate() {
            if places.splices(canonical.len(), canonical, prefix).size_after(of.size) != metadata.len() {
                continue;
            }
            match digest(&path, Some((places, prefix, canonical))) {
                Ok(digest) if digest == of.digest => return Ok(Some(index)),
                Err(error) if error.kind() != ErrorKind::InvalidData => {
                    return Err(FsError::new("read", &path, error));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

/// The digest of a file, turned back from naming a prefix into its canonical form.
fn digest(path: &Path, named: Option<(&Places, &[u8], &[u8])>) -> io::Result<Digest> {
    let file = File::open(path)?;
    match named {
        None => hash(file),
        Some((places, prefix, canonical)) => {
            let splices = places.splices(canonical.len(), prefix, canonical);
            hash(Splicer::new(BufReader::with_capacity(32 << 10, file), &splices))
        }
    }
}

fn hash(mut reader: impl Read) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 32 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher.into()),
            Ok(read) => {
                hasher.update(&buffer[..read]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

/// An absolute path, without `..`.
///
/// # Errors
/// When there is no current folder.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, UnpackError> {
    let fail = |error| FsError::new("find the path of", path, error);
    let mut absolute = PathBuf::new();
    for part in std::path::absolute(path).map_err(fail)?.components() {
        if part == Component::ParentDir {
            // What `..` leads to depends on symbolic links.
            absolute = absolute.canonicalize().unwrap_or(absolute);
            absolute.pop();
        } else {
            absolute.push(part);
        }
    }
    Ok(absolute)
}

/// The bytes of a path.
pub(super) fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}
