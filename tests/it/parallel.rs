//! Builds beside each other: what they share, and what comes first.

use std::{fs, thread::available_parallelism};

use crate::support::{Project, Ran, Running, eventually};

/// A project of packages that need nothing, each with this script.
fn packages(names: &[&str], script: &str, more: &str) -> Project {
    let mut project = Project::new();
    let mut manifest = "[project]\nname = \"p\"\n".to_owned();
    for name in names {
        manifest += &format!("[recipes.{name}]\npath = \"recipes/{name}\"\n{more}");
        project = project.recipe(
            name,
            &format!(
                "package:\n  name: {name}\n  version: \"1.0\"\nbuild:\n  noarch: generic\n  script:\n    file: build.sh\n"
            ),
        );
        project.write(
            &format!("recipes/{name}/build.sh"),
            &format!("NAME={name}\n{script}\nmkdir -p $PREFIX/share\necho $NAME > $PREFIX/share/$NAME\n"),
        );
    }
    project.manifest(&manifest)
}

/// The lines of a script that make many targets, each of which says when it starts and ends.
fn makefile(log: &std::path::Path, targets: usize) -> String {
    let all: Vec<String> = (0..targets).map(|it| format!("t{it}")).collect();
    let all = all.join(" ");
    format!(
        "printf 'all: {all}\\n{all}:\\n\\t@echo + >> {log}; sleep 0.1; echo - >> {log}\\n' > Makefile\n",
        log = log.display()
    )
}

/// The most targets that ran at the same time.
fn most_at_once(log: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for line in log.lines() {
        match line {
            "+" => now += 1,
            _ => now -= 1,
        }
        most = most.max(now);
    }
    assert_eq!(now, 0);
    most
}

fn cores() -> usize {
    available_parallelism().unwrap().get()
}

#[test]
fn ten_makes_share_the_processors() {
    let names = ["a", "b", "c", "d", "e"];
    let room = Project::new();
    let log = room.beside("log");
    let project = packages(&names, &(makefile(&log, 8) + "make -j8\ngmake -j 8 --always-make"), "");
    project.run(&["build"]).success();
    let text = fs::read_to_string(&log).unwrap();
    assert_eq!(text.lines().count(), names.len() * 2 * 8 * 2);
    let most = most_at_once(&text);
    assert!(most <= cores(), "{most} targets at once");
    let log = project.read(".envbuild/logs/build+a.log");
    assert!(!log.contains("jobserver"), "{log}");
}

#[test]
fn a_lone_make_gets_all_of_them() {
    let room = Project::new();
    let log = room.beside("log");
    let project = packages(&["a"], &(makefile(&log, 12) + "make -j8"), "");
    project.run(&["build"]).success();
    assert_eq!(most_at_once(&fs::read_to_string(&log).unwrap()), cores());
}

#[test]
fn a_make_of_one_job_stays_alone() {
    let room = Project::new();
    let log = room.beside("log");
    let project = packages(&["a"], &(makefile(&log, 4) + "make -j1"), "");
    project.run(&["build"]).success();
    assert_eq!(most_at_once(&fs::read_to_string(&log).unwrap()), 1);
}

#[test]
fn tokens_of_a_killed_make_are_not_lost() {
    let room = Project::new();
    let log = room.beside("log");
    // The first build kills its make in the middle and fails; the other one then has the processors.
    let project = packages(
        &["a", "b"],
        &(makefile(&log, 12)
            + &format!(
                "if [ $NAME = a ]; then\n  (make -j8 & echo $! > pid; wait) & sleep 0.5; kill -9 $(cat pid); echo > {0}.killed; \
                 exit 1\nfi\nuntil [ -e {0}.killed ]; do sleep 0.05; done\nsleep 1\n: > {0}\nmake -j8",
                log.display()
            )),
        "",
    );
    let ran = project.run(&["build", "--keep-going", "--format", "json"]).failure(1);
    assert_eq!(ran.report().with("built"), ["build:b"]);
    assert_eq!(most_at_once(&fs::read_to_string(&log).unwrap()), cores());
}

/// A script that notes in a file of its own how long it runs, and how many run beside it.
fn noting(folder: &std::path::Path) -> String {
    format!(
        "touch {0}/$NAME; sleep 0.3; ls {0} | wc -l >> {0}.most; echo $CPU_COUNT >> {0}.cpus; sleep 0.3; rm {0}/$NAME",
        folder.display()
    )
}

