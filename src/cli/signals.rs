//! Ctrl-C and termination: the first asks the run to stop, the second ends it at once.

use std::{path::Path, thread};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    base::{Cancel, fs},
    exec::{Children, end_all},
};

/// Listens for the rest of the process's life. `tidy` gives the terminal back when the process is ended at once. Whoever looks at
/// `cancel` ends the children.
pub(super) fn watch(cancel: Cancel, children: Children, tidy: impl Fn() + Send + 'static) {
    listen(cancel, children, |_| {}, tidy);
}

/// The same for work that waits for its children and looks at nothing meanwhile: they are asked to end, too.
pub(super) fn watch_children(cancel: Cancel, children: Children) {
    listen(cancel, children, Children::end, || {});
}

fn listen(
    cancel: Cancel,
    children: Children,
    end: impl Fn(&Children) + Send + 'static,
    tidy: impl Fn() + Send + 'static,
) {
    let Ok(mut signals) = Signals::new(heeded()) else { return };
    thread::spawn(move || {
        for _ in signals.forever() {
            if cancel.is_cancelled() {
                children.kill();
                tidy();
                super::exit::at_once();
            }
            cancel.cancel();
            end(&children);
        }
    });
}

/// In a worker and in its guard: ends everything that was started for the build, because it must not outlive the run.
pub(super) fn die_together(guard: Option<i32>) {
    let Ok(mut signals) = Signals::new(heeded()) else { return };
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            end_all(guard);
        }
    });
}

/// What ends a run. `nohup` starts a program with the end of its terminal ignored; then that is none of its business.
fn heeded() -> Vec<i32> {
    let status = fs::read_text(Path::new("/proc/self/status")).unwrap_or_default();
    if ignores(&status, SIGHUP) { vec![SIGINT, SIGTERM] } else { vec![SIGINT, SIGTERM, SIGHUP] }
}

/// Whether the process with this status, as Linux tells it, ignores a signal: one bit for each, the first is the lowest.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|it| u64::from_str_radix(it.trim(), 16).ok()).unwrap_or_default();
    mask >> (signal - 1) & 1 == 1
}
