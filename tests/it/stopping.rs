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
fn a_run_of_nohup_outlives_its_terminal() {
    let (project, gate) = gated();
    let project = project.started_by(&["nohup"]);
    let run = Running::start(&project, &["all", "--format", "json"]);
    gate.reached();
    run.signal(Signal::HUP);
    gate.open();
    let ran = run.wait().success();
    assert_eq!(ran.report().with("skipped"), Vec::<String>::new());
    project.assert_fresh();
}

/// A package whose script starts a daemon in a session of its own that holds the output open, says its number, and waits.
fn with_daemon() -> (Project, Gate, std::path::PathBuf) {
    let project = Project::new();
    let gate = Gate::new(project.beside("gate"));
    let daemon = project.beside("daemon");
    // Two generations: the daemon's parent has ended when anybody looks.
    let start = format!(
        "(setsid sh -c 'echo $$ > {0}.part; mv {0}.part {0}; exec sleep 86400' &); until [ -e {0} ]; do sleep 0.02; done",
        daemon.display()
    );
    let recipe = format!(
        "package:\n  name: thing\n  version: 1.0.0\nbuild:\n  noarch: generic\n  script:\n    - {start}\n    - {}\n    - mkdir -p \
         $PREFIX/share && echo done > $PREFIX/share/thing\n",
        gate.script()
    );
    let project = project
        .manifest("[project]\nname = \"p\"\n[recipes.thing]\npath = \"recipes/thing\"\n")
        .recipe("thing", &recipe);
    (project, gate, daemon)
}

fn number(file: &std::path::Path) -> u32 {
    fs::read_to_string(file).unwrap().trim().parse().unwrap()
}

#[test]
fn a_daemon_holds_no_build_up_and_does_not_outlive_it() {
    let (project, gate, daemon) = with_daemon();
    let run = Running::start(&project, &["build"]);
    gate.reached();
    let daemon = number(&daemon);
    assert!(is_alive(daemon), "a script may use what it has started");
    gate.open();
    // Without an end of the daemon the test would not come to one either.
    run.wait().success();
    assert!(!is_alive(daemon));
    assert!(project.read(".envbuild/logs/build+thing.log").contains("left `sleep` running"));
}

#[test]
fn a_daemon_does_not_outlive_a_run_that_is_stopped_or_killed() {
    for signals in [vec![Signal::INT], vec![Signal::TERM], vec![Signal::KILL], vec![Signal::INT, Signal::INT]] {
        let (project, gate, daemon) = with_daemon();
        let run = Running::start(&project, &["build"]);
        let script = gate.reached();
        for signal in &signals {
            run.signal(*signal);
        }
        let status = run.wait().status;
        assert_eq!(status, (signals != [Signal::KILL]).then_some(130));
        eventually("the script is gone", || !is_alive(script));
        eventually("the daemon is gone", || !is_alive(number(&daemon)));
        eventually("no worker is left", || processes_naming(project.root()).is_empty());
        gate.open();
        project.run(&["build"]).success();
        project.assert_fresh();
    }
}

#[test]
fn a_daemon_does_not_outlive_a_killed_worker() {
    let (project, gate, daemon) = with_daemon();
    let run = Running::start(&project, &["build"]);
    gate.reached();
    for worker in processes_naming(&project.path(".envbuild/scratch")) {
        kill(worker);
    }
    run.wait().failure(1).says("signal");
    assert!(!is_alive(number(&daemon)));
}

fn kill(process: u32) {
    let process = rustix::process::Pid::from_raw(process.cast_signed()).unwrap();
    // Its guard may have gone with it.
    let _ = rustix::process::kill_process(process, Signal::KILL);
}

#[test]
fn a_test_script_that_will_not_end_is_ended() {
    let project = Project::new();
    let gate = Gate::new(project.beside("gate"));
    let project = project
        .manifest("[project]\nname = \"p\"\n[environments.e]\ntest = \"test.sh\"\npack = []\n")
        .file("test.sh", &format!("trap '' INT TERM HUP\n{}\n", gate.script()));
    let run = Running::start(&project, &["test"]);
    let script = gate.reached();
    run.signal(Signal::INT);
    run.wait().failure(130);
    assert!(!is_alive(script));
}

/// Runs the program on a terminal of its own, presses Ctrl-C so many times, and gives what was drawn.
fn on_a_terminal(project: &Project, gate: &Gate, presses: usize) -> Vec<u8> {
    let program = env!("CARGO_BIN_EXE_envbuild");
    let mut command = std::process::Command::new("script");
    command.args([
        "-qec",
        &format!("trap : INT; {program} build; status=$?; echo; echo ended $status; stty -a"),
        "/dev/null",
    ]);
    project.pin(&mut command);
    command.env("TERM", "xterm").env("SHELL", "/bin/sh");
    let mut child = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    gate.reached();
    for _ in 0..presses {
        use std::io::Write as _;
        // A terminal makes a signal of this byte.
        child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
        child.stdin.as_mut().unwrap().flush().unwrap();
    }
    child.wait_with_output().unwrap().stdout
}

#[test]
fn ctrl_c_leaves_the_terminal_as_it_was() {
    for presses in [1, 2] {
        let (project, gate) = gated();
        let drawn = on_a_terminal(&project, &gate, presses);
        let text = String::from_utf8_lossy(&drawn);
        let Some((run, after)) = text.split_once("ended 130") else { panic!("{text}") };
        assert!(run.contains("build:second"), "bars were drawn: {text}");
        // Whatever was hidden is shown again, and the last thing that was drawn was taken away.
        assert!(run.rfind("\x1b[?25l") <= run.rfind("\x1b[?25h"), "{run:?}");
        let last = run.trim_end().rsplit('\n').next().unwrap_or_default();
        let shown = last.rsplit("\x1b[2K").next().unwrap_or_default().rsplit('\r').next().unwrap_or_default();
        assert!(!shown.contains("build:second (") && !shown.contains("0/"), "a bar is left: {run:?}");
        assert!(after.contains(" echo ") && after.contains(" icanon "), "{after}");
        eventually("no worker is left", || processes_naming(project.root()).is_empty());
        gate.open();
        project.run(&["build"]).success();
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
        kill(worker);
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
