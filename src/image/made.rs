//! Puts the tree together.

use std::{
    collections::BTreeMap,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use rattler::install::{PythonInfo, python_entry_point_template};
use rattler_conda_types::{
    MatchSpec, Subdir,
    package::{FileMode, NoArchLinks, PathType},
    prefix::Prefix,
    prefix_record,
};
use rattler_digest::{Sha256, compute_bytes_digest};
use rayon::prelude::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};

use super::{
    ImageRequest,
    bytecode::{Python, Sources, source_of},
    cached::{Cached, cached},
    error::ImageError,
    layout::{self, Placed, stays_inside},
    patch::{Unpatched, Workshop},
    records,
};
use crate::{
    base::{FsError, Scratch},
    pkgcache,
    rt::Rt,
    tree::{Content, Entries, Entry, File, PLACEHOLDER_MAX, PLACEHOLDER_MIN, placeholder},
};

/// The tree of some packages.
#[derive(Debug)]
pub struct Image {
    /// Its files. They are read from the package cache, and from folders that are gone when the image is.
    pub entries: Entries,
    /// The text that stands for the prefix in them. It is as long as the shortest room that a binary file has.
    pub placeholder: String,
    /// Folders of this machine that no file may name.
    pub foreign: Vec<PathBuf>,
    _scratch: Scratch,
}

/// Makes the tree that the installer would make in a prefix named like the placeholder. Packages are fetched when they are
/// not in the cache, and checked when they are. No script of a package is run.
///
/// # Errors
/// When a package cannot be fetched or laid out, or its bytecode cannot be compiled.
pub fn image(rt: &Rt, request: &ImageRequest<'_>) -> Result<Image, ImageError> {
    let packages = rt.block_on(cached(request))?;
    let making = Making {
        specs: request.specs,
        platform: request.platform,
        kept: Some(request.kept),
        interpreter: request.interpreter,
    };
    making.image(rt, packages, Scratch::new()?)
}

/// How extracted packages become a tree.
pub(super) struct Making<'a> {
    pub(super) specs: &'a [MatchSpec],
    pub(super) platform: Subdir,
    pub(super) kept: Option<&'a Path>,
    pub(super) interpreter: Option<&'a Path>,
}

/// What one package brings.
struct Brought {
    entries: Vec<(Vec<u8>, Entry)>,
    paths: Vec<prefix_record::PathsEntry>,
    /// Modules to compile, by name: where the package has them.
    sources: Vec<(PathBuf, PathBuf)>,
    /// Of these names, sorted, those whose bytecode has a place in the tree.
    modules: Vec<PathBuf>,
}

