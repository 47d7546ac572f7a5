//! What one build costs apart from its script: a trivial package, by envbuild and by rattler-build.

use std::{fs, path::Path, process::Command};

use super::{
    arguments::Arguments,
    measure::once,
    program::envbuild,
    project::{Project, Shape, name, trivial},
    rattler_build::{Peer, VERSION},
    table::{table, time},
};

pub(crate) fn run(arguments: &Arguments, place: &Path) -> String {
    let shape = Shape { nodes: 1, layers: 1, needs: 0 };
    let project = Project::layered(&place.join("overhead"), shape, |node| trivial(&name(node)));
    let ours = || {
        for made in [".envbuild", "output"] {
            drop(fs::remove_dir_all(project.root.join(made)));
        }
        envbuild(&project, place, &["build", "--offline"])
    };
    let (best, median) = best_and_median(arguments.repeat, &ours);
    let row = |label: &str, best, median, ratio: String| vec![label.to_owned(), time(best), time(median), ratio];
    let mut rows = vec![row("envbuild", best, median, String::new())];
    let mut missing = String::new();
    match Peer::get(place) {
        Ok(peer) => {
            let output = place.join("overhead-rattler-build");
            let recipe = project.root.join("recipes").join(name(0)).join("recipe.yaml");
            let theirs = || {
                drop(fs::remove_dir_all(&output));
                peer.build(&recipe, &output)
            };
            let (other_best, other_median) = best_and_median(arguments.repeat, &theirs);
            let ratio = format!("{:.2}×", median.as_secs_f64() / other_median.as_secs_f64());
            rows.push(row(&format!("py-rattler-build {VERSION}"), other_best, other_median, ratio));
        }
        Err(why) => missing = format!("\npy-rattler-build could not be had: {why}.\n"),
    }
    let head = ["", "best", "median", "envbuild takes"];
    format!("## One trivial package\n\nOf {} runs.\n\n{}{missing}", arguments.repeat, table(&head, &rows))
}

fn best_and_median(repeat: usize, command: &dyn Fn() -> Command) -> (std::time::Duration, std::time::Duration) {
    once(command());
    let mut times: Vec<_> = (0..repeat.max(1)).map(|_| once(command())).collect();
    times.sort();
    (times[0], times[times.len() / 2])
}
