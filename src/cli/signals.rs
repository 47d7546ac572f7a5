//! Ctrl-C and termination: the first asks the run to stop, the second ends it at once.

use std::thread;

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    base::Cancel,
    exec::{Children, end_all},
};

/// Listens for the rest of the process's life. `tidy` gives the terminal back when the process is ended at once.
pub(super) fn watch(cancel: Cancel, children: Children, tidy: impl Fn() + Send + 'static) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    thread::spawn(move || {
        for _ in signals.forever() {
            if cancel.is_cancelled() {
                children.kill();
                tidy();
                super::exit::at_once();
            }
            cancel.cancel();
        }
    });
}

/// In a worker and in its guard: ends everything that was started for the build, because it must not outlive the run.
pub(super) fn die_together(guard: Option<i32>) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            end_all(guard);
        }
    });
}
