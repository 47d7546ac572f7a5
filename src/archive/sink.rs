//! What writes an archive, entry by entry.

use std::io::{self, Read, Write};

use super::{
    blocks::{Blocks, Codec},
    error::SinkError,
    format::Format,
    output::Output,
    squashfs, tarball, zipped,
};

/// 1980-01-01 in seconds since 1970: the time of folders and links, and the earliest that a zip archive can hold.
pub const EPOCH: u64 = 315_532_800;

/// What is told of a file beside its name and content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMeta {
    /// Whether its mode is 755; else it is 644.
    pub executable: bool,
    /// Seconds since 1970.
    pub modified: u64,
}

/// How to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// One of [`Format::levels`], or the format's default.
    pub level: Option<i32>,
    /// Threads that compress, at least one. Their number does not change the bytes.
    pub threads: u32,
}

/// Takes the entries of an archive one after the other. Everything belongs to root, folders and programs have the mode
/// 755, files 644. Names are relative to the archive's root, without `.` and `..` and a slash at either end; the folders
/// above an entry come before it, and no name comes twice.
pub trait Sink {
    /// Adds a folder.
    ///
    /// # Errors
    /// When the archive cannot be written, or the format cannot hold such a name.
    fn folder(&mut self, name: &[u8]) -> Result<(), SinkError>;

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// As for a folder.
    fn link(&mut self, name: &[u8], target: &[u8]) -> Result<(), SinkError>;

    /// Adds a file, whose `data` has exactly `size` bytes.
    ///
    /// # Errors
    /// As for a folder; and when `data` cannot be read, or has more or fewer bytes.
    fn file(&mut self, name: &[u8], meta: FileMeta, size: u64, data: &mut dyn Read) -> Result<(), SinkError>;

    /// Writes what stands at the archive's end. An archive that is not finished is none. The output is flushed.
    ///
    /// # Errors
    /// When the archive cannot be written.
    fn finish(self: Box<Self>) -> Result<(), SinkError>;
}

/// Begins an archive. A folder is begun with [`folder`](super::folder()) instead, because it is no single file. What stands
/// before the archive in a file that unpacks itself is the caller's to write.
///
/// # Errors
/// When the format does not have the level, or the output cannot be written.
pub fn create<'a, W: Output + 'a>(format: Format, options: Options, out: W) -> Result<Box<dyn Sink + 'a>, SinkError> {
    let level = level(format, options)?;
    let threads = options.threads.max(1);
    let blocks = |codec, out| tarball::TarSink::new(Blocks::new(codec, level, threads, out));
    Ok(match format {
        Format::TarZst | Format::SelfExtracting => Box::new(tarball::TarSink::new(zstd(level, threads, out)?)),
        Format::TarGz => Box::new(blocks(Codec::Gzip, out)),
        Format::TarBz2 => Box::new(blocks(Codec::Bzip2, out)),
        Format::TarXz => Box::new(blocks(Codec::Xz, out)),
        Format::Tar => Box::new(tarball::TarSink::new(Plain(out))),
        Format::Zip => Box::new(zipped::ZipSink::new(level, threads, out)),
        Format::Squashfs => Box::new(squashfs::SquashfsSink::new(level, threads, out)?),
        Format::Folder => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a folder is no file").into());
        }
    })
}

fn level(format: Format, options: Options) -> Result<i32, SinkError> {
    let level = options.level.or(format.default_level()).unwrap_or_default();
    match format.levels() {
        Some(levels) if !levels.contains(&level) => Err(SinkError::Level {
            format: format.name(),
            level,
            levels: format!("{} to {}", levels.start(), levels.end()),
        }),
        None if options.level.is_some() => {
            Err(SinkError::Level { format: format.name(), level, levels: "none, it is not compressed".to_owned() })
        }
        _ => Ok(level),
    }
}

/// A stream that has an end of its own.
pub(super) trait Stream: Write {
    /// Writes the end and flushes what is below.
    fn finish(self) -> io::Result<()>;
}

/// Not compressed.
struct Plain<W>(W);

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> Stream for Plain<W> {
    fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> Stream for zstd::Encoder<'static, W> {
    fn finish(self) -> io::Result<()> {
        Self::finish(self)?.flush()
    }
}

/// One frame, made by zstd's own threads.
fn zstd<W: Write>(level: i32, threads: u32, out: W) -> io::Result<zstd::Encoder<'static, W>> {
    // What one thread takes: its share of the input and output, and its tables.
    let (job, each) = match level {
        ..=9 => (4 << 20, 12 << 20),
        10..=15 => (8 << 20, 48 << 20),
        _ => (16 << 20, 112 << 20),
    };
    let mut encoder = zstd::Encoder::new(out, level)?;
    encoder.include_checksum(true)?;
    encoder.set_parameter(zstd::zstd_safe::CParameter::JobSize(job))?;
    // Without workers the blocks are cut differently, and with them their number makes no difference.
    encoder.multithread(threads.min((MEMORY / each).max(1)))?;
    Ok(encoder)
}

/// How many bytes the threads that compress may take together.
pub(super) const MEMORY: u32 = 192 << 20;
