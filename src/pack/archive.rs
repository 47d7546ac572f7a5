//! Writes the archive: the same bytes for the same environment, wherever and with however many threads it is packed.

use std::{
    collections::BTreeMap,
    fs::File as OsFile,
    io::{self, BufWriter, Read, Write},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use rattler_digest::{Sha256, digest::Digest as _};

use super::{
    contents::{self, Additions},
    error::PackError,
    scripts::Scripts,
};
use crate::{
    base::{Digest, FsError, Scratch, fs},
    tree::{EPOCH, Entries, Entry, File, HEAD, PrefixFault, is_placeholder, prefix_fault},
};

/// What to pack, and where to.
#[derive(Debug, Clone)]
pub struct PackRequest<'a> {
    /// An environment's files, which all name the placeholder as their prefix.
    pub entries: Entries,
    /// That placeholder; see [`placeholder`](crate::tree::placeholder()).
    pub placeholder: &'a str,
    /// The only path at which the environment can be used right away, written into its files: it can be mounted there,
    /// and still be moved by `conda-unpack`.
    pub dest_prefix: Option<&'a str>,
    /// Folders of this machine that no file may name.
    pub foreign: &'a [PathBuf],
    /// What the environment needs of a machine, as JSON.
    pub needs: &'a [u8],
    /// More files for the folder `conda-meta/envbuild`.
    pub more: &'a [(String, Vec<u8>)],
    /// The archive to write; its checksum goes beside it, with `.sha256` added to the name.
    pub archive: &'a Path,
    /// The compression level of zstd.
    pub level: i32,
    /// Threads that compress, at least one. Their number does not change the bytes.
    pub threads: u32,
    /// The environment's name.
    pub name: &'a str,
    /// The platform that it is for, such as `linux-64`.
    pub platform: &'a str,
    /// Environment variables that activation sets; values may hold the placeholder.
    pub variables: &'a BTreeMap<String, String>,
}

/// A written archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits, as it stands in the checksum file.
    pub sha256: String,
    /// How many regular files it holds.
    pub files: u64,
    /// The digest that names the tree in it, whatever the format.
    pub tree: Digest,
    /// The blake3 digest of its bytes.
    pub digest: Digest,
}

/// Writes a prefix as a `.tar.zst` that `tar` can unpack, and its checksum beside it. Both are whole or absent.
///
/// # Errors
/// When a file names a path of this machine, a request's value cannot be used, or a file cannot be read or written.
pub fn pack(mut request: PackRequest<'_>) -> Result<Packed, PackError> {
    if !is_placeholder(request.placeholder) {
        return Err(PackError::Placeholder(request.placeholder.to_owned()));
    }
    let scripts = Scripts { placeholder: request.placeholder, name: request.name, variables: request.variables };
    scripts.check()?;
    if let Some(fault) = request.dest_prefix.and_then(|it| prefix_fault(Path::new(it), request.placeholder.len())) {
        let prefix = request.dest_prefix.unwrap_or_default().into();
        return Err(match fault {
            PrefixFault::Character(what) => PackError::PrefixCharacter { prefix, what },
            PrefixFault::Length { length, limit } => PackError::PrefixLength { prefix, length, limit },
        });
    }
    let entries = std::mem::take(&mut request.entries);
    let additions = Additions {
        scripts,
        platform: request.platform,
        prefix: request.dest_prefix,
        foreign: request.foreign,
        needs: request.needs,
        more: request.more,
    };
    let (entries, tree) = contents::complete(entries, &additions)?;
    let files = entries.values().filter(|entry| matches!(entry, Entry::File(_))).count() as u64;

    let folder = request.archive.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let scratch = Scratch::inside(folder)?;
    let beside = scratch.path().join("archive");
    let fail = |source| FsError::new("write", request.archive, source);
    let file = OsFile::create(&beside).map_err(fail)?;
    let hashed = write(&entries, Hashed::new(BufWriter::new(file)), &request)?;
    let Hashed { inner, bytes, sha256, blake3 } = hashed;
    let file = inner.into_inner().map_err(|error| fail(error.into_error()))?;
    file.sync_all().map_err(fail)?;
    drop(file);

    let sha256 = hex::encode(sha256.finalize());
    let checksum = checksum_path(request.archive);
    // At no moment may an old checksum stand beside the new archive.
    fs::remove_file(&checksum)?;
    fs::rename(&beside, request.archive)?;
    fs::write_atomic(&checksum, &checksum_line(request.archive, &sha256))?;
    Ok(Packed { path: request.archive.to_owned(), bytes, sha256, files, tree, digest: blake3.into() })
}

/// Whether the checksum that [`pack`] wrote is still beside an archive.
pub fn has_checksum(archive: &Path, sha256: &str) -> bool {
    std::fs::read(checksum_path(archive)).is_ok_and(|found| found == checksum_line(archive, sha256))
}

/// The line that `sha256sum --check` reads.
fn checksum_line(archive: &Path, sha256: &str) -> Vec<u8> {
    let mut line = format!("{sha256}  ").into_bytes();
    line.extend_from_slice(archive.file_name().unwrap_or_default().as_bytes());
    line.push(b'\n');
    line
}

