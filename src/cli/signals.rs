//! Ctrl-C and termination: the first asks the run to stop, the second ends it at once.

use std::thread;

use rustix::process::{Signal, kill_current_process_group};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{base::Cancel, exec::Children};

/// Listens for the rest of the process's life.
pub(super) fn watch(cancel: Cancel, children: Children) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    thread::spawn(move || {
        for _ in signals.forever() {
            if cancel.is_cancelled() {
                children.kill();
                super::exit::at_once();
            }
            cancel.cancel();
        }
    });
}

/// In a worker: ends the whole process group, because what the worker has started must not outlive it.
pub(super) fn die_together() {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            let _ = kill_current_process_group(Signal::KILL);
        }
    });
}
