//! Nothing to do: envbuild beside ninja and make on the same graph, and rattler-build rendering the same recipes.

use std::path::Path;

use super::{
    arguments::Arguments,
    measure::{Cost, cost, once},
    peers,
    program::{envbuild, version},
    project::{NEEDS, Project, Shape, name, trivial},
    rattler_build,
    table::{megabytes, table, time},
};

pub(crate) fn run(arguments: &Arguments, place: &Path) -> String {
    let mut text = "## Nothing to do\n\n".to_owned();
    for nodes in &arguments.nodes {
        text += &of(*nodes, arguments.repeat, place);
    }
    text
}

fn of(nodes: usize, repeat: usize, place: &Path) -> String {
    let shape = Shape::of(nodes);
    let folder = place.join(format!("noop-{nodes}"));
    let project = Project::layered(&folder.join("project"), shape, |node| trivial(&name(node)));
    tell(&format!("building {nodes} packages, unless that was done before"));
    let building = once(envbuild(&project, place, &["build", "--offline"]));
    // What was touched within the last two seconds is not believed to be unchanged: this is about the usual case.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let mut rows = Vec::new();
    let ours = cost(repeat, &|| envbuild(&project, place, &["build", "--offline"]));
    rows.push(row("envbuild", &ours, None));
    let graphs = folder.join("graphs");
    peers::write_graphs(&graphs, &project, shape);
    let mut missing = String::new();
    for (program, label) in [("ninja", "ninja"), ("make", "GNU make")] {
        if version(program, &["--version"]).is_none() {
            missing += &format!("{label} is not installed.\n\n");
            continue;
        }
        once(peers::command(program, &graphs));
        let theirs = cost(repeat, &|| peers::command(program, &graphs));
        rows.push(row(label, &theirs, Some(&ours)));
    }
    match rattler_build::Peer::get(place) {
        Ok(peer) => {
            let theirs = cost(repeat.min(3), &|| peer.render(&project.root.join("recipes")));
            rows.push(row(&format!("py-rattler-build {}, rendering", rattler_build::VERSION), &theirs, Some(&ours)));
        }
        Err(why) => missing += &format!("py-rattler-build could not be had: {why}.\n\n"),
    }
    let head = ["", "best", "median", "peak memory", "looks at files", "all system calls", "envbuild takes"];
    format!(
        "{nodes} packages in {} layers, each needs {NEEDS} of the layer before ({} edges), {} files. Of {repeat} runs. \
         The run before took {}.\n\n{}\n{missing}",
        shape.layers,
        shape.edges(),
        3 * nodes,
        time(building),
        table(&head, &rows),
    )
}

fn row(label: &str, cost: &Cost, ours: Option<&Cost>) -> Vec<String> {
    let count = |it: Option<u64>| it.map_or_else(|| "no strace".to_owned(), |it| it.to_string());
    let ratio = |ours: &Cost| format!("{:.2}×", ours.median.as_secs_f64() / cost.median.as_secs_f64());
    vec![
        label.to_owned(),
        time(cost.best),
        time(cost.median),
        megabytes(cost.memory),
        count(cost.calls.map(|it| it.0)),
        count(cost.calls.map(|it| it.1)),
        ours.map_or_else(String::new, ratio),
    ]
}

/// Says what is going on to whoever watches; the tables go to standard output.
fn tell(text: &str) {
    use std::io::Write as _;
    drop(writeln!(std::io::stderr(), "{text}"));
}