#[test]
fn builds_that_declare_the_whole_machine_run_alone() {
    for resources in ["cpus = 1000".to_owned(), format!("memory = \"{}K\"", memory() * 6 / 10)] {
        let room = Project::new();
        let folder = room.beside("running");
        fs::create_dir(&folder).unwrap();
        let project = packages(&["a", "b", "c"], &noting(&folder), &format!("resources = {{ {resources} }}\n"));
        project.run(&["build", "-j", "3"]).success();
        let most = fs::read_to_string(room.beside("running.most")).unwrap();
        assert_eq!(most.split_whitespace().collect::<Vec<_>>(), ["1", "1", "1"], "{resources}");
        let cpus = fs::read_to_string(room.beside("running.cpus")).unwrap();
        let expected = if resources.starts_with("cpus") { cores() } else { (cores() / 3).max(1) };
        assert!(cpus.split_whitespace().all(|it| it == expected.to_string()), "{cpus}");
        // What a build needs of the machine does not make it another one.
        project.edit("project.toml", "resources = ", "host-bound = false\nresources = ");
        project.edit("project.toml", &resources, "cpus = 1");
        project.assert_fresh();
    }
}

/// The memory of this machine in KiB.
fn memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|it| it.strip_prefix("MemTotal:")).unwrap();
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|it| it.trim().parse::<u64>().ok());
    let total: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
    limit.map_or(total, |it| total.min(it / 1024))
}

#[test]
fn a_build_that_needs_more_memory_than_there_is_fails_before_it_starts() {
    let project = packages(&["a"], "true", "resources = { memory = \"100T\" }\n");
    let ran = project.run(&["build"]).failure(1).says("the recipe declares 102400.0 GiB of memory");
    let ran = ran.says("this machine has").says("lower `memory`");
    assert!(!ran.stderr.contains("start "), "{}", ran.stderr);
}

#[test]
fn the_longest_path_by_recorded_durations_goes_first() {
    let order = Project::new();
    let log = order.beside("log");
    let script = format!("echo $NAME >> {}; if [ $NAME = z ]; then sleep 1; fi", log.display());
    let project = packages(&["a", "b", "z"], &script, "");
    project.run(&["build", "-j", "1"]).success();
    assert_eq!(fs::read_to_string(&log).unwrap(), "a\nb\nz\n");
    for name in ["a", "b", "z"] {
        project.edit(&format!("recipes/{name}/build.sh"), "NAME=", "# again\nNAME=");
    }
    fs::write(&log, "").unwrap();
    project.run(&["build", "-j", "1"]).success();
    assert!(fs::read_to_string(&log).unwrap().starts_with("z\n"));
}

#[test]
fn each_failure_names_all_that_it_blocked() {
    let recipe = |name: &str, script: &str, host: &str| {
        format!(
            "package:\n  name: {name}\n  version: 1.0.0\nbuild:\n  noarch: generic\n  script:\n    - {script}\n    - mkdir -p \
             $PREFIX/share && echo {name} > $PREFIX/share/{name}\nrequirements:\n  host: [{host}]\n"
        )
    };
    let names = ["left", "right", "both", "only-left", "free"];
    let mut manifest = "[project]\nname = \"p\"\n".to_owned();
    for name in names {
        manifest += &format!("[recipes.{name}]\npath = \"recipes/{name}\"\n");
    }
    let project = Project::new()
        .manifest(&manifest)
        .recipe("left", &recipe("left", "echo the left one; exit 3", ""))
        .recipe("right", &recipe("right", "echo the right one; exit 4", ""))
        .recipe("both", &recipe("both", "true", "left, right"))
        .recipe("only-left", &recipe("only-left", "true", "left"))
        .recipe("free", &recipe("free", "true", ""));
    let ran: Ran = project.run(&["build", "--keep-going", "--format", "json"]).failure(1);
    let ran =
        ran.says("skipped because of it: build:only-left, build:both").says("skipped because of it: build:both\n");
    let ran = ran.says("the last lines of .envbuild/logs/build+left.log").says("| the right one");
    let ran = ran.says("1 built, 0 fresh, 2 failed, 2 skipped");
    let report = ran.report();
    assert_eq!(report.with("built"), ["build:free"]);
    assert_eq!(report.node("build:left")["blocked"], serde_json::json!(["build:only-left", "build:both"]));
    assert_eq!(report.node("build:right")["blocked"], serde_json::json!(["build:both"]));
    assert_eq!(report.node("build:both")["because"], serde_json::json!(["build:left", "build:right"]));
    assert_eq!(report.node("build:only-left")["because"], serde_json::json!(["build:left"]));
    assert_eq!(report.node("build:left")["log"], ".envbuild/logs/build+left.log");
}

#[test]
fn a_build_that_starts_later_waits_for_what_a_make_has_borrowed() {
    // On one processor there is nothing to borrow.
    let room = Project::new();
    let log = room.beside("log");
    let script = makefile(&log, 10)
        + &format!("if [ $NAME = b ]; then until grep -q + {}; do sleep 0.02; done; fi\nmake -j8", log.display());
    let project = packages(&["a", "b"], &script, "");
    let run = Running::start(&project, &["build"]);
    eventually("a target runs", || log.exists());
    run.wait().success();
    assert!(most_at_once(&fs::read_to_string(&log).unwrap()) <= cores());
}
