//! The power is cut at every step.

use super::{
    interposer::{Fault, run},
    small::{ARGUMENTS, Small, at_every_step},
};

/// Kills a run at its n-th write for every n, and asserts that the next run ends as if nothing had happened.
#[track_caller]
fn killed_everywhere(small: &Small) {
    at_every_step(|at| {
        small.restart();
        let faulted = run(&small.project, &ARGUMENTS, at, Fault::Kill);
        if !faulted.fired {
            faulted.ran.success();
            return None;
        }
        let mut flaw = String::new();
        if faulted.ran.status.is_some() {
            flaw += &format!("it lives:\n{}", faulted.ran.stderr);
        }
        let next = small.project.run(&["all"]);
        if next.status != Some(0) {
            flaw += &format!("the next run says:\n{}", next.stderr);
        }
        Some((faulted.what, flaw + &small.flaws()))
    });
}

#[test]
fn a_first_run_that_is_killed_at_any_step_is_made_good() {
    killed_everywhere(&Small::new());
}

#[test]
fn a_run_after_an_edit_that_is_killed_at_any_step_is_made_good() {
    killed_everywhere(&Small::edited());
}
