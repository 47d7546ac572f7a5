//! The power is cut at every step.

use super::{
    interposer::{Exchange, Fault, run, run_below},
    small::{ARGUMENTS, Small, at_every_step},
    state::Outcome,
};

/// Kills a run at its n-th write for every n, and asserts that the next run ends as if nothing had happened.
#[track_caller]
fn killed_everywhere(small: &Small) {
    at_every_step(100, |at| {
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

/// A run dies around its records, and the recipe is edited once more before the next one: nobody ever makes again what the
/// dead one was making.
#[test]
fn what_a_dead_run_published_and_did_not_record_leaves_the_index() {
    let small = Small::edited();
    let project = &small.project;
    let recipe = "recipes/base/recipe.yaml";
    let edit_again = || project.edit(recipe, "echo edited", "echo edited again");
    small.restart();
    edit_again();
    project.run(&ARGUMENTS).success();
    let clean = Outcome::of(project);
    let root = project.root().display();
    let roots = format!("{root}/.envbuild/records:{root}/.envbuild/builds:{root}/.envbuild/announced");
    let mut at = 1;
    loop {
        project.edit(recipe, "echo edited again", "echo edited");
        small.restart();
        let faulted = run_below(project, &ARGUMENTS, (&roots, Exchange::Unseen), at, Fault::Kill);
        if !faulted.fired {
            break;
        }
        edit_again();
        project.run(&ARGUMENTS).success();
        let outcome = Outcome::of(project).without_older(&clean);
        assert_eq!(outcome.differences(&clean), "", "killed at write {at}, {}", faulted.what);
        at += 1;
    }
    assert!(at > 20, "only {at} writes were seen");
}
