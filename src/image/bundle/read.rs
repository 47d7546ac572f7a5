//! Makes a tree of a bundle, whoever wrote it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::Path,
};

use rattler_conda_types::{MatchSpec, ParseStrictness, RepoDataRecord, Subdir, package::DistArchiveIdentifier};
use rattler_package_streaming::{
    ExtractError, ExtractResult,
    read::{extract_conda_via_buffering, extract_conda_via_streaming, extract_tar_bz2},
};
use rayon::prelude::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};
use url::Url;

use super::{
    index::{FORMAT, INDEX, Index, Package},
    outline::Section,
};
use crate::{
    base::{Cancel, FsError, Meter, Scratch, fs, out_of_room, with_causes},
    image::{
        ImageError,
        cached::Cached,
        layout::stays_inside,
        made::{Image, Making},
    },
    rt::Rt,
};

/// The index and the lists are no longer than this, in bytes.
const LONGEST: u64 = 64 << 20;

/// A tree that was made of a bundle.
#[derive(Debug)]
pub struct Unbundled {
    /// The tree.
    pub image: Image,
    /// The environment's name.
    pub name: String,
    /// The platform that it is for.
    pub platform: Subdir,
}

/// Whether a file or folder is a bundle, by what it begins with. What cannot be read is none.
pub fn is_bundle(path: &Path) -> bool {
    if path.is_dir() {
        return path.join(INDEX).is_file() && path.join("noarch/repodata.json").is_file();
    }
    let mut header = [0; 512];
    let name = INDEX.as_bytes();
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header.starts_with(name) && header[name.len()] == 0
}

/// What to make a tree of, and how.
#[derive(Debug, Clone, Copy)]
pub struct UnbundleRequest<'a> {
    /// The bundle.
    pub bundle: &'a Path,
    /// A folder inside which the tree's files are extracted.
    pub beside: &'a Path,
    /// A folder where compiled bytecode is kept for the next time.
    pub kept: Option<&'a Path>,
    /// Is told how many bytes of the packages are read.
    pub meter: &'a Meter<'a>,
    /// When it is raised, nothing more is extracted.
    pub cancel: &'a Cancel,
}

/// Extracts the packages of a bundle, in parallel, and makes the tree that they are in an environment. The tree's files are
/// in a folder inside `beside` that goes with the tree, but for bytecode that is kept.
///
/// # Errors
/// When the bundle is damaged, a package has another hash than the bundle says or cannot be laid out, a file cannot be
/// written, or somebody wants it to stop.
pub fn unbundle(rt: &Rt, request: &UnbundleRequest<'_>) -> Result<Unbundled, ImageError> {
    let reader = Reader::open(request.bundle)?;
    let index = reader.index()?;
    let platform: Subdir = index.platform.parse().map_err(|_| reader.damaged("it is for no known platform"))?;
    let specs = index.specs.iter().map(|spec| MatchSpec::from_str(spec, ParseStrictness::Lenient));
    let specs: Vec<MatchSpec> =
        specs.collect::<Result<_, _>>().map_err(|error| reader.damaged(&with_causes(&error)))?;
    let scratch = Scratch::inside(request.beside)?;
    let extract = |(number, package): (usize, &Package)| -> Result<Cached, ImageError> {
        if request.cancel.is_cancelled() {
            return Err(FsError::new("read", request.bundle, io::Error::other("stopped")).into());
        }
        let record = reader.record(package)?;
        let folder = scratch.path().join("packages").join(number.to_string());
        reader.extract(package, &folder, request.meter)?;
        Cached::read(record, folder)
    };
    let packages = index.packages.par_iter().enumerate().map(extract).collect::<Result<Vec<_>, _>>()?;
    let making = Making { specs: &specs, platform, kept: request.kept, interpreter: None };
    let image = making.image(rt, packages, scratch)?;
    Ok(Unbundled { image, name: index.name, platform })
}

/// Where the files of a bundle are.
pub(super) struct Reader<'a> {
    bundle: &'a Path,
    /// For an archive: offset and length of each file, in bytes.
    members: Option<BTreeMap<String, (u64, u64)>>,
}

