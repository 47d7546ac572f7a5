//! Makes a tree of a bundle, whoever wrote it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek as _, SeekFrom},
    path::Path,
};

use rattler_conda_types::{MatchSpec, ParseStrictness, RepoDataRecord, Subdir, package::DistArchiveIdentifier};
use rattler_package_streaming::{
    ExtractResult,
    read::{extract_conda_via_buffering, extract_conda_via_streaming, extract_tar_bz2},
};
use rayon::prelude::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};
use url::Url;

use super::index::{FORMAT, INDEX, Index, Package};
use crate::{
    base::{FsError, Scratch, fs, with_causes},
    image::{
        ImageError,
        cached::Cached,
        layout::stays_inside,
        made::{Image, Making},
    },
    rt::Rt,
};

/// The index is no longer than this, in bytes.
const LONGEST: u64 = 64 << 20;

/// A tree that was made of a bundle.
#[derive(Debug)]
pub struct Unbundled {
    /// The tree.
    pub image: Image,
    /// The environment's name.
    pub name: String,
    /// The platform that it is for.
    pub platform: String,
    /// What it needs of a machine, as JSON.
    pub needs: String,
    /// What else archives say of themselves: names of files, and texts.
    pub lists: Vec<(String, String)>,
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

/// Extracts the packages of a bundle, in parallel, and makes the tree that they are in an environment. The tree's files are
/// in a folder inside `beside` that goes with the tree.
///
/// # Errors
/// When the bundle is damaged, a package has another hash than the bundle says or cannot be laid out, or a file cannot be
/// written.
pub fn unbundle(rt: &Rt, bundle: &Path, beside: &Path) -> Result<Unbundled, ImageError> {
    let reader = Reader::open(bundle)?;
    let index = reader.index()?;
    let platform: Subdir = index.platform.parse().map_err(|_| reader.damaged("it is for no known platform"))?;
    let specs = index.specs.iter().map(|spec| MatchSpec::from_str(spec, ParseStrictness::Lenient));
    let specs: Vec<MatchSpec> =
        specs.collect::<Result<_, _>>().map_err(|error| reader.damaged(&with_causes(&error)))?;
    let scratch = Scratch::inside(beside)?;
    let extract = |(number, package): (usize, &Package)| -> Result<Cached, ImageError> {
        let record = reader.record(package)?;
        let folder = scratch.path().join("packages").join(number.to_string());
        reader.extract(package, &folder)?;
        Cached::read(record, folder)
    };
    let packages = index.packages.par_iter().enumerate().map(extract).collect::<Result<Vec<_>, _>>()?;
    let making = Making { specs: &specs, platform, kept: None, interpreter: None };
    let image = making.image(rt, packages, scratch)?;
    Ok(Unbundled { image, name: index.name, platform: index.platform, needs: index.needs, lists: index.lists })
}

/// Where the files of a bundle are.
struct Reader<'a> {
    bundle: &'a Path,
    /// For an archive: offset and length of each file, in bytes.
    members: Option<BTreeMap<String, (u64, u64)>>,
}

impl<'a> Reader<'a> {
    fn open(bundle: &'a Path) -> Result<Self, ImageError> {
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

    fn file(&self, name: &str) -> Result<impl Read, ImageError> {
        let fail = |error| FsError::new("read", self.bundle.join(name), error);
        let (file, size) = match &self.members {
            None => {
                let file = File::open(self.bundle.join(name)).map_err(fail)?;
                let size = file.metadata().map_err(fail)?.len();
                (file, size)
            }
            Some(members) => {
                let missing = || self.damaged(&format!("`{name}` is not in it"));
                let (start, size) = members.get(name).copied().ok_or_else(missing)?;
                let mut file = File::open(self.bundle).map_err(fail)?;
                file.seek(SeekFrom::Start(start)).map_err(fail)?;
                (file, size)
            }
        };
        Ok(io::BufReader::with_capacity(256 << 10, file.take(size)))
    }

    fn index(&self) -> Result<Index, ImageError> {
        let mut bytes = Vec::new();
        let read = self.file(INDEX)?.take(LONGEST).read_to_end(&mut bytes);
        read.map_err(|error| FsError::new("read", self.bundle, error))?;
        let bad = |error: serde_json::Error| self.damaged(&format!("`{INDEX}`: {error}"));
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(bad)?;
        if value["format"] != FORMAT {
            let format = &value["format"];
            return Err(self.damaged(&format!("it has the format {format}, and this program reads {FORMAT}")));
        }
        serde_json::from_value(value).map_err(bad)
    }

    fn record(&self, package: &Package) -> Result<RepoDataRecord, ImageError> {
        let file = package.path.rsplit('/').next().unwrap_or_default();
        let bad = |what: &str| self.damaged(&format!("`{}`: {what}", package.path));
        if !stays_inside(Path::new(&package.path)) {
            return Err(bad("it is no name of a package"));
        }
        let identifier: DistArchiveIdentifier = file.parse().map_err(|_| bad("it is no name of a package"))?;
        let url: Url = package.url.parse().map_err(|_| bad("it has no URL"))?;
        Ok(RepoDataRecord { package_record: package.record.clone(), identifier, url, channel: package.channel.clone() })
    }

    fn extract(&self, package: &Package, folder: &Path) -> Result<(), ImageError> {
        let fail = |reason: String| ImageError::Fetch { package: package.path.clone(), reason };
        fs::create_dir_all(folder)?;
        let extracted = if package.path.ends_with(".conda") {
            match extract_conda_via_streaming(self.file(&package.path)?, folder) {
                // Some are written so that their end must be read first.
                Err(_) => extract_conda_via_buffering(self.file(&package.path)?, folder),
                extracted => extracted,
            }
        } else {
            extract_tar_bz2(self.file(&package.path)?, folder)
        };
        let ExtractResult { sha256, .. } = extracted.map_err(|error| fail(with_causes(&error)))?;
        match package.record.sha256 {
            Some(expected) if expected == sha256 => Ok(()),
            expected => {
                let (expected, found) = (expected.map_or("none".to_owned(), hex::encode), hex::encode(sha256));
                Err(fail(format!("it has the sha256 {found}, and {expected} was expected")))
            }
        }
    }
}
