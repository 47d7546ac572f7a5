//! Writes the archive: the same bytes for the same environment, wherever and with however many threads it is packed.

use std::{
    fs::{File as OsFile, Permissions},
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use rattler_digest::{Sha256, digest::Digest as _};

use super::{early::Early, error::PackError, request::PackRequest};
use crate::{
    archive::{self, FileMeta, Format, Options, Output, Parts, Sink, SinkError},
    base::{Cancel, Digest, FsError, Meter, Scratch, fs},
    tree::{Entries, Entry, HEAD, HEADER},
    unpacker,
};

/// A written file: the archive, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits, as it stands in the checksum file.
    pub sha256: String,
    /// The blake3 digest of its bytes.
    pub digest: Digest,
}

/// Writes everything, and the checksums beside it. What stood there before is replaced at the end.
pub(super) fn write(entries: &Entries, request: &PackRequest<'_>) -> Result<Vec<Piece>, PackError> {
    let goal = request.archive;
    let beginning = beginning(request)?;
    let scratch = Scratch::beside(goal)?;
    let beside = scratch.path().join(goal.file_name().unwrap_or_default());
    let fail = |source| FsError::new("write", goal, source);
    let options = Options { level: request.level, threads: request.threads.max(1) };
    let checksum = with_ending(goal, ".sha256");
    if request.format == Format::Folder {
        fill(entries, archive::folder(&beside).map_err(|it| sink_fault(it, request))?, request)?;
        replace_folder(&beside, goal, request.arcroot)?;
        return Ok(Vec::new());
    }
    let pieces: Vec<Piece> = match request.split {
        Some(size) => {
            let mut parts = Parts::create(&beside, size).map_err(fail)?;
            let mut out = BufWriter::with_capacity(256 * 1024, &mut parts);
            out.write_all(&beginning).map_err(fail)?;
            fill(
                entries,
                archive::create(request.format, options, out).map_err(|it| sink_fault(it, request))?,
                request,
            )?;
            let written = parts.finish().map_err(fail)?;
            written.iter().map(|path| sums(path)).collect::<Result<_, _>>()?
        }
        None => {
            let file = OsFile::create(&beside).map_err(fail)?;
            let mut out = Hashed::new(Early::new(file).map_err(fail)?);
            out.write_all(&beginning).map_err(fail)?;
            fill(
                entries,
                archive::create(request.format, options, &mut out).map_err(|it| sink_fault(it, request))?,
                request,
            )?;
            if request.format == Format::SelfExtracting {
                // Whoever may read it may run it, as `sh FILE` could anyway.
                let file = out.inner.file();
                let mode = file.metadata().map_err(fail)?.permissions().mode();
                file.set_permissions(Permissions::from_mode(mode | (mode & 0o444) >> 2)).map_err(fail)?;
            }
            let (rewritten, (file, piece)) = (out.rewritten, out.piece(&beside));
            file.finish().map_err(fail)?;
            vec![if rewritten { sums(&beside)? } else { piece }]
        }
    };
    // At no moment may an old checksum stand beside the new archive.
    fs::remove_file(&checksum)?;
    let pieces = pieces.into_iter().map(|piece| -> Result<_, FsError> {
        let path = goal.with_file_name(piece.path.file_name().unwrap_or_default());
        fs::rename(&piece.path, &path)?;
        Ok(Piece { path, ..piece })
    });
    let pieces = pieces.collect::<Result<Vec<_>, _>>()?;
    if request.split.is_some() {
        remove_others(goal, pieces.len())?;
    }
    let lines: Vec<u8> = pieces.iter().flat_map(|it| checksum_line(&it.path, &it.sha256)).collect();
    fs::write_atomic(&checksum, &lines)?;
    Ok(pieces)
}

/// Removes what would be taken for this archive: the whole, and parts from this number on.
fn remove_others(goal: &Path, parts: usize) -> Result<(), FsError> {
    if goal.is_file() {
        fs::remove_file(goal)?;
    }
    let mut others = (parts..).map(|number| archive::part(goal, number)).take_while(|it| it.is_file());
    others.try_for_each(|it| fs::remove_file(&it))
}

/// What stands before the archive in a file that unpacks itself.
fn beginning(request: &PackRequest<'_>) -> Result<Vec<u8>, PackError> {
    if request.format != Format::SelfExtracting {
        return Ok(Vec::new());
    }
    let own = unpacker::platform().ok_or(PackError::NoUnpacker)?;
    if request.platform != own && request.platform != "noarch" {
        return Err(PackError::OtherUnpacker { platform: request.platform.to_owned(), own });
    }
    Ok(unpacker::beginning())
}

/// Whether the checksum that was written is still beside an archive.
pub fn has_checksum(archive: &Path, sha256: &str) -> bool {
    std::fs::read(with_ending(archive, ".sha256")).is_ok_and(|found| found == checksum_line(archive, sha256))
}

