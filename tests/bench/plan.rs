//! The first plan: every recipe is rendered, nothing is known from before.

use std::{fs, path::Path};

use super::{
    arguments::Arguments,
    measure::once,
    program::envbuild,
    project::{Project, Shape, name, trivial},
    table::{table, time},
};

/// A cold plan takes seconds, so it is not repeated as often as what takes milliseconds.
const REPEAT: usize = 3;

pub(crate) fn run(arguments: &Arguments, place: &Path) -> String {
    let mut rows = Vec::new();
    for nodes in &arguments.nodes {
        let root = place.join(format!("plan-{nodes}"));
        let project = Project::layered(&root, Shape::of(*nodes), |node| trivial(&name(node)));
        rows.push(row(&format!("{nodes} recipes"), &project, arguments.repeat, place));
    }
    let root = place.join(format!("variants-{}", arguments.variants));
    let project = Project::variants(&root, arguments.variants);
    rows.push(row(&format!("1 recipe with {} variants", arguments.variants), &project, arguments.repeat, place));
    format!("## The first plan\n\n{}", table(&["", "first, best", "first, median", "again, best"], &rows))
}

fn row(label: &str, project: &Project, repeat: usize, place: &Path) -> Vec<String> {
    let plan = || once(envbuild(project, place, &["plan"]));
    let cold = || {
        drop(fs::remove_dir_all(project.root.join(".envbuild")));
        plan()
    };
    let mut first: Vec<_> = (0..repeat.clamp(1, REPEAT)).map(|_| cold()).collect();
    first.sort();
    let again = (0..repeat.max(1)).map(|_| plan()).min().unwrap();
    vec![label.to_owned(), time(first[0]), time(first[first.len() / 2]), time(again)]
}
