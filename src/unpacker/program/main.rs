//! The unpacker inside of self-extracting archives: `envbuild unpack` without the rest of envbuild.
//!
//! A program of its own, which the build script makes out of rooms of this crate. The shell script at the beginning of an
//! archive starts it; see `launch.sh`.
#![allow(dead_code, unused_imports, unreachable_pub, reason = "it needs only a part of each room")]

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

#[path = "../../archive/mod.rs"]
mod archive;
#[path = "../../base/mod.rs"]
mod base;
#[path = "../../tree/mod.rs"]
mod tree;
#[path = "../../unpack/mod.rs"]
mod unpack;

use base::{Cancel, Progress, with_causes};
use unpack::{Machine, UnpackError, UnpackRequest};

/// The options as the script gives them; what users may write is checked there.
struct Arguments {
    archive: PathBuf,
    prefix: PathBuf,
    threads: u32,
    glibc: Option<String>,
    ignore_platform: bool,
    list: bool,
}

fn main() -> ExitCode {
    let Some(arguments) = arguments(env::args_os().skip(1)) else {
        // The script tries whether it can run at all.
        return ExitCode::SUCCESS;
    };
    let cancel = Cancel::new();
    if !arguments.list {
        watch(cancel.clone());
    }
    clear();
    let outcome = if arguments.list { list(&arguments.archive) } else { unpack(&arguments, &cancel) };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("error: {}", with_causes(&error));
            if let Some(help) = miette::Diagnostic::help(&error) {
                text.push_str(&format!("\n  help: {help}"));
            }
            say(&text);
            // As envbuild itself when it was stopped.
            ExitCode::from(if matches!(error, UnpackError::Stopped) { 130 } else { 1 })
        }
    }
}

/// Nothing without any.
fn arguments(mut given: impl Iterator<Item = OsString>) -> Option<Arguments> {
    let mut arguments = Arguments {
        archive: given.next()?.into(),
        prefix: given.next()?.into(),
        threads: thread::available_parallelism().map_or(1, |it| u32::try_from(it.get()).unwrap_or(1)),
        glibc: None,
        ignore_platform: false,
        list: false,
    };
    while let Some(argument) = given.next() {
        match argument.to_str() {
            Some("--ignore-platform") => arguments.ignore_platform = true,
            Some("--list") => arguments.list = true,
            Some("-j") => {
                let number = given.next().and_then(|it| it.to_str()?.parse().ok());
                arguments.threads = number.unwrap_or(arguments.threads);
            }
            Some("--glibc") => {
                let version = given.next().and_then(|it| it.into_string().ok());
                arguments.glibc = version.filter(|it| !it.is_empty());
            }
            _ => {}
        }
    }
    Some(arguments)
}

/// Removes this program and its folder, which the script made for it: a running program needs no name.
fn clear() {
    let Some(program) = env::args_os().next().map(PathBuf::from) else { return };
    let Some(folder) = program.parent().filter(|it| it.file_name().is_some_and(is_ours)) else { return };
    // What cannot be removed does no harm.
    let _ = std::fs::remove_file(&program);
    let _ = std::fs::remove_dir(folder);
}

fn is_ours(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".envbuild-unpack.")
}

fn list(archive: &Path) -> Result<(), UnpackError> {
    let digests = unpack::digests_of(archive)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for name in digests.0.keys() {
        // Whoever reads may have seen enough.
        if out.write_all(name).and_then(|()| out.write_all(b"\n")).is_err() {
            break;
        }
    }
    Ok(())
}

/// Listens for whoever wants it to stop. The script lets the first two be ignored until then; `nohup` the last, for good.
fn watch(cancel: Cancel) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    let hangup = (ignored.unwrap_or_default() >> (SIGHUP - 1) & 1 == 0).then_some(SIGHUP);
    if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup)) {
        thread::spawn(move || signals.forever().for_each(|_| cancel.cancel()));
    }
}

fn unpack(arguments: &Arguments, cancel: &Cancel) -> Result<(), UnpackError> {
    let machine = if arguments.ignore_platform {
        Machine::default()
    } else {
        Machine { platform: platform().map(str::to_owned), glibc: arguments.glibc.clone() }
    };
    let is_terminal = io::stderr().is_terminal();
    let told = AtomicU64::new(0);
    let progress = |done: u64, total: u64| {
        let percent = if total == 0 { 100 } else { (done.saturating_mul(100) / total).min(100) };
        if is_terminal && told.swap(percent, Ordering::Relaxed) != percent {
            let _ = write!(io::stderr(), "\runpacking {percent:3} %");
        }
    };
    let unpacked = unpack::unpack(&UnpackRequest {
        archive: &arguments.archive,
        prefix: &arguments.prefix,
        machine: &machine,
        threads: arguments.threads,
        progress: Progress::to(&progress),
        cancel,
    });
    if is_terminal {
        let _ = write!(io::stderr(), "\r                \r");
    }
    let unpacked = unpacked?;
    let (files, bytes) = (unpacked.files, unpacked.bytes);
    say(&format!("unpacked {files} files ({bytes} bytes) into {}", arguments.prefix.display()));
    Ok(())
}

/// This machine's platform, as conda names it.
fn platform() -> Option<&'static str> {
    match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => Some("linux-64"),
        ("linux", "aarch64") => Some("linux-aarch64"),
        ("linux", "powerpc64") if cfg!(target_endian = "little") => Some("linux-ppc64le"),
        ("linux", "riscv64") => Some("linux-riscv64"),
        ("linux", "s390x") => Some("linux-s390x"),
        _ => None,
    }
}

/// What nobody can read is not worth an error.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