impl Making<'_> {
    pub(super) fn image(&self, rt: &Rt, packages: Vec<Cached>, scratch: Scratch) -> Result<Image, ImageError> {
        let placeholder = placeholder(room(&packages)?);
        let python = layout::python(&packages, self.platform)?;
        let python = python.map(|(place, info)| (packages[place].clone(), info));
        let info = python.as_ref().map(|(_, info)| info);
        let placed = layout::placed(packages, info)?;
        let written = scratch.path().join("files");
        let folder = Prefix::create(&written).map_err(|error| FsError::new("make the folder", &written, error))?;
        let workshop = Workshop { placeholder: &placeholder, platform: self.platform, folder: &folder };
        let brought: Vec<Brought> = placed
            .par_iter()
            .enumerate()
            .map(|(number, (package, files))| bring(package, files, info, &workshop, number))
            .collect::<Result<_, _>>()?;

        let mut entries = Entries::new();
        for (name, entry) in brought.iter().flat_map(|brought| &brought.entries) {
            entries.insert(name.clone(), entry.clone());
        }
        let mut scripts = Vec::new();
        for (package, _) in &placed {
            scripts.push(entry_points(package, info, &placeholder)?);
        }
        // The first package's files win.
        for (name, entry, _) in scripts.iter().rev().flatten() {
            entries.insert(name.as_os_str().as_bytes().to_vec(), entry.clone());
        }

        let compiled = match &python {
            Some((package, info)) => {
                let libraries = placed.iter().map(|(package, _)| package.folder.join("lib"));
                let libraries = libraries.filter(|folder| folder.is_dir()).collect();
                let python = Python { package, info, interpreter: self.interpreter, libraries };
                self.compiled(rt, &python, (&placed, &brought), scratch.path())?
            }
            None => vec![Vec::new(); placed.len()],
        };
        for (((package, _), brought), (scripts, compiled)) in
            placed.iter().zip(brought).zip(scripts.into_iter().zip(compiled))
        {
            let mut bytecode = Vec::new();
            for (name, file) in compiled {
                let bytes = name.as_os_str().as_bytes();
                // A package may bring bytecode of its own.
                if !entries.contains_key(bytes) {
                    entries.insert(bytes.to_vec(), Entry::File(file));
                    bytecode.push(name);
                }
            }
            let mut paths = brought.paths;
            paths.extend(scripts.into_iter().map(|(_, _, path)| path));
            let (name, record) = records::written(package.record.clone(), paths, bytecode, self.specs);
            entries.insert(format!("conda-meta/{name}").into_bytes(), Entry::made(record, false));
        }
        entries.insert(b"conda-meta/history".to_vec(), Entry::made(Vec::new(), false));
        add_folders(&mut entries)?;
        let foreign = [Some(scratch.path()), self.kept].into_iter().flatten().map(Path::to_owned).collect();
        Ok(Image { entries, placeholder, foreign, _scratch: scratch })
    }

    /// Bytecode of those modules that stand where their packages have them.
    fn compiled(
        &self,
        rt: &Rt,
        python: &Python<'_>,
        (placed, brought): (&[(Cached, Vec<Placed>)], &[Brought]),
        scratch: &Path,
    ) -> Result<Vec<Vec<(PathBuf, File)>>, ImageError> {
        let mut all = vec![Vec::new(); placed.len()];
        if !python.compiles(self.platform) {
            return Ok(all);
        }
        let mut places = Vec::new();
        let mut packages = Vec::new();
        for (place, ((package, _), brought)) in placed.iter().zip(brought).enumerate() {
            if !brought.sources.is_empty() {
                places.push(place);
                packages.push(Sources { package, files: brought.sources.clone() });
            }
        }
        let compiled = python.compile(rt, &packages, self.kept, &scratch.join("bytecode"))?;
        for (place, mut files) in places.into_iter().zip(compiled) {
            let modules = &brought[place].modules;
            files.retain(|(name, _)| source_of(name).is_some_and(|source| modules.binary_search(&source).is_ok()));
            all[place] = files;
        }
        Ok(all)
    }
}

/// The length of the shortest room for a prefix in a binary file, in bytes.
fn room(packages: &[Cached]) -> Result<usize, ImageError> {
    let mut least = PLACEHOLDER_MAX;
    for package in packages {
        let placeholders = package.paths.paths.iter().filter_map(|entry| entry.prefix_placeholder.as_ref());
        for placeholder in placeholders.filter(|it| it.file_mode == FileMode::Binary) {
            let room = placeholder.placeholder.len();
            if room < PLACEHOLDER_MIN {
                return Err(ImageError::Room { package: package.name(), room });
            }
            least = least.min(room);
        }
    }
    Ok(least)
}

fn bring(
    package: &Cached,
    files: &[Placed],
    python: Option<&PythonInfo>,
    workshop: &Workshop<'_>,
    number: usize,
) -> Result<Brought, ImageError> {
    let mut brought = Brought { entries: Vec::new(), paths: Vec::new(), sources: Vec::new(), modules: Vec::new() };
    let is_python = package.record.package_record.noarch.is_python();
    for (place, placed) in files.iter().enumerate() {
        let Some((entry, path)) = one(package, placed, workshop, &format!("{number}-{place}"))? else { continue };
        // Of a name that another package has taken as well: what is kept is the same in any environment.
        let wanted = placed.lost.as_ref().unwrap_or(&placed.name);
        if let (true, Some(python), Entry::File(file)) = (is_python, python, &entry)
            && records::is_source(wanted, python)
        {
            brought.sources.push((wanted.clone(), package.folder.join(&placed.entry.relative_path)));
            // Bytecode would go on naming the placeholder.
            if placed.lost.is_none() && file.content.on_disk().is_some() {
                brought.modules.push(placed.name.clone());
            }
        }
        brought.entries.push((placed.name.as_os_str().as_bytes().to_vec(), entry));
        brought.paths.push(path);
    }
    Ok(brought)
}

