//! Exact: each change of a project runs what it has to, and nothing else. Tables of rows over a real project, each with the
//! nodes that run, the reasons that `plan` gives for them before, and the values that `why` shows.
//!
//! Knows nothing of: how a node is done.

mod base;
mod host;
mod project;
mod row;
mod rows;

#[test]
fn each_change_runs_exactly_what_it_has_to() {
    row::check(project::project(), &rows::all());
}

#[test]
fn what_a_base_channel_adds_later_runs_nothing() {
    row::check(base::supplied(), &base::rows());
}

#[test]
fn what_is_for_python_runs_exactly_when_it_has_to() {
    let Some(project) = base::snakes() else { return };
    row::check(project, &base::snake_rows());
}

#[test]
fn what_the_host_provides_counts_for_what_is_bound_to_it() {
    let Some(project) = host::project() else { return };
    row::check(project, &host::rows());
}
