//! From the files of a prefix or an archive to what is in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rattler_conda_types::Subdir;

use super::{
    dist_info,
    error::ExportError,
    facts::{Contents, PythonFacts},
    record::{self, Recorded},
};
use crate::base::{FsError, fs};

/// Where conda keeps the variables of an environment.
const STATE: &str = "conda-meta/state";

/// Whether a file of a prefix says what is in it; the name is relative to the prefix.
pub fn is_wanted(name: &str) -> bool {
    if let Some(file) = name.strip_prefix("conda-meta/") {
        return name == STATE || (file.ends_with(".json") && !file.contains('/'));
    }
    let below = name.split_once("/site-packages/").filter(|(before, _)| before.starts_with("lib"));
    below.is_some_and(|(_, below)| match below.split_once('/') {
        Some((folder, file)) if folder.ends_with(".dist-info") => dist_info::FILES.contains(&file),
        Some((folder, file)) => folder.ends_with(".egg-info") && file == "PKG-INFO",
        None => below.ends_with(".egg-info"),
    })
}

/// What a prefix holds, whoever installed it.
///
/// # Errors
/// When its records cannot be read, or are for several platforms.
pub fn of_prefix(prefix: &Path) -> Result<Contents, ExportError> {
    let mut files = Vec::new();
    let mut read = |folder: &str, wanted: &dyn Fn(&str) -> bool| -> Result<Vec<String>, FsError> {
        let path = prefix.join(folder);
        let mut others = Vec::new();
        let entries = match std::fs::read_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(others),
            entries => entries.map_err(|error| FsError::new("read", &path, error))?,
        };
        for entry in entries {
            let entry = entry.map_err(|error| FsError::new("read", &path, error))?;
            // What is not UTF-8 is no name that a package's metadata have.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let name = format!("{folder}/{name}");
            if !wanted(&name) {
                continue;
            }
            match fs::read_if_there(&entry.path()) {
                Ok(Some(bytes)) if is_wanted(&name) => files.push((name, bytes)),
                Err(error) if entry.path().is_file() => return Err(error),
                _ => others.push(name),
            }
        }
        Ok(others)
    };
    read("conda-meta", &is_wanted)?;
    for python in read("lib", &|name| name.starts_with("lib/python"))? {
        let metadata = |name: &str| name.ends_with(".dist-info") || name.ends_with(".egg-info");
        for folder in read(&format!("{python}/site-packages"), &metadata)? {
            read(&folder, &is_wanted)?;
        }
    }
    let name = prefix.file_name().map_or_else(|| "root".to_owned(), |it| it.to_string_lossy().into_owned());
    of_files(&name, prefix, &files)
}

/// What the files of a prefix say that [`is_wanted`] wants, in any order. `place` is where they are from, and what
/// `conda list` would name.
///
/// # Errors
/// When records are damaged or absent, or for several platforms.
pub fn of_files(name: &str, place: &Path, files: &[(String, Vec<u8>)]) -> Result<Contents, ExportError> {
    let files: BTreeMap<&str, &[u8]> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let mut problems = Vec::new();
    let mut records = Vec::new();
    for (name, bytes) in files.iter().filter(|(name, _)| name.starts_with("conda-meta/") && **name != STATE) {
        match record::parse(bytes) {
            Ok(record) => records.push(record),
            Err(why) => problems.push(format!("{name}: {why}")),
        }
    }
    if records.is_empty() && problems.is_empty() {
        return Err(ExportError::NoRecords(place.to_owned()));
    }
    let mut remarks = Vec::new();
    let python = python(&files, &mut records, &mut problems, &mut remarks);
    if !problems.is_empty() {
        return Err(ExportError::Records { place: place.to_owned(), problems });
    }
    let platform = platform(place, &records)?;
    let mut packages: Vec<_> = records.into_iter().map(|it| it.facts).collect();
    packages.sort_by(|one, other| one.name.cmp(&other.name));
    let variables = files.get(STATE).map(|it| variables(it)).unwrap_or_default();
    Ok(Contents {
        name: name.to_owned(),
        place: place.to_string_lossy().into_owned(),
        platform,
        solved_from: Vec::new(),
        variables,
        packages,
        python,
        remarks,
    })
}

