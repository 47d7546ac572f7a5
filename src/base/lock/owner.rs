//! Who holds a lock, and whether that process still lives.

use std::{fmt, fs, io::Read as _, sync::OnceLock};

use rustix::process::{Pid, getuid, test_kill_process};
use serde::{Deserialize, Serialize};

use crate::base::Digest;

/// What an owner writes of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// Random: tells this claim from every other.
    pub(super) token: String,
    /// The host's name.
    pub(super) host: String,
    /// Of the kernel that runs: another one after each start of the machine.
    pub(super) boot: String,
    /// The process numbers that the number below is one of: each container has its own.
    pub(super) processes: String,
    /// The process.
    pub(super) process: u32,
    /// When it was started, in ticks since the kernel's start: a number that is used again has another time.
    pub(super) started: u64,
    /// Who runs it.
    pub(super) user: String,
    /// What it was started with.
    pub(super) command: String,
    /// When the lock was taken, in seconds since 1970 by the owner's clock. Only for people.
    pub(super) since: u64,
}

/// What can be said of an owner from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// It works on this host.
    Lives,
    /// It has ended.
    Ended,
    /// It cannot be seen from here: another host's, another container's, or hidden from us.
    Unseen,
}

impl Claim {
    /// This process's.
    pub(super) fn of_this_process() -> Self {
        let process = std::process::id();
        Self {
            token: random(),
            host: line("/proc/sys/kernel/hostname"),
            boot: line("/proc/sys/kernel/random/boot_id"),
            processes: process_numbers(),
            process,
            started: Stat::of(process).map_or(0, |it| it.started),
            user: user(),
            command: command(),
            since: now(),
        }
    }

    /// The same owner's, told apart from this one.
    pub(super) fn another(&self) -> Self {
        Self { token: random(), ..self.clone() }
    }

    /// It as letters and digits.
    fn signature(&self) -> String {
        let [boot, processes, process, started] = WIDTHS;
        let short = |text: &str, width: usize| Digest::of(text).to_string().chars().take(width).collect::<String>();
        let (boot, processes) = (short(&self.boot, boot), short(&self.processes, processes));
        format!("{boot}{processes}{:0process$x}{:0started$x}", self.process, self.started)
    }

    /// Whether its owner lives.
    pub(super) fn life(&self) -> Life {
        // A name that many machines have says nothing.
        let telling = !self.host.is_empty() && !self.host.starts_with("localhost") && self.host != "(none)";
        let boot = line("/proc/sys/kernel/random/boot_id");
        if self.boot.is_empty() || self.boot != boot {
            let rebooted = telling && !self.boot.is_empty() && self.host == line("/proc/sys/kernel/hostname");
            return if rebooted { Life::Ended } else { Life::Unseen };
        }
        if self.processes != process_numbers() {
            return Life::Unseen;
        }
        let Some(pid) = i32::try_from(self.process).ok().and_then(Pid::from_raw) else { return Life::Ended };
        if test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
            return Life::Ended;
        }
        match Stat::of(self.process) {
            Some(stat) if stat.started != self.started || matches!(stat.state, 'Z' | 'X') => Life::Ended,
            Some(_) => Life::Lives,
            // There is a process of this number, and the table is hidden from us.
            None => Life::Unseen,
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process, user, host, command, since, .. } = self;
        let held = now().saturating_sub(*since);
        let held = match held {
            0..120 => format!("{held} s"),
            120..7200 => format!("{} min", held / 60),
            _ => format!("{} h", held / 3600),
        };
        write!(f, "process {process} of {user} on {host} ({command}, for {held})")
    }
}

/// How many hexadecimal digits the parts of a signature have: digests of what the start of the kernel and the process numbers
/// are called, the number of the process, and when it was started.
const WIDTHS: [usize; 4] = [10, 6, 6, 10];

/// This process in letters that a file's name can have, always as many.
pub(in crate::base) fn signature() -> &'static str {
    static SIGNATURE: OnceLock<String> = OnceLock::new();
    SIGNATURE.get_or_init(|| Claim::of_this_process().signature())
}

/// Whether a name begins with the signature of a process that has ended. Of another machine's or container's nobody knows, nor
/// of one that ran before this machine was started: many machines may have the same name.
pub(in crate::base) fn has_ended(name: &str) -> bool {
    let [boot, processes, process, started] = WIDTHS;
    let here = boot + processes;
    let number = |from: usize, width: usize| u64::from_str_radix(name.get(from..from + width)?, 16).ok();
    let (Some(process), Some(started)) = (number(here, process), number(here + process, started)) else { return false };
    let Ok(process) = u32::try_from(process) else { return false };
    name.get(..here) == signature().get(..here)
        && Claim { process, started, ..Claim::of_this_process() }.life() == Life::Ended
}

/// A line of the process table.
struct Stat {
    state: char,
    started: u64,
}

impl Stat {
    /// Reads `/proc/PID/stat` (proc_pid_stat(5)): the name stands in parentheses and may hold any character.
    fn of(process: u32) -> Option<Self> {
        let stat = fs::read(format!("/proc/{process}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?.chars().next()?;
        // The state is field 3, the time field 22.
        Some(Self { state, started: fields.nth(18)?.parse().ok()? })
    }
}

fn line(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default().trim().to_owned()
}

fn process_numbers() -> String {
    fs::read_link("/proc/self/ns/pid").map(|it| it.display().to_string()).unwrap_or_default()
}

fn random() -> String {
    let mut bytes = [0; 16];
    match fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)) {
        Ok(()) => hex::encode(bytes),
        // The address of a value differs from thread to thread, the time from lock to lock.
        Err(_) => format!("{:p}{:?}", &raw const bytes, std::time::Instant::now()).replace(' ', ""),
    }
}

/// The user's name, or number where the machine keeps its users elsewhere.
fn user() -> String {
    let id = getuid().as_raw().to_string();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut named = users.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    named.next().unwrap_or_else(|| format!("user {id}"))
}

/// The command line, with the program's name in the place of its path.
fn command() -> String {
    let bytes = fs::read("/proc/self/cmdline").unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut words: Vec<&str> = text.split('\0').filter(|it| !it.is_empty()).collect();
    if let Some(program) = words.first_mut() {
        *program = program.rsplit('/').next().unwrap_or(program);
    }
    words.join(" ").chars().map(|it| if it.is_control() { ' ' } else { it }).take(120).collect()
}

#[expect(clippy::disallowed_methods, reason = "people are told how long a lock is held; nothing that is made knows it")]
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |it| it.as_secs())
}

#[cfg(test)]
mod tests {
    use super::{WIDTHS, has_ended, signature};

    #[test]
    fn a_process_is_known_by_its_signature() {
        let own = signature();
        assert_eq!(own.len(), WIDTHS.iter().sum::<usize>());
        assert!(!has_ended(own) && !has_ended(&format!("{own}-xyz")));
        // A process of our number that was started at another time is none any more.
        let other = format!("{}{:010x}-xyz", &own[..own.len() - 10], 1);
        assert!(has_ended(&other), "{other}");
        // What ran on another machine may run there still.
        let elsewhere: String = other.chars().enumerate().map(|(at, it)| if at == 0 { flip(it) } else { it }).collect();
        assert!(!has_ended(&elsewhere), "{elsewhere}");
        for none in ["", "killed", &own[..own.len() - 1], &"\u{e4}".repeat(40)] {
            assert!(!has_ended(none), "{none}");
        }
    }

    fn flip(digit: char) -> char {
        if digit == '0' { '1' } else { '0' }
    }
}
