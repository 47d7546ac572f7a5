//! The other side of a build: the process that is started for it, and the files by which the two speak.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::FileTypeExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::{
    io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd},
    stdio::dup2_stdin,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Context, ExecError, guard, leftovers, process, shims, surroundings, tell};
use crate::{
    base::{FsError, fs},
    build::{self, BuildError, BuildJob, ResolveJob},
    rt::Rt,
    workspace::Package,
};

/// What a worker is to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// Resolve the environments of a package; the answer is [`build::Environments`].
    Resolve(ResolveJob),
    /// Build a package; the answer is [`build::Built`].
    Build(BuildJob),
}

/// Does the job that a file describes and writes the result beside it. Output of the build goes to standard output; the
/// tokens of the jobserver come by standard input. `guard` is the process that takes orphans in.
///
/// # Errors
/// When the job fails; the result file says so too.
pub fn worker(rt: &Rt, job_file: &Path, guard: i32) -> Result<(), ExecError> {
    guard::die_with_parent();
    let bytes = fs::read(job_file)?;
    let order: Order = serde_json::from_slice(&bytes)
        .map_err(|error| ExecError::Protocol { path: job_file.to_owned(), why: error.to_string() })?;
    match order {
        Order::Resolve(job) => answer(job_file, build::resolve(rt, &job)),
        Order::Build(mut job) => {
            // Kept open for everything that the build starts.
            let tokens = tokens().map_err(|source| FsError::new("open", "the jobserver", source))?;
            if let Some([read, write]) = &tokens {
                job.make_flags = format!("-j --jobserver-auth={},{}", read.as_raw_fd(), write.as_raw_fd());
            }
            leftovers::watch(guard);
            answer(job_file, build::build(rt, &job))
        }
    }
}

fn answer<T: Serialize>(job_file: &Path, result: Result<T, BuildError>) -> Result<(), ExecError> {
    let told: Result<&T, String> = result.as_ref().map_err(|error| tell(error));
    let bytes = serde_json::to_vec_pretty(&told).expect("a result holds nothing that JSON cannot say");
    // Not in a folder that the next run has thrown away, when this one was killed.
    fs::require_folder_of(job_file)?;
    fs::write_atomic(&result_file(job_file), &bytes)?;
    result.map(drop).map_err(ExecError::from)
}

/// Runs an order in a child process: a kill takes it whole, its output goes to `log`, its state is its own.
pub(super) fn run<T: DeserializeOwned>(
    context: &Context,
    order: &Order,
    (package, scratch): (&Package, &Path),
    log: &Path,
) -> Result<T, ExecError> {
    let job_file = scratch.join("job.json");
    let result = result_file(&job_file);
    let bytes = serde_json::to_vec_pretty(order).expect("a job holds nothing that JSON cannot say");
    fs::write_atomic(&job_file, &bytes)?;
    let own = &context.settings.environment;
    let mut command = Command::new(&context.settings.program);
    let path = match order {
        // Its tests see what the worker sees: the host's modules, and not the user's shell.
        Order::Build(job) if job.host_bound => {
            let modules = job.environment.iter().filter(|it| !build::sets_itself(it.0));
            command.env_clear().envs(modules).envs(surroundings::of_worker(own, package));
            job.environment.get("PATH")
        }
        _ => own.get("PATH"),
    };
    let path = shims::path(&context.settings.cache, &context.settings.program, path.map_or("", String::as_str))?;
    command.arg("worker").arg("--job").arg(&job_file);
    command.env("RATTLER_CACHE_DIR", &context.settings.cache);
    // What the library puts aside must go away with this job, also when it is killed.
    let temporary = scratch.join("tmp");
    fs::create_dir_all(&temporary)?;
    command.env("TMPDIR", &temporary);
    command.env("PATH", path).stdin(Stdio::null());
    // Whatever the build has borrowed comes back when this is dropped.
    let seat = match order {
        Order::Build(job) => Some(context.jobserver.seat(job.held).map_err(pipe_error)?),
        Order::Resolve(_) => None,
    };
    if let Some(seat) = &seat {
        command.stdin(seat.stdin().map_err(pipe_error)?);
    }
    let status = process::run(command, log, &context.children, &context.cancel)?;
    match read_result(&result)? {
        Some(Ok(made)) if status.success() => Ok(made),
        Some(Err(why)) => Err(ExecError::Build { why }),
        _ => Err(ExecError::Worker { status: status.to_string() }),
    }
}

fn pipe_error(source: io::Error) -> FsError {
    FsError::new("make", "a pipe for the jobserver", source)
}

/// The lowest number of a descriptor that is handed on: scripts use the low ones themselves. The numbers are always the
/// same, because some scripts write `MAKEFLAGS` into what they make.
const DESCRIPTOR: i32 = 100;

/// Turns standard input, when it is a pipe, into two descriptors that every child inherits: one to read, one to write.
fn tokens() -> io::Result<Option<[OwnedFd; 2]>> {
    let own = "/proc/self/fd/0";
    if !std::fs::metadata(own).is_ok_and(|it| it.file_type().is_fifo()) {
        return Ok(None);
    }
    let (read, write) = (File::open(own)?, File::options().write(true).open(own)?);
    let tokens = [fcntl_dupfd_cloexec(&read, DESCRIPTOR)?, fcntl_dupfd_cloexec(&write, DESCRIPTOR)?];
    for token in &tokens {
        fcntl_setfd(token, FdFlags::empty())?;
    }
    // Who reads standard input must not take a token for a text.
    dup2_stdin(File::open("/dev/null")?)?;
    Ok(Some(tokens))
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
