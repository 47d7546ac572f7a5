//! Runs that meet: on one project, on one channel, in one build folder, with flock and without.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Gate, Project, Ran, Running, contents_below, eventually};

/// Everything that a project has made for others.
fn made(project: &Project) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for folder in ["output/noarch", "output/linux-64", "dist"] {
        let below = contents_below(&project.path(folder)).into_iter();
        all.extend(below.map(|(path, bytes)| (Path::new(folder).join(path), bytes)));
    }
    all.push(("envbuild.lock".into(), fs::read(project.path("envbuild.lock")).unwrap()));
    all
}

#[test]
fn ten_runs_at_once_end_well_and_do_the_work_once() {
    let clean = Project::example("quickstart");
    clean.run(&["all"]).success();
    let expected = made(&clean);
    for flock in ["on", "off"] {
        let project = Project::example("quickstart").scratch_of(&clean).env("ENVBUILD_FLOCK", flock);
        let runs: Vec<Running> = (0..10).map(|_| Running::start(&project, &["all", "--format", "json"])).collect();
        let reports: Vec<_> = runs.into_iter().map(|it| it.wait().success().report()).collect();
        let built: u64 = reports.iter().map(|it| it.count("built")).sum();
        assert_eq!(built, 27, "flock is {flock}");
        assert_eq!(reports.iter().filter(|it| it.count("fresh") == 27).count(), 9, "flock is {flock}");
        let found = made(&project);
        let differs = found.iter().zip(&expected).find(|(a, b)| a != b).map(|(a, b)| (&a.0, &b.0));
        assert!(found == expected, "{differs:?} differ from a clean run's");
        let left: Vec<_> = contents_below(project.root())
            .into_iter()
            .filter(|(it, _)| it.to_string_lossy().contains(".owner"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// The file names that an index has.
fn listed(project: &Project, subdir: &str) -> Vec<String> {
    let index: serde_json::Value =
        serde_json::from_str(&project.read(&format!("output/{subdir}/repodata.json"))).unwrap();
    index["packages.conda"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn two_projects_on_one_channel_lose_no_entry() {
    for flock in ["on", "off"] {
        let one = Project::example("quickstart").env("ENVBUILD_FLOCK", flock);
        let two = Project::example("quickstart").scratch_of(&one).env("ENVBUILD_FLOCK", flock);
        // The other has versions of its own, and shares what no axis is in.
        two.edit("project.toml", "\"1.0.0\", \"2.0.0\"", "\"1.5.0\", \"2.5.0\"");
        for test in ["tests/everyone.sh", "tests/minimal.sh"] {
            two.write(test, "#!/bin/sh\nhello --version\n");
        }
        fs::create_dir(one.path("output")).unwrap();
        symlink(one.path("output"), two.path("output")).unwrap();
        let (first, second) = (Running::start(&one, &["all"]), Running::start(&two, &["all"]));
        first.wait().success();
        second.wait().success();
        let (native, shared) = (listed(&one, "linux-64"), listed(&one, "noarch"));
        assert_eq!((native.len(), shared.len()), (16, 5), "{native:?} {shared:?}");
        one.assert_fresh();
        two.assert_fresh();
        // A package that one of them replaces takes nothing of the other along.
        one.edit("recipes/hello/src/hello.c", "usage: hello", "how to use: hello");
        one.run(&["build"]).success();
        let now = listed(&one, "linux-64");
        let gone: Vec<_> = native.iter().filter(|it| !now.contains(it)).collect();
        assert_eq!((now.len(), gone.len()), (16, 2), "{gone:?}");
        assert!(gone.iter().all(|it| it.starts_with("hello-")), "{gone:?}");
        two.assert_fresh();
        let hello = two.run(&["run", "minimal-libgreet1.5.0", "--", "hello", "world"]).success();
        assert_eq!(hello.stdout, "Hello, world!\n");
    }
}

/// One package whose build waits at a gate.
fn gated(project: Project, gate: &Gate) -> Project {
    let recipe = format!(
        "package:\n  name: slow\n  version: 1.0.0\nbuild:\n  noarch: generic\n  script:\n    - {}\n    - mkdir -p $PREFIX/share && echo > \
         $PREFIX/share/slow\n",
        gate.script()
    );
    project
        .manifest("[project]\nname = \"p\"\nchannels = []\n[recipes.slow]\npath = \"recipes/slow\"\n")
        .recipe("slow", &recipe)
}

/// A run whose talk goes to a file, so that it can be listened to.
fn talking(project: &Project, to: &Path) -> std::process::Child {
    project.command(&["all"]).stderr(File::create(to).unwrap()).spawn().unwrap()
}

#[test]
fn a_run_that_waits_says_for_whom_and_ends_at_once_when_it_is_told_to() {
    for flock in ["on", "off"] {
        let project = Project::new().env("ENVBUILD_FLOCK", flock);
        let gate = Gate::new(project.beside("gate"));
        let project = gated(project, &gate);
        let first = Running::start(&project, &["all"]);
        gate.reached();
        for signal in [Signal::INT, Signal::TERM] {
            let said = project.beside("said");
            let mut waiting = talking(&project, &said);
            eventually("it says for whom it waits", || {
                fs::read_to_string(&said).unwrap().contains("waiting for process ")
            });
            let text = fs::read_to_string(&said).unwrap();
            let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
            assert!(text.contains(&format!(" on {} (envbuild all, for ", host.trim())), "{text}");
            assert!(text.contains("which works on this project"), "{text}");
            kill_process(Pid::from_child(&waiting), signal).unwrap();
            // The first still works: nothing but the signal ends the wait.
            assert_eq!(waiting.wait().unwrap().code(), Some(130));
        }
        gate.open();
        first.wait().success();
        project.assert_fresh();
    }
}

#[test]
fn a_killed_runs_claim_is_taken_over_silently() {
    for flock in ["on", "off"] {
        let project = Project::new().env("ENVBUILD_FLOCK", flock);
        let gate = Gate::new(project.beside("gate"));
        let project = gated(project, &gate);
        let run = Running::start(&project, &["all"]);
        gate.reached();
        run.signal(Signal::KILL);
        assert_eq!(run.wait().status, None);
        assert!(project.path(".envbuild/lock.owner").exists());
        gate.open();
        let ran = project.run(&["all"]).success();
        assert!(!ran.stderr.contains("waiting for"), "{}", ran.stderr);
        assert!(!project.path(".envbuild/lock.owner").exists());
        project.assert_fresh();
    }
}

#[test]
fn another_hosts_run_is_named() {
    let project = Project::example("quickstart");
    project.run(&["build", "greet-data"]).success();
    let claim = r#"{"token": "0a", "host": "node7", "boot": "b", "processes": "p", "process": 4711, "started": 1,
        "user": "ada", "command": "envbuild all", "since": 0}"#;
    project.write(".envbuild/lock.owner", claim);
    project.run(&["clean"]).failure(1).says("is locked by process 4711 of ada").says("node7");
    assert_eq!(project.read(".envbuild/lock.owner"), claim);
}

#[test]
fn two_projects_that_build_one_package_wait_for_each_other_in_the_scratch_folder() {
    for flock in ["on", "off"] {
        let one = Project::new().env("ENVBUILD_FLOCK", flock);
        let gate = Gate::new(one.beside("gate"));
        let one = gated(one, &gate);
        let two = gated(Project::new().scratch_of(&one).env("ENVBUILD_FLOCK", flock), &gate);
        let first = Running::start(&one, &["build"]);
        gate.reached();
        let second = Running::start(&two, &["build"]);
        let log = two.path(".envbuild/logs/build+slow.log");
        eventually("the second waits", || {
            fs::read_to_string(&log)
                .is_ok_and(|it| it.contains("waiting for process ") && it.contains("which builds in"))
        });
        gate.open();
        let ran: Vec<Ran> = vec![first.wait().success(), second.wait().success()];
        assert!(ran.iter().all(|it| it.stderr.contains("1 built")), "{ran:?}");
        assert!(contents_below(&one.path("output/noarch")) == contents_below(&two.path("output/noarch")));
    }
}
