//! What reads an archive that nobody vouches for, and lets pass only what an environment needs.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use super::{
    ahead::Ahead, error::Fault, folder::FolderSource, format::Format, parts, self_extracting, squashfs, tarball, zipped,
};
use crate::base::FsError;

/// One entry that may be written to disk.
pub struct Member<'a> {
    /// The name, relative, without empty, `.` and `..` parts. Whether it came before, and whether a link stands in its
    /// way, is for the caller to see.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Gives a file's content: exactly its size in bytes, or an error, which [`Fault::from`] turns into a fault. What
    /// is not read is skipped.
    pub data: &'a mut dyn Read,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A regular file.
    File(FileInfo),
    /// A symbolic link with its target.
    Link(Vec<u8>),
}

/// What matters of a file beside its name and content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileInfo {
    /// Whether anybody may execute it.
    pub executable: bool,
    /// Seconds since 1970; 0 when the archive has none.
    pub modified: u64,
    /// The content's length in bytes.
    pub size: u64,
}

/// How much an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries of every kind.
    pub entries: u64,
    /// Bytes in all files together.
    pub bytes: u64,
}

/// Gives the entries of an archive one after the other, each as it could be written to disk. Hard links, devices,
/// pipes, sockets, files that run as their owner, names that lead outside or are too long, sizes that lie, entries
/// beyond the limits, an archive that was cut and bytes after its end are errors; two entries of the same name are not.
pub trait Source: Send {
    /// The next entry, or nothing at the end, which was checked then.
    ///
    /// # Errors
    /// See the trait. After an error the archive is not read any further.
    fn next(&mut self) -> Result<Option<Member<'_>>, Fault>;
}

/// What an archive is read from.
pub trait Input: Read + Seek + Send {}

impl<T: Read + Seek + Send> Input for T {}

/// Opens an archive, which its first bytes tell, not its name; or a folder; or the parts of an archive, by the name of
/// the first or their common stem. Where the container has an index (zip, squashfs, folder), the entries named in
/// `first` come first, in this order; one that is not there is left out.
///
/// # Errors
/// When it cannot be read, or is none of these.
pub fn open(path: &Path, first: &[&str], limits: Limits) -> Result<Box<dyn Source>, Fault> {
    if path.is_dir() {
        return Ok(Box::new(Guarded::new(Box::new(FolderSource::new(path, first, limits)?))));
    }
    if let Some(joined) = parts::join(path)? {
        let inner = inner(Box::new(joined), first, limits).map_err(parts::perhaps)?;
        return Ok(Box::new(Guarded { inner, failed: false, parts: true }));
    }
    read(input(path)?, first, limits)
}

/// Gives no entry after an error, and says of parts that they may be in disorder.
struct Guarded {
    inner: Box<dyn Source>,
    failed: bool,
    parts: bool,
}

impl Guarded {
    fn new(inner: Box<dyn Source>) -> Self {
        Self { inner, failed: false, parts: false }
    }
}

impl Source for Guarded {
    fn next(&mut self) -> Result<Option<Member<'_>>, Fault> {
        if self.failed {
            return Err(Fault::damaged("it was given up"));
        }
        let parts = self.parts;
        self.inner.next().map_err(|fault| {
            self.failed = true;
            if parts { parts::perhaps(fault) } else { fault }
        })
    }
}

/// The file or the joined parts at a path, as bytes.
///
/// # Errors
/// When there is no such file, or a part is missing.
pub fn input(path: &Path) -> Result<Box<dyn Input>, Fault> {
    if let Some(joined) = parts::join(path)? {
        return Ok(Box::new(joined));
    }
    Ok(Box::new(File::open(path).map_err(|error| FsError::new("read", path, error))?))
}

/// What a file, or a folder, or the parts of an archive are.
///
/// # Errors
/// As for [`open`].
pub fn format_of(path: &Path) -> Result<Format, Fault> {
    if path.is_dir() { Ok(Format::Folder) } else { sniff(&mut *input(path)?) }
}

