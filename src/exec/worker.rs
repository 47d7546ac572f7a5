//! The other side of a build: the process that is started for it, and the files by which the two speak.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Context, ExecError, process, tell};
use crate::{
    base::{FileLock, FsError, Scratch, fs},
    build::{self, BuildError, BuildJob, ResolveJob},
    rt::Rt,
    store::StoreError,
};

/// How long the making of a link is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a worker is to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// Resolve the environments of a package; the answer is [`build::Environments`].
    Resolve(ResolveJob),
    /// Build a package; the answer is [`build::Built`].
    Build(BuildJob),
}

/// Does the job that a file describes and writes the result beside it. Output of the build goes to standard output.
///
/// # Errors
/// When the job fails; the result file says so too.
pub fn worker(rt: &Rt, job_file: &Path) -> Result<(), ExecError> {
    // A coordinator that is killed takes its workers along: nobody would read their results.
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
    let bytes = fs::read(job_file)?;
    let order: Order = serde_json::from_slice(&bytes)
        .map_err(|error| ExecError::Protocol { path: job_file.to_owned(), why: error.to_string() })?;
    match order {
        Order::Resolve(job) => answer(job_file, build::resolve(rt, &job)),
        Order::Build(job) => {
            super::leftovers::watch();
            answer(job_file, build::build(rt, &job))
        }
    }
}

fn answer<T: Serialize>(job_file: &Path, result: Result<T, BuildError>) -> Result<(), ExecError> {
    let told: Result<&T, String> = result.as_ref().map_err(|error| tell(error));
    let bytes = serde_json::to_vec_pretty(&told).expect("a result holds nothing that JSON cannot say");
    fs::write_atomic(&result_file(job_file), &bytes)?;
    result.map(drop).map_err(ExecError::from)
}

/// Runs an order in a child process: a kill takes it whole, its output goes to `log`, its state is its own.
pub(super) fn run<T: DeserializeOwned>(
    context: &Context,
    order: &Order,
    scratch: &Path,
    log: &Path,
) -> Result<T, ExecError> {
    let job_file = scratch.join("job.json");
    let result = result_file(&job_file);
    let bytes = serde_json::to_vec_pretty(order).expect("a job holds nothing that JSON cannot say");
    fs::write_atomic(&job_file, &bytes)?;
    let shim = patchelf_shim(&context.settings.cache, &context.settings.program)?;
    let path = context.settings.environment.get("PATH").map_or("", String::as_str);
    let mut command = Command::new(&context.settings.program);
    command.arg("worker").arg("--job").arg(&job_file);
    command.env("RATTLER_CACHE_DIR", &context.settings.cache);
    // What the library puts aside must go away with this job, also when it is killed.
    let temporary = scratch.join("tmp");
    fs::create_dir_all(&temporary)?;
    command.env("TMPDIR", &temporary);
    command.env("PATH", if path.is_empty() { shim } else { format!("{path}:{shim}") });
    let status = process::run(command, log, &context.children, &context.cancel)?;
    match read_result(&result)? {
        Some(Ok(made)) if status.success() => Ok(made),
        Some(Err(why)) => Err(ExecError::Build { why }),
        _ => Err(ExecError::Worker { status: status.to_string() }),
    }
}

/// Where the result of a job goes.
fn result_file(job_file: &Path) -> PathBuf {
    job_file.with_file_name("result.json")
}

/// What a worker left: nothing when it died before its end.
fn read_result<T: DeserializeOwned>(file: &Path) -> Result<Option<Result<T, String>>, ExecError> {
    let Some(bytes) = fs::read_if_there(file)? else { return Ok(None) };
    let told = serde_json::from_slice(&bytes)
        .map_err(|error| ExecError::Protocol { path: file.to_owned(), why: error.to_string() })?;
    Ok(Some(told))
}

/// A folder whose `patchelf` is this program. rattler-build calls patchelf when a run path has to grow; with this
/// folder at the end of PATH nobody has to install it, and one that is installed is preferred. The folder is always the
/// same, because build scripts see PATH, and some write it into what they make.
fn patchelf_shim(cache: &Path, program: &Path) -> Result<String, ExecError> {
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
