//! What a command costs: time, memory, and looks at files.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The system calls that look at a file by its name.
pub(crate) const LOOKS: &[&str] =
    &["stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink"];

/// What some runs of a command cost.
#[derive(Debug, Clone)]
pub(crate) struct Cost {
    /// The fastest.
    pub(crate) best: Duration,
    /// The one in the middle.
    pub(crate) median: Duration,
    /// The most memory that it held, in bytes.
    pub(crate) memory: u64,
    /// Calls that look at a file by name, all calls; of one run, when `strace` is there.
    pub(crate) calls: Option<(u64, u64)>,
}

/// Measures a command `repeat` times, after one run that is not counted. It has to succeed.
pub(crate) fn cost(repeat: usize, command: &dyn Fn() -> Command) -> Cost {
    once(command());
    let mut times: Vec<Duration> = (0..repeat.max(1)).map(|_| once(command())).collect();
    times.sort();
    // A process of two milliseconds may be over before it is asked for the first time.
    let most = (0..repeat.max(1)).map(|_| memory(command())).max().unwrap_or_default();
    Cost { best: times[0], median: times[times.len() / 2], memory: most, calls: calls(&command()) }
}

/// The wall time of one run.
pub(crate) fn once(mut command: Command) -> Duration {
    let start = Instant::now();
    let child = quiet(&mut command).spawn();
    let child = child.unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
    end(child, &command);
    start.elapsed()
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped())
}

fn end(child: Child, command: &Command) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// The most memory that a process held. It is asked again and again until it has ended; that would disturb a clock, so
/// it is a run of its own.
pub(crate) fn memory(mut command: Command) -> u64 {
    let mut child = quiet(&mut command).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|it| it.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|it| it.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        most = most.max(kibibytes.unwrap_or_default() * 1024);
    }
    most
}

/// Counts system calls with `strace`, of all threads and child processes.
fn calls(command: &Command) -> Option<(u64, u64)> {
    let mut traced = Command::new("strace");
    let counts = tempfile::NamedTempFile::new().unwrap();
    traced.args(["-f", "-c", "-o"]).arg(counts.path()).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        traced.current_dir(folder);
    }
    let ran = quiet(&mut traced).output().ok()?;
    if !ran.status.success() {
        return None;
    }
    let text = fs::read_to_string(counts.path()).unwrap();
    let (mut looks, mut all) = (0, 0);
    // % time, seconds, microseconds for each call, calls, errors where there were some, name.
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(name), Some(Ok(count))) = (words.last(), words.get(3).map(|it| it.parse::<u64>())) else { continue };
        if *name != "total" {
            all += count;
            looks += if LOOKS.contains(name) { count } else { 0 };
        }
    }
    Some((looks, all))
}
