//! Runs that are killed, stopped, or meet each other.

use std::fs;

use rustix::process::Signal;

use crate::support::{Gate, Project, Running, eventually, files_below, is_alive, processes_naming};

/// Two packages; the build of the second waits at a gate.
fn gated() -> (Project, Gate) {
    let project = Project::new();
    let gate = Gate::new(project.beside("gate"));
    let recipe = |name: &str, script: &str, host: &str| {
        format!(
            "package:\n  name: {name}\n  version: 1.0.0\nbuild:\n  noarch: generic\n  script:\n    - {script}\n    - \
             mkdir -p $PREFIX/share && echo {name} > $PREFIX/share/{name}\nrequirements:\n  host: [{host}]\n"
        )
    };
    let project = project
        .manifest(
            "[project]\nname = \"gated\"\nchannels = []\n[recipes.first]\npath = \"recipes/first\"\n[recipes.second]\npath = \
             \"recipes/second\"\n[environments.both]\ndependencies = [\"first\", \"second\"]\n",
        )
        .recipe("first", &recipe("first", "true", ""))
        .recipe("second", &recipe("second", &gate.script(), "first"));
    (project, gate)
}

/// Asserts that nothing of a run is left, and that the next run completes.
fn assert_recovers(project: &Project, gate: &Gate, script: u32) {
    eventually("the build script is gone", || !is_alive(script));
    eventually("no worker is left", || processes_naming(project.root()).is_empty());
    eventually("nothing is left of the build", || processes_naming(project.scratch()).is_empty());
    assert!(!project.path("dist").exists());
    assert!(!project.read("output/noarch/repodata.json").contains("second"));
    gate.open();
    let report = project.report(&["all"]);
    assert_eq!(report.with("fresh"), ["build:first"]);
    assert_eq!(report.with("built"), ["build:second", "lock:both", "install:both", "pack:both"]);
    project.assert_fresh();
    let left: Vec<_> =
        files_below(project.root()).into_iter().filter(|it| it.to_string_lossy().contains("tmp-")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(files_below(&project.path(".envbuild/scratch")).len(), 0);
}

#[test]
fn after_kill_9_no_process_survives_and_the_next_run_completes() {
    let (project, gate) = gated();
    let run = Running::start(&project, &["all"]);
    let script = gate.reached();
    run.signal(Signal::KILL);
    assert_eq!(run.wait().status, None);
    assert_recovers(&project, &gate, script);
}

#[test]
fn ctrl_c_ends_the_children_and_gives_status_130() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (project, gate) = gated();
        let run = Running::start(&project, &["all", "--format", "json"]);
        let script = gate.reached();
        run.signal(signal);
        let ran = run.wait().failure(130).says("stopped: 1 built");
        let report = ran.report();
        assert_eq!(report.with("built"), ["build:first"]);
        assert_eq!(report.with("skipped"), ["build:second", "lock:both", "install:both", "pack:both"]);
        assert_recovers(&project, &gate, script);
    }
}

#[test]
fn a_killed_worker_fails_its_node() {
    let (project, gate) = gated();
    let run = Running::start(&project, &["all"]);
    let script = gate.reached();
    let named = processes_naming(&project.path(".envbuild/scratch"));
    assert!(!named.is_empty(), "the worker was not found");
    for worker in named {
        rustix::process::kill_process(rustix::process::Pid::from_raw(worker.cast_signed()).unwrap(), Signal::KILL)
            .unwrap();
    }
    run.wait().failure(1).says("failed build:second").says("signal");
    assert_recovers(&project, &gate, script);
}

#[test]
fn two_runs_at_once_do_the_work_once() {
    let project = Project::example("quickstart");
    let (first, second) = (Running::start(&project, &["all"]), Running::start(&project, &["all"]));
    let said = [first.wait().success().stderr, second.wait().success().stderr];
    assert_eq!(said.iter().filter(|it| it.contains("27 built")).count(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|it| it.contains("nothing to do: 27 nodes fresh")).count(), 1, "{said:?}");
    project.assert_fresh();
}

#[test]
fn a_second_run_waits_and_says_for_whom() {
    let (project, gate) = gated();
    let first = Running::start(&project, &["all"]);
    gate.reached();
    let second = Running::start(&project, &["all"]);
    // A look is possible all the while, and clean does not take the run's files away.
    assert_eq!(project.plan(&["second"]).with("fresh"), ["build:first"]);
    project.run(&["clean"]).failure(1).says("is locked by process ");
    gate.open();
    first.wait().success();
    second.wait().success().says("waiting for process").says("nothing to do");
}

#[test]
fn two_projects_that_build_the_same_package_take_turns() {
    let one = Project::example("quickstart");
    let two = Project::called("other").copy(one.root()).scratch_of(&one);
    let (first, second) = (Running::start(&one, &["build"]), Running::start(&two, &["build"]));
    first.wait().success();
    second.wait().success();
    for file in files_below(&one.path("output")).iter().filter(|it| !it.ends_with(".lock")) {
        assert!(
            fs::read(one.path("output").join(file)).unwrap() == fs::read(two.path("output").join(file)).unwrap(),
            "{file:?}"
        );
    }
}
