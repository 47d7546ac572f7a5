//! A write fails, at every step.

use rustix::io::Errno;

use super::{
    interposer::{Fault, Faulted, run},
    small::{ARGUMENTS, Small, at_every_step},
};
use crate::support::variable;

/// How the n-th write fails.
const FAULTS: [Fault; 3] = [Fault::Full, Fault::Once(Errno::IO), Fault::Once(Errno::ACCESS)];

/// Lets the n-th write of a run fail for every n, each time in another way, and asserts that the run says so or is none the
/// worse for it, and that the next run ends as if nothing had happened. With `ENVBUILD_TEST_SOAK=full` each write fails in
/// every way.
#[track_caller]
fn failing_everywhere(small: &Small) {
    let full = variable("ENVBUILD_TEST_SOAK").is_some_and(|it| it == "full");
    let ways = FAULTS.len() as u64;
    at_every_step(100, |step| {
        let (at, way) = if full { ((step - 1) / ways + 1, (step - 1) % ways) } else { (step, step % ways) };
        small.restart();
        let fault = FAULTS[usize::try_from(way).unwrap()];
        let faulted = run(&small.project, &ARGUMENTS, at, fault);
        if !faulted.fired {
            faulted.ran.success();
            return None;
        }
        let flaw = telling(&faulted).unwrap_or_default() + &after(small, &faulted);
        Some((format!("{fault:?} at {}", faulted.what), flaw))
    });
}

/// What is wrong with how a run told of its failure. Some libraries name the file and not the cause.
fn telling(faulted: &Faulted) -> Option<String> {
    let stderr = &faulted.ran.stderr;
    match faulted.ran.status {
        _ if stderr.contains("panicked") => Some(format!("it panics:\n{stderr}")),
        Some(0) => None,
        Some(1) if stderr.contains('/') && stderr.contains("could not") => None,
        status => Some(format!("it ends with {status:?} and says:\n{stderr}")),
    }
}

/// What is wrong afterwards. What a run could not remove, the next one does.
fn after(small: &Small, faulted: &Faulted) -> String {
    let mut flaw = String::new();
    let next = small.project.run(&["all"]);
    let must_be_fresh = faulted.ran.status == Some(0);
    if next.status != Some(0) || must_be_fresh && !next.stderr.contains("nothing to do") {
        flaw += &format!("the next run says:\n{}", next.stderr);
    }
    flaw + &small.flaws()
}

#[test]
fn a_first_run_tells_of_any_write_that_fails_and_is_made_good() {
    failing_everywhere(&Small::new());
}

#[test]
fn a_run_after_an_edit_tells_of_any_write_that_fails_and_is_made_good() {
    failing_everywhere(&Small::edited());
}
