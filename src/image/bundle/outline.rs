//! What the environment of a bundle will be, as far as its packages say before they are extracted.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use rattler_conda_types::package::{FileMode, PathsJson};
use rattler_package_streaming::{read::stream_tar_bz2, seek::stream_conda_info};
use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::{index::Package, read::Reader};
use crate::{
    image::ImageError,
    tree::{Counts, PLACEHOLDER_MAX},
};

/// Where a package lists its files.
const PATHS: &str = "info/paths.json";
/// Such a list is no longer than this, in bytes: it is held in memory.
const LONGEST: u64 = 64 << 20;

/// An environment that is still packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The platform that it is for, such as `linux-64`.
    pub platform: String,
    /// The oldest glibc with which all packages say that they run. Their files may need a newer one.
    pub glibc: Option<String>,
    /// The length of the shortest room that a binary file has for its prefix, in bytes.
    pub room: usize,
    /// Its files, and their bytes, at least.
    pub holds: Counts,
    /// The bytes of the packages as they are in the bundle.
    pub packed: u64,
}

/// Reads the index of a bundle and the lists of files in its packages. What a package does not tell is left out: when it is
/// damaged, it cannot be extracted either.
///
/// # Errors
/// When the bundle is none, or is damaged.
pub fn outline(bundle: &Path) -> Result<Outline, ImageError> {
    let reader = Reader::open(bundle)?;
    let index = reader.index()?;
    let of_packages: Vec<(u64, Option<PathsJson>)> = index
        .packages
        .par_iter()
        .map(|package| {
            // Its name is looked at, too.
            reader.record(package)?;
            let (file, size) = reader.section(&package.path)?;
            Ok((size, paths(package, file)))
        })
        .collect::<Result<_, ImageError>>()?;
    let mut outline = Outline {
        platform: index.platform,
        glibc: oldest_glibc(&index.packages),
        room: PLACEHOLDER_MAX,
        holds: Counts::default(),
        packed: 0,
    };
    for (size, paths) in of_packages {
        outline.packed += size;
        for path in paths.into_iter().flat_map(|it| it.paths) {
            outline.holds.entries += 1;
            outline.holds.bytes = outline.holds.bytes.saturating_add(path.size_in_bytes.unwrap_or_default());
            let placeholder = path.prefix_placeholder.filter(|it| it.file_mode == FileMode::Binary);
            outline.room = placeholder.map_or(outline.room, |it| outline.room.min(it.placeholder.len()));
        }
    }
    Ok(outline)
}

/// The list of files in a package.
fn paths(package: &Package, file: Section) -> Option<PathsJson> {
    if package.path.ends_with(".conda") {
        return listed(stream_conda_info(file).ok()?);
    }
    // It stands near the beginning.
    listed(stream_tar_bz2(io::BufReader::with_capacity(256 << 10, file)))
}

fn listed(mut info: tar::Archive<impl Read>) -> Option<PathsJson> {
    for entry in info.entries().ok()? {
        let entry = entry.ok()?;
        if entry.path().ok()?.as_ref() == Path::new(PATHS) {
            let mut bytes = Vec::new();
            entry.take(LONGEST).read_to_end(&mut bytes).ok()?;
            return serde_json::from_slice(&bytes).ok();
        }
    }
    None
}

/// The highest of all `__glibc >=VERSION`.
fn oldest_glibc(packages: &[Package]) -> Option<String> {
    let specs = packages.iter().flat_map(|it| it.record.depends.iter().chain(&it.record.constrains));
    let versions = specs.filter_map(|it| {
        let (_, version) = it.strip_prefix("__glibc")?.split_once(">=")?;
        let end = version.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(version.len());
        let numbers: Vec<u64> = version[..end].split('.').map(|it| it.parse().ok()).collect::<Option<_>>()?;
        Some((numbers, version[..end].to_owned()))
    });
    versions.max().map(|(_, version)| version)
}

/// A part of a file, as if it were one.
#[derive(Debug)]
pub(super) struct Section {
    file: File,
    start: u64,
    size: u64,
    at: u64,
}

impl Section {
    /// The part that begins at `start`, of `size` bytes.
    pub(super) fn new(file: File, start: u64, size: u64) -> Self {
        Self { file, start, size, at: 0 }
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::os::unix::fs::FileExt as _;
        let left = usize::try_from(self.size.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..wanted], self.start + self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(by) => (self.size, by),
            SeekFrom::Current(by) => (self.at, by),
        };
        self.at = base.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

    use super::Section;

    #[test]
    fn a_section_is_read_as_a_file() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before the section, after").unwrap();
        let mut section = Section::new(file, 7, 11);
        let mut text = String::new();
        section.read_to_string(&mut text).unwrap();
        assert_eq!(text, "the section");
        for (to, rest) in [
            (SeekFrom::Start(4), "section"),
            (SeekFrom::End(-2), "on"),
            (SeekFrom::Current(-11), "the section"),
            (SeekFrom::End(5), ""),
        ] {
            section.seek(to).unwrap();
            text.clear();
            section.read_to_string(&mut text).unwrap();
            assert_eq!(text, rest, "{to:?}");
        }
        assert!(section.seek(SeekFrom::Start(0)).is_ok() && section.seek(SeekFrom::Current(-1)).is_err());
    }
}