/// Reads an archive from an open file, as [`open`] does.
///
/// # Errors
/// When it cannot be read or is no archive.
pub fn read(input: Box<dyn Input>, first: &[&str], limits: Limits) -> Result<Box<dyn Source>, Fault> {
    Ok(Box::new(Guarded::new(inner(input, first, limits)?)))
}

fn inner(mut input: Box<dyn Input>, first: &[&str], limits: Limits) -> Result<Box<dyn Source>, Fault> {
    let format = sniff(&mut *input)?;
    // A decompressor has a thread of its own, so that it works while the caller writes to the disk.
    let buffered = |input| BufReader::with_capacity(256 << 10, input);
    let tar = |stream: Ahead| Ok(Box::new(tarball::TarSource::new(stream, limits)) as Box<dyn Source>);
    if format == Format::SelfExtracting {
        self_extracting::skip(&mut *input)?;
    }
    match format {
        Format::TarZst | Format::SelfExtracting => tar(Ahead::new(zstd::Decoder::with_buffer(buffered(input))?)),
        Format::TarGz => tar(Ahead::new(flate2::bufread::MultiGzDecoder::new(buffered(input)))),
        Format::TarBz2 => tar(Ahead::new(bzip2::bufread::MultiBzDecoder::new(buffered(input)))),
        Format::TarXz => tar(Ahead::new(lzma_rust2::XzReader::new_mem_limit(buffered(input), true, XZ_MEMORY))),
        Format::Tar => Ok(Box::new(tarball::TarSource::new(buffered(input), limits))),
        Format::Zip => Ok(Box::new(zipped::ZipSource::new(input, first, limits)?)),
        Format::Squashfs => Ok(Box::new(squashfs::SquashfsSource::new(input, first, limits)?)),
        Format::Folder => Err(Fault::Unknown),
    }
}

/// The memory in KiB that an xz stream may ask for; level 9 of xz needs 65 MiB.
const XZ_MEMORY: u32 = 140 << 10;

/// Finds out what it is, and goes back to the beginning.
fn sniff(input: &mut dyn Input) -> Result<Format, Fault> {
    let mut start = Vec::with_capacity(512);
    let mut back = || -> io::Result<()> {
        (&mut *input).take(512).read_to_end(&mut start)?;
        input.seek(SeekFrom::Start(0)).map(drop)
    };
    back()?;
    let magics: [(&[u8], Format); 7] = [
        (b"\x28\xb5\x2f\xfd", Format::TarZst),
        (b"\x1f\x8b", Format::TarGz),
        (b"BZh", Format::TarBz2),
        (b"\xfd7zXZ\0", Format::TarXz),
        (b"PK", Format::Zip),
        (b"hsqs", Format::Squashfs),
        (self_extracting::SELF_EXTRACTING, Format::SelfExtracting),
    ];
    let found = magics.into_iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, format)| format);
    found.or_else(|| tarball::is_header(&start).then_some(Format::Tar)).ok_or(Fault::Unknown)
}

/// What may still come.
#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    left: Limits,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, left: limits }
    }

    /// Counts an entry with so many bytes.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), Fault> {
        let over = |what, limit| Fault::Limit { what, limit };
        self.left.entries = self.left.entries.checked_sub(1).ok_or(over("entries", self.limits.entries))?;
        self.left.bytes = self.left.bytes.checked_sub(bytes).ok_or(over("bytes", self.limits.bytes))?;
        Ok(())
    }
}

/// The mode of a file: whether it is a program, and no more than that.
pub(super) fn executable(name: &[u8], mode: u64) -> Result<bool, Fault> {
    if mode & 0o6000 != 0 {
        return Err(Fault::entry(name, "would run as its owner (setuid or setgid)"));
    }
    Ok(mode & 0o111 != 0)
}