fn checksum_path(archive: &Path) -> PathBuf {
    let mut name = archive.as_os_str().to_owned();
    name.push(".sha256");
    name.into()
}

/// Compresses every entry into `out`, the relocation list first.
fn write<W: Write>(entries: &Entries, out: W, request: &PackRequest<'_>) -> Result<W, PackError> {
    let fail = |source| FsError::new("write", request.archive, source);
    let start = || -> io::Result<_> {
        let mut encoder = zstd::Encoder::new(out, request.level)?;
        encoder.include_checksum(true)?;
        // Without workers the blocks are cut differently, and with them their number makes no difference.
        encoder.multithread(request.threads.max(1))?;
        Ok(tar::Builder::new(encoder))
    };
    let mut builder = start().map_err(fail)?;
    let head = HEAD.iter().filter_map(|name| entries.get_key_value(name.as_bytes()));
    let rest = entries.iter().filter(|(name, _)| !HEAD.iter().any(|head| head.as_bytes() == name.as_slice()));
    for (name, entry) in head.chain(rest) {
        append(&mut builder, name, entry, request.archive)?;
    }
    builder.into_inner().and_then(zstd::Encoder::finish).map_err(|source| fail(source).into())
}

fn append<W: Write>(
    builder: &mut tar::Builder<W>,
    name: &[u8],
    entry: &Entry,
    archive: &Path,
) -> Result<(), PackError> {
    let fail = |source| FsError::new("write", archive, source);
    let mut header = tar::Header::new_gnu();
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(EPOCH);
    let (kind, mode) = match entry {
        Entry::Folder => (tar::EntryType::Directory, 0o755),
        Entry::Link(_) => (tar::EntryType::Symlink, 0o777),
        Entry::File(File { executable: true, .. }) => (tar::EntryType::Regular, 0o755),
        Entry::File(_) => (tar::EntryType::Regular, 0o644),
    };
    header.set_entry_type(kind);
    header.set_mode(mode);
    long_or_short(builder, &mut header, name, Field::Name).map_err(fail)?;
    let file = match entry {
        Entry::File(file) => file,
        Entry::Link(target) => {
            long_or_short(builder, &mut header, target, Field::Target).map_err(fail)?;
            return append_data(builder, &mut header, 0, io::empty()).map_err(|error| fail(error).into());
        }
        Entry::Folder => {
            return append_data(builder, &mut header, 0, io::empty()).map_err(|error| fail(error).into());
        }
    };
    header.set_mtime(file.modified);
    let data = Faulty { inner: file.content.open()?, fault: None };
    let mut data = io::BufReader::with_capacity(256 * 1024, data);
    let outcome = append_data(builder, &mut header, file.content.size(), &mut data);
    match data.into_inner().fault {
        Some(kind) if kind == io::ErrorKind::InvalidData => {
            Err(PackError::Changed(file.content.path().unwrap_or(archive).to_owned()))
        }
        Some(kind) => Err(file.content.fault(kind.into()).into()),
        None => outcome.map_err(|error| fail(error).into()),
    }
}

fn append_data<W: Write>(
    builder: &mut tar::Builder<W>,
    header: &mut tar::Header,
    size: u64,
    data: impl Read,
) -> io::Result<()> {
    header.set_size(size);
    header.set_cksum();
    builder.append(header, data)
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Name,
    Target,
}

/// Puts a name into the header, byte for byte; one that does not fit goes into an entry of its own before it, GNU's way,
/// which every `tar` reads.
fn long_or_short<W: Write>(
    builder: &mut tar::Builder<W>,
    header: &mut tar::Header,
    text: &[u8],
    field: Field,
) -> io::Result<()> {
    let old = header.as_old_mut();
    let slot = match field {
        Field::Name => &mut old.name,
        Field::Target => &mut old.linkname,
    };
    let fits = text.len().min(slot.len());
    slot[..fits].copy_from_slice(&text[..fits]);
    if fits == text.len() {
        return Ok(());
    }
    let mut long = tar::Header::new_gnu();
    long.as_old_mut().name[..13].copy_from_slice(b"././@LongLink");
    long.set_mode(0o644);
    long.set_uid(0);
    long.set_gid(0);
    long.set_mtime(0);
    long.set_entry_type(match field {
        Field::Name => tar::EntryType::GNULongName,
        Field::Target => tar::EntryType::GNULongLink,
    });
    append_data(builder, &mut long, text.len() as u64 + 1, text.chain(&b"\0"[..]))
}

/// Remembers that it was the reading that failed.
struct Faulty<R> {
    inner: R,
    fault: Option<io::ErrorKind>,
}

impl<R: Read> Read for Faulty<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| self.fault = Some(error.kind()))
    }
}

/// A writer that counts and hashes what passes through.
struct Hashed<W> {
    inner: W,
    bytes: u64,
    sha256: Sha256,
    blake3: blake3::Hasher,
}

impl<W> Hashed<W> {
    fn new(inner: W) -> Self {
        Self { inner, bytes: 0, sha256: Sha256::new(), blake3: blake3::Hasher::new() }
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        self.sha256.update(&bytes[..written]);
        self.blake3.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
