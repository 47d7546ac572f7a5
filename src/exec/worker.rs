//! The other side of a build: the process that is started for it, and the files by which the two speak.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::FileTypeExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::{
    io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd},
    stdio::dup2_stdin,
};

use super::{ExecError, guard, leftovers, tell};
use crate::{
    base::{FsError, fs},
    build::{self, BuildJob, Built},
    rt::Rt,
};

/// Does the job that a file describes and writes the result beside it. Output of the build goes to standard output; the
/// tokens of the jobserver come by standard input. `guard` is the process that takes orphans in.
///
/// # Errors
/// When the job fails; the result file says so too.
pub fn worker(rt: &Rt, job_file: &Path, guard: i32) -> Result<Built, ExecError> {
    guard::die_with_parent();
    let bytes = fs::read(job_file)?;
    let mut job: BuildJob = serde_json::from_slice(&bytes)
        .map_err(|error| ExecError::Protocol { path: job_file.to_owned(), why: error.to_string() })?;
    // Kept open for everything that the build starts.
    let tokens = tokens().map_err(|source| FsError::new("open", "the jobserver", source))?;
    if let Some([read, write]) = &tokens {
        job.make_flags = format!("-j --jobserver-auth={},{}", read.as_raw_fd(), write.as_raw_fd());
    }
    leftovers::watch(guard);
    let built = build::build(rt, &job);
    let told: Result<&Built, String> = built.as_ref().map_err(|error| tell(error));
    let bytes = serde_json::to_vec_pretty(&told).expect("a result holds nothing that JSON cannot say");
    fs::write_atomic(&result_file(job_file), &bytes)?;
    Ok(built?)
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
