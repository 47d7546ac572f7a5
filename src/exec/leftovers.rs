//! What a build script leaves running. The builder reads a script's output to its end, and a process that the script has
//! put into the background holds that end open: without this the build would wait for a forgotten server for ever.

use std::{thread, time::Duration};

use rustix::process::getpid;

use super::family::{Process, descendants, processes};

/// How often is looked. A script that has ended twice in a row has ended.
const PERIOD: Duration = Duration::from_millis(500);

/// From now on, ends what a script of this process leaves behind, be it in the script's group or a daemon. The guard is
/// the process that takes the orphans in.
pub(super) fn watch(guard: i32) {
    let me = getpid().as_raw_nonzero().get();
    // It lives as long as the process, which is as long as one build.
    let watching = thread::Builder::new().name("leftovers".to_owned()).spawn(move || {
        let mut ended_before = Vec::new();
        loop {
            thread::sleep(PERIOD);
            let family = descendants(&processes(), &[guard]);
            let mine = || family.iter().filter(|it| it.parent == me);
            let ended: Vec<i32> = mine().filter(|it| it.has_ended()).map(|it| it.id).collect();
            let still_at_work = mine().any(|it| !it.has_ended());
            if !still_at_work && ended.iter().any(|it| ended_before.contains(it)) {
                end(family.iter().filter(|it| it.id != me && !it.has_ended()));
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
        process.kill();
    }
}