impl<'a> Reader<'a> {
    pub(super) fn open(bundle: &'a Path) -> Result<Self, ImageError> {
        let mut reader = Self { bundle, members: None };
        if bundle.is_dir() {
            return Ok(reader);
        }
        let fail = |error: io::Error| reader.damaged(&error.to_string());
        let file = File::open(bundle).map_err(|error| FsError::new("read", bundle, error))?;
        let whole = file.metadata().map_err(|error| FsError::new("read", bundle, error))?.len();
        let mut archive = tar::Archive::new(file);
        let mut members = BTreeMap::new();
        for entry in archive.entries_with_seek().map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let (start, size) = (entry.raw_file_position(), entry.size());
            if start.checked_add(size).is_none_or(|end| end > whole) {
                return Err(reader.damaged("it was cut short"));
            }
            if entry.header().entry_type().is_file() {
                let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                if members.insert(name, (start, size)).is_some() {
                    return Err(reader.damaged("a file is in it twice"));
                }
            }
        }
        reader.members = Some(members);
        Ok(reader)
    }

    fn damaged(&self, reason: &str) -> ImageError {
        ImageError::Bundle { path: self.bundle.to_owned(), reason: reason.to_owned() }
    }

    /// A file as it is in the bundle, and its size in bytes.
    pub(super) fn section(&self, name: &str) -> Result<(Section, u64), ImageError> {
        let fail = |error| FsError::new("read", self.bundle.join(name), error);
        match &self.members {
            None => {
                let file = File::open(self.bundle.join(name)).map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => self.damaged(&format!("`{name}` is not in it")),
                    _ => fail(error).into(),
                })?;
                let size = file.metadata().map_err(fail)?.len();
                Ok((Section::new(file, 0, size), size))
            }
            Some(members) => {
                let missing = || self.damaged(&format!("`{name}` is not in it"));
                let (start, size) = members.get(name).copied().ok_or_else(missing)?;
                let file = File::open(self.bundle).map_err(fail)?;
                Ok((Section::new(file, start, size), size))
            }
        }
    }

    fn file(&self, name: &str) -> Result<impl Read, ImageError> {
        Ok(io::BufReader::with_capacity(256 << 10, self.section(name)?.0))
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, ImageError> {
        let mut bytes = Vec::new();
        let read = self.file(name)?.take(LONGEST).read_to_end(&mut bytes);
        read.map_err(|error| FsError::new("read", self.bundle, error))?;
        Ok(bytes)
    }

    pub(super) fn index(&self) -> Result<Index, ImageError> {
        let bytes = self.bytes(INDEX)?;
        let bad = |error: serde_json::Error| self.damaged(&format!("`{INDEX}`: {error}"));
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(bad)?;
        if value["format"] != FORMAT {
            let format = &value["format"];
            return Err(self.damaged(&format!("it has the format {format}, and this program reads {FORMAT}")));
        }
        serde_json::from_value(value).map_err(bad)
    }

    pub(super) fn record(&self, package: &Package) -> Result<RepoDataRecord, ImageError> {
        let file = package.path.rsplit('/').next().unwrap_or_default();
        let bad = |what: &str| self.damaged(&format!("`{}`: {what}", package.path));
        if !stays_inside(Path::new(&package.path)) {
            return Err(bad("it is no name of a package"));
        }
        let identifier: DistArchiveIdentifier = file.parse().map_err(|_| bad("it is no name of a package"))?;
        let url: Url = package.url.parse().map_err(|_| bad("it has no URL"))?;
        Ok(RepoDataRecord { package_record: package.record.clone(), identifier, url, channel: package.channel.clone() })
    }

    fn extract(&self, package: &Package, folder: &Path, meter: &Meter<'_>) -> Result<(), ImageError> {
        let fail = |reason: String| self.damaged(&format!("`{}`: {reason}", package.path));
        let failed = |error: ExtractError| match out_of_room(&error) {
            Some(full) => FsError::new("extract a package into", folder, full).into(),
            None => fail(with_causes(&error)),
        };
        fs::create_dir_all(folder)?;
        let metered = Metered { inner: self.file(&package.path)?, meter };
        let extracted = if package.path.ends_with(".conda") {
            match extract_conda_via_streaming(metered, folder) {
                // Some are written so that their end must be read first.
                Err(error) if out_of_room(&error).is_none() => {
                    extract_conda_via_buffering(self.file(&package.path)?, folder)
                }
                extracted => extracted,
            }
        } else {
            extract_tar_bz2(metered, folder)
        };
        let ExtractResult { sha256, .. } = extracted.map_err(failed)?;
        match package.record.sha256 {
            Some(expected) if expected == sha256 => Ok(()),
            expected => {
                let (expected, found) = (expected.map_or("none".to_owned(), hex::encode), hex::encode(sha256));
                Err(fail(format!("it has the sha256 {found}, and {expected} was expected")))
            }
        }
    }
}

/// Tells how much is read.
struct Metered<'a, R> {
    inner: R,
    meter: &'a Meter<'a>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.meter.add(read as u64);
        Ok(read)
    }
}
