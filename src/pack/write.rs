//! Writes the archive: the same bytes for the same environment, wherever and with however many threads it is packed.

use std::{
    fs::{File as OsFile, Permissions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{early::Early, error::PackError, order::in_order, request::PackRequest};
use crate::{
    archive::{self, FileMeta, Format, Options, Parts, Shown, Sink, SinkError},
    base::{Cancel, FsError, Meter, Scratch, fs},
    conda::{Summing, Sums, checksum_line},
    tree::{Digests, Entries, Entry, HEADER},
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
}

/// Writes everything, and the checksums beside it. What stood there before is replaced at the end.
pub(super) fn write(entries: &Entries, digests: &Digests, request: &PackRequest<'_>) -> Result<Vec<Piece>, PackError> {
    let entries = &in_order(entries, digests)[..];
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
            let mut summing = Summing::default();
            let mut out = Shown::new(Early::new(file).map_err(fail)?, |bytes| summing.update(bytes));
            out.write_all(&beginning).map_err(fail)?;
            fill(
                entries,
                archive::create(request.format, options, &mut out).map_err(|it| sink_fault(it, request))?,
                request,
            )?;
            if request.format == Format::SelfExtracting {
                // Whoever may read it may run it, as `sh FILE` could anyway.
                let file = out.inner().file();
                let mode = file.metadata().map_err(fail)?.permissions().mode();
                file.set_permissions(Permissions::from_mode(mode | (mode & 0o444) >> 2)).map_err(fail)?;
            }
            let (file, overwritten) = out.into_inner();
            file.finish().map_err(fail)?;
            vec![if overwritten { sums(&beside)? } else { piece(&beside, summing.finish()) }]
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

/// Gives every entry to a sink.
fn fill(
    entries: &[(&Vec<u8>, &Entry)],
    mut sink: Box<dyn Sink + '_>,
    request: &PackRequest<'_>,
) -> Result<(), PackError> {
    let root = request.arcroot.as_bytes();
    for (at, _) in root.iter().enumerate().filter(|(_, byte)| **byte == b'/').chain([(root.len(), &b'/')]) {
        if at > 0 {
            sink.folder(&root[..at]).map_err(|it| sink_fault(it, request))?;
        }
    }
    let full = |name: &[u8]| if root.is_empty() { name.to_vec() } else { [root, b"/", name].concat() };
    let size = |entry: &Entry| if let Entry::File(file) = entry { file.content.size() } else { 0 };
    let total = entries.iter().map(|(_, entry)| size(entry)).sum();
    let meter = Meter::new(request.progress, total);
    for (name, entry) in entries {
        if request.cancel.is_cancelled() {
            return Err(PackError::Stopped);
        }
        match entry {
            Entry::Folder => sink.folder(&full(name)),
            Entry::Link(target) => sink.link(&full(name), target),
            Entry::File(file) => {
                let mut data = Watched { inner: file.content.open()?, meter: &meter, cancel: request.cancel };
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

/// A file that is written, read again.
fn sums(path: &Path) -> Result<Piece, FsError> {
    Ok(piece(path, Sums::of_file(path)?))
}

fn piece(path: &Path, Sums { bytes, sha256 }: Sums) -> Piece {
    Piece { path: path.to_owned(), bytes, sha256 }
}
