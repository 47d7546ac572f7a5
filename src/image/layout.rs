//! Which file of which package stands where.
//!
//! rattler's registry of files decides who keeps a name that several packages want: the one that comes last when they are
//! sorted by what they need. The others' files go to `__clobbers__/PACKAGE/`.

use std::path::{Component, Path, PathBuf};

use rattler::install::{InstallDriver, PythonInfo};
use rattler_conda_types::{
    PackageRecord, RepoDataRecord, Subdir,
    package::{PathType, PathsEntry},
};

use super::{cached::Cached, error::ImageError};

/// A file of a package with its place.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    /// What the package says of it.
    pub(super) entry: PathsEntry,
    /// Its name below the prefix.
    pub(super) name: PathBuf,
    /// The name that another package has taken from it.
    pub(super) lost: Option<PathBuf>,
}

/// The Python among some packages, with the package's place among them.
pub(super) fn python(packages: &[Cached], platform: Subdir) -> Result<Option<(usize, PythonInfo)>, ImageError> {
    let is_python = |package: &Cached| package.record.package_record.name.as_normalized() == "python";
    let Some(place) = packages.iter().position(is_python) else { return Ok(None) };
    let package = &packages[place];
    let info = PythonInfo::from_python_record(&package.record.package_record, platform);
    info.map(|info| Some((place, info))).map_err(|error| package.broken(error.to_string()))
}

/// Gives the packages sorted so that each one's files win over those of all after it, and the places of its files.
pub(super) fn placed(
    packages: Vec<Cached>,
    python: Option<&PythonInfo>,
) -> Result<Vec<(Cached, Vec<Placed>)>, ImageError> {
    let driver = InstallDriver::default();
    let mut registry = driver.clobber_registry();
    let mut all = Vec::new();
    for package in by_rank(packages) {
        let files = named(&package, python)?;
        // Folders are nobody's.
        let (folders, files): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|(entry, _)| entry.path_type == PathType::Directory);
        let lost = registry.register_paths(&package.index, &files);
        let mut placed: Vec<Placed> = files
            .into_iter()
            .map(|(entry, name)| match lost.get(&name) {
                Some(aside) => Placed { entry, name: aside.clone(), lost: Some(name) },
                None => Placed { entry, name, lost: None },
            })
            .collect();
        placed.extend(folders.into_iter().map(|(entry, name)| Placed { entry, name, lost: None }));
        placed.sort_by(|one, other| one.name.cmp(&other.name));
        all.push((package, placed));
    }
    Ok(all)
}

fn by_rank(packages: Vec<Cached>) -> Vec<Cached> {
    let records: Vec<RepoDataRecord> = packages.iter().map(|package| package.record.clone()).collect();
    let order = PackageRecord::sort_topologically(records);
    let rank = |package: &Cached| order.iter().position(|it| it.identifier == package.record.identifier);
    let mut packages: Vec<_> = packages.into_iter().map(|package| (rank(&package), package)).collect();
    packages.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    packages.into_iter().map(|(_, package)| package).collect()
}

/// The files of a package under the names that they have in an environment of this Python.
fn named(package: &Cached, python: Option<&PythonInfo>) -> Result<Vec<(PathsEntry, PathBuf)>, ImageError> {
    let python = match (package.index.noarch.is_python(), python) {
        (true, None) => return Err(package.broken("it needs a Python, and there is none".to_owned())),
        (true, python) => python,
        (false, _) => None,
    };
    let mut files = Vec::new();
    for entry in &package.paths.paths {
        let name = python.map_or(entry.relative_path.as_path().into(), |python| {
            python.get_python_noarch_target_path(&entry.relative_path)
        });
        for path in [&entry.relative_path, name.as_ref()] {
            if !stays_inside(path) {
                return Err(package.broken(format!("`{}` is no name of a file in a package", path.display())));
            }
        }
        files.push((entry.clone(), name.into_owned()));
    }
    Ok(files)
}

/// Whether a name leads to no other place than the one that it spells.
pub(super) fn stays_inside(name: &Path) -> bool {
    let mut parts = name.components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}
