//! What the environment of a bundle will be, as far as its packages say before they are extracted.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use rattler::install::PythonInfo;
use rattler_conda_types::{
    Subdir,
    package::{FileMode, PathType, PathsEntry, PathsJson},
};
use rattler_package_streaming::{read::stream_tar_bz2, seek::stream_conda_info};
use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::{
    index::{Index, Package},
    read::Reader,
};
use crate::{
    base::{Disk, Room},
    bytecode::is_compiled,
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
    writes: Writes,
}

/// What is on the disk when the environment is whole and the packages are not deleted yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Writes {
    /// Sizes of files, in bytes.
    files: Vec<u64>,
    links: u64,
    folders: u64,
}

impl Outline {
    /// What the packages and the environment take on a disk while it is made, about: rather less than more.
    pub fn takes(&self, disk: &Disk) -> Room {
        let Writes { files, links, folders } = &self.writes;
        let links = Room { inodes: *links, ..disk.link(0) };
        files.iter().map(|size| disk.file(*size)).sum::<Room>() + links + disk.folders(disk.missing + folders)
    }
}

/// What a package says of itself.
struct Told {
    paths: PathsJson,
    /// The sizes of the files that say so, in bytes.
    info: Vec<u64>,
    /// That of the list of files.
    list: u64,
}

/// Reads the index of a bundle and the lists of files in its packages. What a package does not tell is left out: when it is
/// damaged, it cannot be extracted either.
///
/// # Errors
/// When the bundle is none, or is damaged.
pub fn outline(bundle: &Path) -> Result<Outline, ImageError> {
    let reader = Reader::open(bundle)?;
    let index = reader.index()?;
    let of_packages: Vec<(u64, Option<Told>)> = index
        .packages
        .par_iter()
        .map(|package| {
            // Its name is looked at, too.
            reader.record(package)?;
            let (file, size) = reader.section(&package.path)?;
            Ok((size, told(package, file)))
        })
        .collect::<Result<_, ImageError>>()?;
    let mut outline = Outline {
        glibc: oldest_glibc(&index.packages),
        room: PLACEHOLDER_MAX,
        holds: Counts::default(),
        packed: 0,
        writes: Writes::default(),
        platform: String::new(),
    };
    let per_cent = bytecode(&index);
    let mut folders = BTreeSet::new();
    let mut names = 0;
    for (package, (size, told)) in index.packages.iter().zip(of_packages) {
        outline.packed += size;
        let Some(Told { paths, info, list }) = told else { continue };
        let writes = &mut outline.writes;
        // The environment has a record of the package.
        writes.files.extend(info.into_iter().chain([list]));
        let before = folders.len();
        let per_cent = per_cent.filter(|_| package.record.noarch.is_python());
        for path in paths.paths {
            outline.holds.entries += 1;
            names += path.relative_path.as_os_str().len() as u64;
            above(&path.relative_path, &mut folders);
            if path.path_type == PathType::HardLink {
                let size = path.size_in_bytes.unwrap_or_default();
                outline.holds.bytes = outline.holds.bytes.saturating_add(size);
                writes.file(&path, size, per_cent, &mut folders);
            } else if path.path_type == PathType::SoftLink {
                // The package's, and the environment's.
                writes.links += 2;
            }
            let placeholder = path.prefix_placeholder.filter(|it| it.file_mode == FileMode::Binary);
            outline.room = placeholder.map_or(outline.room, |it| outline.room.min(it.placeholder.len()));
        }
        // Its own, that of what it says of itself, and those that no package before has.
        writes.folders += 2 + (folders.len() - before) as u64;
    }
    // The list of digests: a name, a digest and a number for each. Beside it stand some small files.
    outline.writes.files.push(names + outline.holds.entries * 70);
    outline.writes.files.extend([1; 8]);
    // The environment's folders, its own and those around it.
    outline.writes.folders += folders.len() as u64 + 4;
    outline.platform = index.platform;
    Ok(outline)
}

impl Writes {
    /// A file of a package, which is moved into the environment unless it holds a prefix.
    fn file(&mut self, path: &PathsEntry, size: u64, per_cent: Option<u64>, folders: &mut BTreeSet<PathBuf>) {
        self.files.push(size);
        if path.prefix_placeholder.is_some() {
            self.files.push(size);
        }
        let name = &path.relative_path;
        let is_module = name.starts_with("site-packages") && name.extension().is_some_and(|it| it == "py");
        if let Some(per_cent) = per_cent.filter(|_| is_module) {
            self.files.push(size.saturating_mul(per_cent) / 100);
            folders.insert(name.with_file_name("__pycache__"));
        }
    }
}

/// The folders above a name.
fn above(name: &Path, folders: &mut BTreeSet<PathBuf>) {
    for folder in name.ancestors().skip(1) {
        if folder.as_os_str().is_empty() || !folders.insert(folder.to_owned()) {
            break;
        }
    }
}

/// How large the bytecode of pure Python packages is, in hundredths of the sources; nothing when none is compiled. Of large
/// packages it is 70 to 90 until Python 3.10, and 110 to 130 since; of those that are mostly data it is less.
fn bytecode(index: &Index) -> Option<u64> {
    let platform: Subdir = index.platform.parse().ok()?;
    let python = index.packages.iter().find(|it| it.record.name.as_normalized() == "python")?;
    let version = PythonInfo::from_python_record(&python.record, platform).ok()?.short_version;
    let here = is_compiled(version) && Subdir::current() == Some(platform);
    here.then_some(if version < (3, 11) { 60 } else { 90 })
}

/// What a package says of itself.
fn told(package: &Package, file: Section) -> Option<Told> {
    if package.path.ends_with(".conda") {
        return listed(stream_conda_info(file).ok()?);
    }
    // It stands near the beginning.
    listed(stream_tar_bz2(io::BufReader::with_capacity(256 << 10, file)))
}

fn listed(mut archive: tar::Archive<impl Read>) -> Option<Told> {
    let (mut paths, mut info, mut list) = (None, Vec::new(), 0);
    for entry in archive.entries().ok()? {
        let entry = entry.ok()?;
        let name = entry.path().ok()?.into_owned();
        if !name.starts_with("info") {
            if paths.is_some() {
                break;
            }
            continue;
        }
        if entry.header().entry_type().is_file() {
            info.push(entry.size());
        }
        if name == Path::new(PATHS) {
            let mut bytes = Vec::new();
            entry.take(LONGEST).read_to_end(&mut bytes).ok()?;
            list = bytes.len() as u64;
            paths = serde_json::from_slice(&bytes).ok();
        }
    }
    Some(Told { paths: paths?, info, list })
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
