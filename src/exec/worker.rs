//! The other side of a build: the process that is started for it, and the files by which the two speak.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Signal, set_parent_process_death_signal};

use super::{ExecError, tell};
use crate::{
    base::{FileLock, FsError, Scratch, fs},
    build::{self, BuildJob, Built},
    rt::Rt,
    store::StoreError,
};

/// How long the making of a link is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does the job that a file describes and writes the result beside it. Output of the build goes to standard output.
///
/// # Errors
/// When the job fails; the result file says so too.
pub fn worker(rt: &Rt, job_file: &Path) -> Result<Built, ExecError> {
    // A coordinator that is killed takes its workers along: nobody would read their results.
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
    let bytes = fs::read(job_file)?;
    let job: BuildJob = serde_json::from_slice(&bytes)
        .map_err(|error| ExecError::Protocol { path: job_file.to_owned(), why: error.to_string() })?;
    super::leftovers::watch();
    let built = build::build(rt, &job);
    let told: Result<&Built, String> = built.as_ref().map_err(|error| tell(error));
    let bytes = serde_json::to_vec_pretty(&told).expect("a result holds nothing that JSON cannot say");
    fs::write_atomic(&result_file(job_file), &bytes)?;
    Ok(built?)
}

/// Where the result of a job goes.
pub(super) fn result_file(job_file: &Path) -> PathBuf {
    job_file.with_file_name("result.json")
}

/// What a worker left: nothing when it died before its end.
pub(super) fn read_result(file: &Path) -> Result<Option<Result<Built, String>>, ExecError> {
    let Some(bytes) = fs::read_if_there(file)? else { return Ok(None) };
    let told = serde_json::from_slice(&bytes)
        .map_err(|error| ExecError::Protocol { path: file.to_owned(), why: error.to_string() })?;
    Ok(Some(told))
}

/// A folder whose `patchelf` is this program. rattler-build calls patchelf when a run path has to grow; with this
/// folder at the end of PATH nobody has to install it, and one that is installed is preferred. The folder is always the
/// same, because build scripts see PATH, and some write it into what they make.
pub(super) fn patchelf_shim(cache: &Path, program: &Path) -> Result<String, ExecError> {
    let folder = cache.join("bin");
    let link = folder.join("patchelf");
    let is_right = || std::fs::read_link(&link).is_ok_and(|target| target == program);
    if is_right() && fs::leftovers(&folder)?.is_empty() {
        return Ok(folder.to_string_lossy().into_owned());
    }
    // The cache is shared: only who holds its lock knows that what has a temporary name is nobody's.
    let _lock = FileLock::acquire(&cache.join("bin.lock"), PATIENCE, |_| {}).map_err(StoreError::from)?;
    fs::sweep(&folder)?;
    if is_right() {
        return Ok(folder.to_string_lossy().into_owned());
    }
    let beside = Scratch::inside(&folder)?;
    let new = beside.path().join("patchelf");
    std::os::unix::fs::symlink(program, &new).map_err(|source| FsError::new("link", &new, source))?;
    fs::rename(&new, &link)?;
    Ok(folder.to_string_lossy().into_owned())
}