/// The Python packages that no record owns. A record whose Python package is gone or was replaced is dropped, as conda
/// drops it: what it says is no longer there.
fn python(
    files: &BTreeMap<&str, &[u8]>,
    records: &mut Vec<Recorded>,
    problems: &mut Vec<String>,
    remarks: &mut Vec<String>,
) -> Vec<PythonFacts> {
    let Some(python) = records.iter().find(|it| it.facts.name == "python") else { return Vec::new() };
    let minor: String = python.facts.version.split('.').take(2).collect::<Vec<_>>().join(".");
    let site = python.facts.site_packages.clone().unwrap_or_else(|| format!("lib/python{minor}/site-packages"));
    let site = format!("{}/", site.trim_end_matches('/'));
    let mut folders: BTreeMap<&str, BTreeMap<&str, &[u8]>> = BTreeMap::new();
    for (name, bytes) in files {
        let Some(below) = name.strip_prefix(site.as_str()) else { continue };
        let (folder, file) = below.split_once('/').unwrap_or((below, "PKG-INFO"));
        folders.entry(folder).or_default().insert(file, bytes);
    }
    let metadata_of = |record: &Recorded| -> BTreeSet<String> {
        let below = record.files.iter().filter_map(|it| it.strip_prefix(site.as_str()));
        let folders = below.map(|it| it.split('/').next().unwrap_or(it));
        folders.filter(|it| it.ends_with(".dist-info") || it.ends_with(".egg-info")).map(str::to_owned).collect()
    };
    let owned: Vec<BTreeSet<String>> = records.iter().map(metadata_of).collect();
    let mut found = Vec::new();
    for (folder, files) in folders.iter().filter(|(folder, _)| !owned.iter().any(|it| it.contains(**folder))) {
        match dist_info::parse(files) {
            Ok(facts) => found.push(facts),
            // An installer that was killed leaves such folders, and pip itself only warns of them.
            Err(why) if files.is_empty() || folder.starts_with('~') => {
                remarks.push(format!("{site}{folder} was passed over: {why}"));
            }
            Err(why) => problems.push(format!("{site}{folder}: {why}")),
        }
    }
    let mut owned = owned.into_iter();
    records.retain(|record| {
        let metadata = owned.next().unwrap_or_default();
        // What no uninstaller knew of, such as an INSTALLER that stands in no RECORD, may be left of the folder.
        let is_there = |folder: &String| {
            let files = folders.get(folder.as_str());
            files.is_some_and(|files| files.contains_key("METADATA") || files.contains_key("PKG-INFO"))
        };
        let gone = !metadata.is_empty() && !metadata.iter().any(is_there);
        if gone {
            let (name, version) = (&record.facts.name, &record.facts.version);
            let by = found.iter().find(|it| it.name == dist_info::normalised(name));
            remarks.push(match by {
                Some(by) => format!("{name} {version} of conda was replaced by {} of {}", by.version, installer(by)),
                None => format!("{name} {version} is recorded by conda, but its Python package is gone"),
            });
        }
        !gone
    });
    found.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    found
}

fn installer(facts: &PythonFacts) -> &str {
    facts.installer.as_deref().unwrap_or("another installer")
}

/// The one platform that packages are for; this machine's when all are for every platform.
fn platform(place: &Path, records: &[Recorded]) -> Result<Subdir, ExportError> {
    let subdirs: BTreeSet<&str> = records.iter().map(|it| it.facts.subdir.as_str()).collect();
    let platforms: Vec<Subdir> =
        subdirs.iter().filter_map(|it| it.parse().ok()).filter(|it| *it != Subdir::NoArch).collect();
    match platforms[..] {
        [platform] => Ok(platform),
        [] => Ok(Subdir::current().unwrap_or(Subdir::NoArch)),
        _ => Err(ExportError::Platforms {
            place: place.to_owned(),
            platforms: platforms.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// The variables of `conda env config vars set`. A damaged file has none: conda reads it so.
fn variables(state: &[u8]) -> BTreeMap<String, String> {
    let state: serde_json::Value = serde_json::from_slice(state).unwrap_or_default();
    let variables = state["env_vars"].as_object().into_iter().flatten();
    // Conda marks variables that were unset by this value.
    let set = variables.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    set.filter(|(_, value)| value != "***unset***").collect()
}
