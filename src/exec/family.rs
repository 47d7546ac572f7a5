//! Who descends from whom, by the table of processes. A process that leaves its group, as a daemon does, still has its
//! place in the tree: when its parent ends it comes to the nearest ancestor that takes orphans in.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitOptions, getpgrp, getpid, kill_process, set_child_subreaper, waitpid};

/// How often those are ended that were started in the meantime. A kill is done long before.
const ROUNDS: u32 = 200;

/// How long a round waits for the killed to be gone.
const PERIOD: Duration = Duration::from_millis(5);

/// From now on, what descends from this process comes to it when its parent ends; not any more when `yes` is false.
pub(super) fn take_orphans(yes: bool) {
    // An old system that cannot do this has what it had before: the members of a group are ended, daemons are not.
    let _ = set_child_subreaper(yes.then(getpid));
}

/// Ends all that descends from these processes, at once, but for the processes themselves and `spared`.
pub(super) fn end_descendants(roots: &[i32], spared: &[i32]) {
    end(&|table| descendants(table, roots).into_iter().filter(|it| !spared.contains(&it.id)).collect());
}

/// Ends what came to this process as an orphan. Whatever it has started itself is in its own group, or in `own`.
pub(super) fn end_orphans(own: &BTreeSet<i32>) {
    let (me, group) = (getpid().as_raw_nonzero().get(), getpgrp().as_raw_nonzero().get());
    let is_orphan = |it: &&Process| it.parent == me && it.group != group && !own.contains(&it.id);
    let with_descendants = |table: &[Process]| {
        let orphans: Vec<i32> = table.iter().filter(is_orphan).map(|it| it.id).collect();
        let mut all = descendants(table, &orphans);
        all.extend(table.iter().filter(|it| orphans.contains(&it.id)).cloned());
        all
    };
    end(&with_descendants);
    // Nobody else hears of their end.
    for orphan in processes().iter().filter(is_orphan).filter(|it| it.has_ended()) {
        let _ = waitpid(Pid::from_raw(orphan.id), WaitOptions::NOHANG);
    }
}

/// Ends what is found, until nothing is found any more: a process may start another one before it ends.
fn end(find: &dyn Fn(&[Process]) -> Vec<Process>) {
    for _ in 0..ROUNDS {
        let mut found = find(&processes());
        found.retain(|it| !it.has_ended());
        if found.is_empty() {
            return;
        }
        found.iter().for_each(Process::kill);
        thread::sleep(PERIOD);
    }
}

/// All that descends from these processes.
pub(super) fn descendants(table: &[Process], roots: &[i32]) -> Vec<Process> {
    let mut children: BTreeMap<i32, Vec<&Process>> = BTreeMap::new();
    for process in table {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = BTreeMap::new();
    let mut open = roots.to_vec();
    while let Some(at) = open.pop() {
        for child in children.get(&at).into_iter().flatten() {
            if found.insert(child.id, (*child).clone()).is_none() {
                open.push(child.id);
            }
        }
    }
    found.into_values().collect()
}

/// A line of the process table.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) id: i32,
    pub(super) name: String,
    state: char,
    pub(super) parent: i32,
    group: i32,
}

impl Process {
    /// Whether it only waits for its parent to hear of its end.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }

    pub(super) fn kill(&self) {
        if let Some(id) = Pid::from_raw(self.id) {
            // One that ends by itself at this moment is no error.
            let _ = kill_process(id, Signal::KILL);
        }
    }

    /// Reads `/proc/PID/stat` (proc_pid_stat(5)): the name stands in parentheses and may hold any character.
    fn parse(stat: &str) -> Option<Self> {
        let (id, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        Some(Self {
            id: id.parse().ok()?,
            name: name.to_owned(),
            state: fields.next()?.chars().next()?,
            parent: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    }
}

/// All processes; those that end while the table is read are left out.
pub(super) fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    // `self` and `thread-self` are there as well, and the latter's number is a thread's.
    let is_process = |entry: &fs::DirEntry| entry.file_name().to_str().is_some_and(|it| it.parse::<u32>().is_ok());
    let stat = |entry: fs::DirEntry| fs::read(entry.path().join("stat")).ok();
    let texts = entries.flatten().filter(is_process).filter_map(stat);
    texts.filter_map(|it| Process::parse(&String::from_utf8_lossy(&it))).collect()
}

#[cfg(test)]
mod tests {
    use super::{Process, descendants, processes};

    #[test]
    fn a_name_may_hold_what_stands_around_it() {
        let process = Process::parse("12 (a) (b c) S 7 9 9 0 -1").unwrap();
        assert_eq!((process.id, process.name.as_str(), process.state), (12, "a) (b c", 'S'));
        assert_eq!((process.parent, process.group), (7, 9));
    }

    #[test]
    fn this_process_is_in_the_table_and_its_threads_are_not() {
        let me = i32::try_from(std::process::id()).unwrap();
        let processes = std::thread::spawn(processes).join().unwrap();
        assert!(processes.iter().any(|it| it.id == me && !it.has_ended()));
        let mut ids: Vec<i32> = processes.iter().map(|it| it.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), processes.len(), "each process once, and no thread");
    }

    #[test]
    fn a_descendant_is_found_at_any_depth() {
        let line = |id: i32, parent: i32| Process::parse(&format!("{id} (x) S {parent} {id} 0")).unwrap();
        let table = [line(2, 1), line(3, 2), line(4, 3), line(5, 1), line(6, 5)];
        let found: Vec<i32> = descendants(&table, &[2]).iter().map(|it| it.id).collect();
        assert_eq!(found, [3, 4]);
    }
}