/// One file as it stands in the tree, and what the package's record says of it; nothing when the package has it not.
fn one(
    package: &Cached,
    placed: &Placed,
    workshop: &Workshop<'_>,
    number: &str,
) -> Result<Option<(Entry, prefix_record::PathsEntry)>, ImageError> {
    let Placed { entry, name, lost } = placed;
    let mut path = package.folder.join(&entry.relative_path);
    let look = |path: &Path| path.symlink_metadata().map_err(|error| FsError::new("look at", path, error));
    let is_link = entry.path_type == PathType::SoftLink && entry.prefix_placeholder.is_none();
    let mut metadata = match look(&path) {
        Err(error) if is_link && error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata?,
    };
    if is_link && entry.no_link {
        path = path.canonicalize().map_err(|error| FsError::new("follow the link", &path, error))?;
        metadata = look(&path)?;
    }
    let mut size = entry.size_in_bytes.unwrap_or(metadata.len());
    let mut sha256 = entry.sha256;
    let made = if entry.path_type == PathType::Directory {
        Entry::Folder
    } else if metadata.is_symlink() && entry.prefix_placeholder.is_none() {
        let target = path.read_link().map_err(|error| FsError::new("read the link", &path, error))?;
        Entry::Link(target.as_os_str().as_bytes().to_vec())
    } else {
        let mut file = File::on_disk(path.clone(), &metadata);
        let patched = workshop.patch(&package.folder, entry, number, file.content);
        let patched = patched.map_err(|error| match error {
            Unpatched::Full(error) => error.into(),
            Unpatched::Broken(why) => package.broken(format!("`{}`: {why}", entry.relative_path.display())),
        })?;
        if entry.prefix_placeholder.is_some() {
            size = patched.content.size();
        }
        sha256 = patched.sha256;
        if sha256.is_none() && !matches!(patched.content, Content::Spliced { .. }) {
            sha256 = Some(pkgcache::sha256(&path)?);
        }
        file.content = patched.content;
        Entry::File(file)
    };
    let is_file = entry.path_type == PathType::HardLink;
    let path = prefix_record::PathsEntry {
        relative_path: name.clone(),
        original_path: lost.clone(),
        path_type: entry.path_type.into(),
        no_link: entry.no_link,
        sha256: entry.sha256,
        sha256_in_prefix: sha256.filter(|found| is_file && Some(*found) != entry.sha256),
        size_in_bytes: Some(size),
        file_mode: entry.prefix_placeholder.as_ref().map(|it| it.file_mode),
        prefix_placeholder: entry.prefix_placeholder.as_ref().map(|it| it.placeholder.clone()),
    };
    Ok(Some((made, path)))
}

type Script = (PathBuf, Entry, prefix_record::PathsEntry);

/// The scripts that call functions of a pure Python package.
fn entry_points(package: &Cached, python: Option<&PythonInfo>, placeholder: &str) -> Result<Vec<Script>, ImageError> {
    let Some(python) = python.filter(|_| package.index.noarch.is_python()) else { return Ok(Vec::new()) };
    let Some(NoArchLinks::Python(points)) = package.links()? else { return Ok(Vec::new()) };
    let mut scripts = Vec::new();
    for point in points.entry_points {
        let name = python.bin_dir.join(&point.command);
        if !stays_inside(&name) {
            return Err(package.broken(format!("`{}` is no name of a script", point.command)));
        }
        let text = python_entry_point_template(placeholder, false, &point, python).into_bytes();
        let path = prefix_record::PathsEntry {
            relative_path: name.clone(),
            original_path: None,
            path_type: prefix_record::PathType::UnixPythonEntryPoint,
            no_link: false,
            sha256: Some(compute_bytes_digest::<Sha256>(&text)),
            sha256_in_prefix: None,
            size_in_bytes: Some(text.len() as u64),
            file_mode: None,
            prefix_placeholder: None,
        };
        scripts.push((name, Entry::made(text, true), path));
    }
    Ok(scripts)
}

/// Adds the folders that names stand in.
fn add_folders(entries: &mut Entries) -> Result<(), ImageError> {
    let mut folders: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for name in entries.keys() {
        for (at, _) in name.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            folders.entry(name[..at].to_vec()).or_insert_with(|| name.clone());
        }
    }
    for (folder, inside) in folders {
        if *entries.entry(folder.clone()).or_insert(Entry::Folder) != Entry::Folder {
            let show = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
            let reason = format!("`{}` is a file and the folder of `{}`", show(&folder), show(&inside));
            return Err(ImageError::Package { package: show(&inside), reason });
        }
    }
    Ok(())
}
