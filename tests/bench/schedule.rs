//! Sleeping builds in layers: how far the whole is from what no order could beat.

use std::{fs, path::Path, time::Duration};

use super::{
    arguments::Arguments,
    measure::once,
    program::envbuild,
    project::{Project, Shape, name, trivial},
    table::{table, time},
};

const SHAPE: Shape = Shape { nodes: 64, layers: 8, needs: 2 };

/// Jobs at once.
const JOBS: u64 = 2;

/// How long a build sleeps, in seconds: 3 to 7, the same in every run.
fn sleep(node: usize) -> u64 {
    3 + (node as u64 * 7 + node as u64 / 8) % 5
}

pub(crate) fn run(_: &Arguments, place: &Path) -> String {
    let script = |node| format!("{}sleep {}\n", trivial(&name(node)), sleep(node));
    let project = Project::layered(&place.join("schedule"), SHAPE, script);
    for made in [".envbuild", "output"] {
        drop(fs::remove_dir_all(project.root.join(made)));
    }
    let took = once(envbuild(&project, place, &["build", "--offline", "-j", &JOBS.to_string()]));
    let (longest, total) = (longest_path(), (0..SHAPE.nodes).map(sleep).sum::<u64>());
    let bound = Duration::from_secs(longest.max(total.div_ceil(JOBS)));
    let row = vec![
        format!("{} builds in {} layers, -j {JOBS}", SHAPE.nodes, SHAPE.layers),
        format!("{longest} s"),
        format!("{total} s"),
        time(bound),
        time(took),
        format!("{:.3}×", took.as_secs_f64() / bound.as_secs_f64()),
    ];
    let head = ["", "longest path", "all sleeps", "lower bound", "took", "of the bound"];
    format!("## Sleeping builds\n\n{}", table(&head, &[row]))
}

/// The longest sum of sleeps along edges.
fn longest_path() -> u64 {
    let mut ends: Vec<u64> = Vec::new();
    for node in 0..SHAPE.nodes {
        let before = SHAPE.needs_of(node).into_iter().map(|it| ends[it]).max().unwrap_or_default();
        ends.push(before + sleep(node));
    }
    ends.into_iter().max().unwrap_or_default()
}