/// The line that `sha256sum --check` reads.
fn checksum_line(archive: &Path, sha256: &str) -> Vec<u8> {
    let mut line = format!("{sha256}  ").into_bytes();
    line.extend_from_slice(archive.file_name().unwrap_or_default().as_bytes());
    line.push(b'\n');
    line
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Puts a finished folder in its place, where nothing is but perhaps an empty folder, or one of ours. That one goes with the
/// scratch folder in which the new one was made.
fn replace_folder(beside: &Path, goal: &Path, arcroot: &str) -> Result<(), PackError> {
    if goal.join(arcroot).join(HEADER).is_file() {
        fs::rename(goal, &beside.with_added_extension("replaced"))?;
    }
    match std::fs::rename(beside, goal) {
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory) => {
            Err(PackError::Occupied(goal.to_owned()))
        }
        renamed => Ok(renamed.map_err(|error| FsError::new("rename into place", goal, error))?),
    }
}

/// Gives every entry to a sink: what says where the prefix stands comes first.
fn fill(entries: &Entries, mut sink: Box<dyn Sink + '_>, request: &PackRequest<'_>) -> Result<(), PackError> {
    let root = request.arcroot.as_bytes();
    for (at, _) in root.iter().enumerate().filter(|(_, byte)| **byte == b'/').chain([(root.len(), &b'/')]) {
        if at > 0 {
            sink.folder(&root[..at]).map_err(|it| sink_fault(it, request))?;
        }
    }
    let full = |name: &[u8]| if root.is_empty() { name.to_vec() } else { [root, b"/", name].concat() };
    let head = HEAD.iter().filter_map(|name| entries.get_key_value(name.as_bytes()));
    let rest = entries.iter().filter(|(name, _)| !HEAD.iter().any(|head| head.as_bytes() == name.as_slice()));
    let total = entries.values().map(|entry| if let Entry::File(file) = entry { file.content.size() } else { 0 }).sum();
    let meter = Meter::new(request.progress, total);
    for (name, entry) in head.chain(rest) {
        if request.cancel.is_cancelled() {
            return Err(PackError::Stopped);
        }
        match entry {
            Entry::Folder => sink.folder(&full(name)),
            Entry::Link(target) => sink.link(&full(name), target),
            Entry::File(file) => {
                let reader = BufReader::with_capacity(256 * 1024, file.content.open()?);
                let mut data = Watched { inner: reader, meter: &meter, cancel: request.cancel };
                let meta = FileMeta { executable: file.executable, modified: file.modified };
                let size = file.content.size();
                sink.file(&full(name), meta, size, &mut data)
            }
        }
        .map_err(|error| match (error, entry) {
            (SinkError::Size { .. }, Entry::File(file)) if file.content.path().is_some() => {
                PackError::Changed(file.content.path().unwrap_or(request.archive).to_owned())
            }
            (SinkError::Data { why, .. }, Entry::File(file)) => match why.kind() {
                _ if request.cancel.is_cancelled() => PackError::Stopped,
                io::ErrorKind::InvalidData => {
                    PackError::Changed(file.content.path().unwrap_or(request.archive).to_owned())
                }
                _ => file.content.fault(why).into(),
            },
            (error, _) => sink_fault(error, request),
        })?;
    }
    sink.finish().map_err(|it| sink_fault(it, request))
}

fn sink_fault(error: SinkError, request: &PackRequest<'_>) -> PackError {
    match error {
        SinkError::Write(source) => FsError::new("write", request.archive, source).into(),
        error => error.into(),
    }
}

/// Tells how far a file is read, and ends the reading when somebody wants it to stop.
struct Watched<'a, R> {
    inner: R,
    meter: &'a Meter<'a>,
    cancel: &'a Cancel,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            // `Interrupted` would be tried again by whoever reads.
            return Err(io::Error::other("stopped"));
        }
        let read = self.inner.read(buffer)?;
        self.meter.add(read as u64);
        Ok(read)
    }
}

/// The checksums of a file that is written.
fn sums(path: &Path) -> Result<Piece, FsError> {
    let fail = |source| FsError::new("read", path, source);
    let mut file = OsFile::open(path).map_err(fail)?;
    let mut hashed = Hashed::new(io::sink());
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer).map_err(fail)? {
            0 => return Ok(hashed.piece(path).1),
            read => hashed.write_all(&buffer[..read]).map_err(fail)?,
        }
    }
}

/// A writer that counts and hashes what passes through.
struct Hashed<W> {
    inner: W,
    bytes: u64,
    sha256: Sha256,
    blake3: blake3::Hasher,
    /// Whether the beginning was written over, so that the hashes are wrong.
    rewritten: bool,
}

impl<W> Hashed<W> {
    fn new(inner: W) -> Self {
        Self { inner, bytes: 0, sha256: Sha256::new(), blake3: blake3::Hasher::new(), rewritten: false }
    }

    /// What it wrote to, and what that holds now.
    fn piece(self, path: &Path) -> (W, Piece) {
        let sha256 = hex::encode(self.sha256.finalize());
        (self.inner, Piece { path: path.to_owned(), bytes: self.bytes, sha256, digest: self.blake3.into() })
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

impl<W: Output> Output for Hashed<W> {
    fn overwrite_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.rewritten = true;
        self.inner.overwrite_start(bytes)
    }
}
