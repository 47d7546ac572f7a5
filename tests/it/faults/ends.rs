//! The end of everything that a run has started.

use std::{fs, thread, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

/// Kills every process of a session, until there is none.
pub(super) fn end_session(leader: u32) {
    loop {
        let living = session(leader);
        if living.is_empty() {
            return;
        }
        for process in living {
            // One that ends by itself at this moment is no error.
            let _ = kill_process(process, Signal::KILL);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a process of a session works.
pub(super) fn lives(leader: u32) -> bool {
    !session(leader).is_empty()
}

/// The processes of a session, without those that have ended and were not waited for.
fn session(leader: u32) -> Vec<Pid> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|it| it.parse::<i32>().ok()) else { continue };
        // proc_pid_stat(5): after the name in parentheses come state, parent, group and session.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        let fields: Vec<&str> = rest.split(' ').take(4).collect();
        let is_in = fields.get(3).and_then(|it| it.parse().ok()) == Some(leader);
        if is_in && !["Z", "X"].contains(&fields[0]) {
            found.extend(Pid::from_raw(process));
        }
    }
    found
}
