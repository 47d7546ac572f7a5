//! What this machine has for this process: processors and memory, with the limits of its control group.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

/// What jobs can share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Processors, at least 1.
    pub cpus: u32,
    /// Memory in bytes; nothing when it could not be found out.
    pub memory: Option<u64>,
}

impl Machine {
    /// Asks the operating system. Affinity and the control group's quota count for the processors, the control group's
    /// limit for the memory.
    pub fn probe() -> Self {
        let cpus = thread::available_parallelism().map_or(1, |it| u32::try_from(it.get()).unwrap_or(u32::MAX));
        Self { cpus, memory: memory(&|path| fs::read_to_string(path).ok()) }
    }
}

/// The least of the machine's memory and of every limit that is set for this process.
fn memory(read: &dyn Fn(&Path) -> Option<String>) -> Option<u64> {
    let total = read("/proc/meminfo".as_ref()).and_then(|text| total(&text));
    let groups = read("/proc/self/cgroup".as_ref()).unwrap_or_default();
    let limits = groups.lines().flat_map(limit_files);
    // A group without a limit says `max`, or a number that no machine has.
    limits.filter_map(|file| read(&file)?.trim().parse().ok()).chain(total).min()
}

/// `MemTotal:       16316412 kB` of proc_meminfo(5), in bytes.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|it| it.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The files that hold the limits of a line of proc_pid_cgroup(5): of the group itself and of all that it is in.
fn limit_files(line: &str) -> Vec<PathBuf> {
    let mut fields = line.splitn(3, ':');
    let (Some(_), Some(controllers), Some(group)) = (fields.next(), fields.next(), fields.next()) else {
        return Vec::new();
    };
    let (root, file) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        list if list.split(',').any(|it| it == "memory") => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        _ => return Vec::new(),
    };
    let group = Path::new(group.trim_start_matches('/'));
    group.ancestors().map(|it| Path::new(root).join(it).join(file)).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::{Machine, memory};

    const MEMINFO: (&str, &str) = ("/proc/meminfo", "MemTotal:       1048576 kB\nMemFree:         1000 kB\n");

    fn of(files: &[(&str, &str)]) -> Option<u64> {
        let files: BTreeMap<&str, &str> = files.iter().copied().collect();
        memory(&|path: &Path| files.get(path.to_str().unwrap()).map(|it| (*it).to_owned()))
    }

    #[test]
    fn the_least_limit_counts() {
        assert_eq!(of(&[MEMINFO]), Some(1 << 30));
        let group = ("/proc/self/cgroup", "0::/user.slice/job\n");
        let own = ("/sys/fs/cgroup/user.slice/job/memory.max", "max\n");
        assert_eq!(of(&[MEMINFO, group, own]), Some(1 << 30));
        let above = ("/sys/fs/cgroup/user.slice/memory.max", "1048576\n");
        assert_eq!(of(&[MEMINFO, group, own, above]), Some(1 << 20));
        let old = ("/proc/self/cgroup", "9:cpu,cpuacct:/a\n4:memory:/a\n");
        let limit = ("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2097152\n");
        let none = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(of(&[MEMINFO, old, limit, none]), Some(2 << 20));
    }

    #[test]
    fn without_a_word_nothing_is_known() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("/proc/meminfo", "MemTotal: much\n"), ("/proc/self/cgroup", "::\n0\n")]), None);
    }

    #[test]
    fn this_machine_has_something() {
        let machine = Machine::probe();
        assert!(machine.cpus >= 1 && machine.memory.is_none_or(|it| it > 1 << 20));
    }
}
