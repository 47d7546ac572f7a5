//! The folder that a backup is: its files' names, their checksums, what it says of itself.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use rattler_digest::{Sha256, compute_file_digest};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{error::BackupError, system::System};
use crate::base::{FsError, fs};

/// What `conda list` prints.
pub const CONDA_LIST: &str = "conda-list.txt";
/// The environment file, with builds.
pub const ENVIRONMENT: &str = "environment.yml";
/// The environment file, without builds.
pub const ENVIRONMENT_NO_BUILDS: &str = "environment-no-builds.yml";
/// The URLs of packages, with hashes.
pub const EXPLICIT: &str = "explicit.txt";
/// The requirements of Python packages that conda did not bring.
pub const PIP: &str = "pip.txt";
/// The bill of materials.
pub const SBOM: &str = "sbom.cdx.json";
/// The records of the packages, in the format of `envbuild.lock`.
pub const LOCK: &str = "envbuild.lock";
/// The system.
pub const SYSTEM: &str = "system.json";
/// The packed prefix.
pub const ARCHIVE: &str = "environment.tar.zst";
/// What the drill found.
pub const DRILL: &str = "drill.json";
/// What the drill's test said.
pub const LOG: &str = "drill.log";
/// The checksums of all other files, as `sha256sum -c` reads them.
const SUMS: &str = "SHA256SUMS";

/// What came of restoring a backup aside, right after it was made.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Drill {
    /// Whether all went well.
    pub passed: bool,
    /// How many files were unpacked.
    pub files: u64,
    /// The files that are not what was packed, and whatever else went wrong, as sentences.
    pub problems: Vec<String>,
    /// What came of the test; none when there was none to run.
    pub test: Option<TestRun>,
}

/// A test that was run in the environment that the drill made.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct TestRun {
    /// The script's file name.
    pub script: String,
    /// Whether it ended with status 0.
    pub passed: bool,
    /// How it ended.
    pub status: String,
}

/// Writes a value as JSON for people to read.
///
/// # Errors
/// When it cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), BackupError> {
    let mut text = serde_json::to_vec_pretty(value).expect("strings, numbers and lists are always JSON");
    text.push(b'\n');
    Ok(fs::write_atomic(path, &text)?)
}

/// The system that a backup was made on.
///
/// # Errors
/// When the folder is no backup, or cannot be read.
pub fn read_system(folder: &Path) -> Result<System, BackupError> {
    read_json(folder, SYSTEM)
}

fn read_json<T: DeserializeOwned>(folder: &Path, file: &str) -> Result<T, BackupError> {
    let not = |reason: String| BackupError::NotABackup { folder: folder.to_owned(), reason };
    let bytes = fs::read_if_there(&folder.join(file))?.ok_or_else(|| not(format!("it has no {file}")))?;
    serde_json::from_slice(&bytes).map_err(|error| not(format!("{file}: {error}")))
}

/// Writes the checksums of all files in a folder.
///
/// # Errors
/// When a file cannot be read.
pub fn seal(folder: &Path) -> Result<(), BackupError> {
    let mut text = String::new();
    for path in files(folder)? {
        let _ = writeln!(text, "{}  {}", sum(&path)?, name(&path));
    }
    Ok(fs::write_atomic(&folder.join(SUMS), text.as_bytes())?)
}

/// Compares all files of a backup with their checksums.
///
/// # Errors
/// When the folder is no backup, or files are gone or altered: all are named.
pub fn verify(folder: &Path) -> Result<(), BackupError> {
    let not = |reason: &str| BackupError::NotABackup { folder: folder.to_owned(), reason: reason.to_owned() };
    let sums = fs::read_if_there(&folder.join(SUMS))?.ok_or_else(|| not("it has no SHA256SUMS"))?;
    let sums = String::from_utf8(sums).map_err(|_| not("its SHA256SUMS is no text"))?;
    let mut problems = Vec::new();
    let there: BTreeMap<String, PathBuf> = files(folder)?.into_iter().map(|it| (name(&it), it)).collect();
    for line in sums.lines() {
        let (expected, file) = line.split_once("  ").ok_or_else(|| not("its SHA256SUMS has other lines"))?;
        match there.get(file) {
            None => problems.push(format!("{file} is gone")),
            Some(path) if sum(path)? != expected => problems.push(format!("{file} was altered")),
            Some(_) => {}
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(BackupError::Damaged { folder: folder.to_owned(), problems }) }
}

/// The files that checksums are of, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, FsError> {
    let mut files = fs::list(folder)?;
    files.retain(|it| it.is_file() && name(it) != SUMS);
    files.sort();
    Ok(files)
}

fn name(path: &Path) -> String {
    path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default()
}

fn sum(path: &Path) -> Result<String, FsError> {
    let digest = compute_file_digest::<Sha256>(path).map_err(|error| FsError::new("read", path, error))?;
    Ok(hex::encode(digest))
}
