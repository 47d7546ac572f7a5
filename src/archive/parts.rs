//! Archives in several files: `NAME.000`, `NAME.001` and so on, which `cat NAME.*` joins.
//!
//! All parts but the last have the same size, the last is smaller, and there are at least two of them; an empty one is
//! added where need be. So one that is missing shows.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::{ffi::OsStrExt as _, fs::FileExt as _},
    path::{Path, PathBuf},
};

use super::{error::Fault, output::Output};
use crate::base::FsError;

/// Writes the parts of an archive.
#[derive(Debug)]
pub struct Parts {
    stem: PathBuf,
    size: u64,
    /// The last of them, and how many bytes it still takes.
    last: File,
    left: u64,
    paths: Vec<PathBuf>,
}

/// The smallest size of a part in bytes: the beginning of an archive, which tells what it is, stands in the first.
const SMALLEST_PART: u64 = 4096;

impl Parts {
    /// Begins the first part, `stem` with `.000` added. Every part has `size` bytes, but at least 4096.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(stem: &Path, size: u64) -> io::Result<Self> {
        let size = size.max(SMALLEST_PART);
        let path = part(stem, 0);
        Ok(Self { stem: stem.to_owned(), size, last: File::create(&path)?, left: size, paths: vec![path] })
    }

    /// Makes sure that all is on the disk, and gives the parts in their order. An old archive's further parts are gone.
    ///
    /// # Errors
    /// When they cannot be written or removed.
    pub fn finish(mut self) -> io::Result<Vec<PathBuf>> {
        if self.paths.len() == 1 {
            self.next()?;
        }
        self.last.sync_all()?;
        for number in self.paths.len().. {
            match std::fs::remove_file(part(&self.stem, number)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                result => result?,
            }
        }
        Ok(self.paths)
    }

    /// Begins the next part.
    fn next(&mut self) -> io::Result<()> {
        let path = part(&self.stem, self.paths.len());
        let next = File::create(&path)?;
        std::mem::replace(&mut self.last, next).sync_all()?;
        self.left = self.size;
        self.paths.push(path);
        Ok(())
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let written = self.last.write(&bytes[..fits])?;
        self.left -= written as u64;
        if self.left == 0 {
            self.next()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.last.flush()
    }
}

impl Output for Parts {
    fn overwrite_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() as u64 > SMALLEST_PART {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        File::options().write(true).open(&self.paths[0])?.write_all_at(bytes, 0)
    }
}

/// The name of a part.
pub fn part(stem: &Path, number: usize) -> PathBuf {
    let mut name = OsString::from(stem);
    name.push(format!(".{number:03}"));
    name.into()
}

/// The number at the end of a part's name, and what stands before it.
fn split(name: &[u8]) -> Option<(&[u8], usize)> {
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    let digits = &name[dot + 1..];
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (dot > 0 && digits.len() >= 3 && format!("{number:03}").as_bytes() == digits).then_some((&name[..dot], number))
}

/// The parts of an archive as one file, if `path` is the first of them, or the stem of their names and no file itself.
///
/// # Errors
/// When `path` is another part than the first, a part is missing, or its size shows that it is not in its place.
pub fn join(path: &Path) -> Result<Option<Joined>, Fault> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or_default().as_bytes();
    let stem = match split(name) {
        Some((stem, 0)) => folder.join(std::ffi::OsStr::from_bytes(stem)),
        Some((stem, _)) if part(&folder.join(std::ffi::OsStr::from_bytes(stem)), 0).is_file() => {
            return Err(Fault::Parts(format!("`{}` is not the first of them", path.display())));
        }
        _ if !path.exists() && (part(path, 0).is_file() || part(path, 1).is_file()) => path.to_owned(),
        _ => return Ok(None),
    };
    let lost = |number| Fault::Parts(format!("`{}` is missing", part(&stem, number).display()));
    let mut numbers = numbers(&stem)?;
    numbers.sort_unstable();
    if let Some(missing) = numbers.iter().enumerate().position(|(at, number)| at != *number) {
        return Err(lost(missing));
    }
    let mut parts = Vec::new();
    let mut end = 0;
    for number in numbers {
        let path = part(&stem, number);
        let size = std::fs::metadata(&path).map_err(|error| FsError::new("read", &path, error))?.len();
        end += size;
        parts.push((path, size, end));
    }
    let full = parts.first().map_or(0, |(_, size, _)| *size);
    if let [before @ .., (last, size, _)] = parts.as_slice() {
        if let Some((path, ..)) = before.iter().find(|(_, size, _)| *size != full) {
            return Err(Fault::Parts(format!("`{}` is not as large as the first", path.display())));
        }
        if *size > full {
            return Err(Fault::Parts(format!("`{}` is larger than the first", last.display())));
        }
        // Of two, the last may be an empty one after a first that is not full.
        if before.is_empty() || *size == full && full > 0 {
            return Err(lost(parts.len()));
        }
    }
    let parts = parts.into_iter().map(|(path, _, end)| (path, end)).collect();
    Ok(Some(Joined { parts, at: 0, open: None }))
}

/// What damage means when it is met in parts.
pub(super) fn perhaps(fault: Fault) -> Fault {
    match fault {
        Fault::Damaged(what) => Fault::Parts(format!("{what}; one may be missing, or two may have changed places")),
        Fault::Unknown => Fault::Parts("the first is no beginning of an archive".to_owned()),
        other => other,
    }
}

/// The numbers of all parts that there are.
fn numbers(stem: &Path) -> Result<Vec<usize>, Fault> {
    let folder = stem.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fail = |error| FsError::new("read the folder", folder, error);
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let name = entry.map_err(fail)?.file_name();
        if let Some((before, number)) = split(name.as_bytes())
            && Some(before) == stem.file_name().map(|it| it.as_bytes())
        {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// Parts, read as one file.
#[derive(Debug)]
pub struct Joined {
    /// Each with the offset at which it ends.
    parts: Vec<(PathBuf, u64)>,
    at: u64,
    open: Option<(usize, File)>,
}

impl Joined {
    fn end(&self) -> u64 {
        self.parts.last().map_or(0, |(_, end)| *end)
    }
}

impl Read for Joined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let number = self.parts.partition_point(|(_, end)| *end <= self.at);
        let Some((path, end)) = self.parts.get(number) else { return Ok(0) };
        let start = number.checked_sub(1).map_or(0, |before| self.parts[before].1);
        let file = match &mut self.open {
            Some((open, file)) if *open == number => file,
            slot => &mut slot.insert((number, File::open(path)?)).1,
        };
        let fits = buffer.len().min(usize::try_from(end - self.at).unwrap_or(usize::MAX));
        let read = file.read_at(&mut buffer[..fits], self.at - start)?;
        if read == 0 && fits > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Joined {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.end().checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
