//! What a build script leaves running. The builder reads a script's output to its end, and a process that the script has
//! put into the background holds that end open: without this the build would wait for a forgotten server for ever.

use std::{fs, thread, time::Duration};

use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process};

/// How often is looked. A script that has ended twice in a row has ended.
const PERIOD: Duration = Duration::from_millis(500);

/// From now on, ends what a script of this process leaves behind in its process group. Does nothing where this process
/// does not lead a group of its own: then the others in it are not its scripts'.
pub(super) fn watch() {
    if getpgrp() != getpid() {
        return;
    }
    let me = getpid().as_raw_nonzero().get();
    // It lives as long as the process, which is as long as one build.
    let watching = thread::Builder::new().name("leftovers".to_owned()).spawn(move || {
        let mut ended_before = Vec::new();
        loop {
            thread::sleep(PERIOD);
            let group: Vec<Process> = processes().into_iter().filter(|it| it.group == me && it.id != me).collect();
            let mine = || group.iter().filter(|it| it.parent == me);
            let ended: Vec<i32> = mine().filter(|it| it.has_ended()).map(|it| it.id).collect();
            let still_at_work = mine().any(|it| !it.has_ended());
            if !still_at_work && ended.iter().any(|it| ended_before.contains(it)) {
                end(group.iter().filter(|it| !it.has_ended()));
            }
            ended_before = ended;
        }
    });
    // Without the thread a forgotten process holds the build up, which Ctrl-C ends.
    drop(watching);
}

fn end<'a>(leftovers: impl Iterator<Item = &'a Process>) {
    for process in leftovers {
        tracing::warn!("the script has ended and left `{}` running: it was ended", process.name);
        if let Some(id) = Pid::from_raw(process.id) {
            // One that ends by itself at this moment is no error.
            let _ = kill_process(id, Signal::KILL);
        }
    }
}

/// A line of the process table.
struct Process {
    id: i32,
    name: String,
    state: char,
    parent: i32,
    group: i32,
}

impl Process {
    /// Whether it only waits for its parent to hear of its end.
    fn has_ended(&self) -> bool {
        self.state == 'Z'
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
fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    // `self` and `thread-self` are there as well, and the latter's number is a thread's.
    let is_process = |entry: &fs::DirEntry| entry.file_name().to_str().is_some_and(|it| it.parse::<u32>().is_ok());
    let stat = |entry: fs::DirEntry| fs::read(entry.path().join("stat")).ok();
    let texts = entries.flatten().filter(is_process).filter_map(stat);
    texts.filter_map(|it| Process::parse(&String::from_utf8_lossy(&it))).collect()
}

#[cfg(test)]
mod tests {
    use super::{Process, processes};

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
}
