//! What fails never looks like success, and takes only what needs it along.

use std::fs;

use crate::support::{Project, files_below};

#[test]
fn a_failing_test_of_an_environment_fails_the_run_and_skips_the_archive() {
    let project = Project::example("quickstart");
    project.write("tests/minimal.sh", "#!/bin/sh\necho it does not greet\nexit 3\n");
    let ran = project.run(&["all", "--keep-going", "--format", "json"]).failure(1);
    let ran = ran.says("it does not greet").says(".envbuild/logs/test+minimal-libgreet1.0.0.log");
    let report = ran.report();
    assert_eq!(report.with("failed"), ["test:minimal-libgreet1.0.0", "test:minimal-libgreet2.0.0"]);
    assert_eq!(report.with("skipped"), ["pack:minimal-libgreet1.0.0", "pack:minimal-libgreet2.0.0"]);
    assert_eq!(report.count("built"), 23);
    let made = files_below(&project.path("dist"));
    assert!(made.iter().all(|it| it.to_string_lossy().starts_with("everyone")), "{made:?}");
    // It stays failed, and a repaired script is all that it takes.
    let again = project.run(&["all", "--keep-going", "--format", "json"]).failure(1).report();
    assert_eq!((again.count("failed"), again.count("skipped"), again.count("fresh")), (2, 2, 23));
    project.write("tests/minimal.sh", "#!/bin/sh\n");
    assert_eq!(project.report(&["all"]).count("built"), 4);
}

#[test]
fn an_archive_is_replaced_only_by_one_that_passed_its_test() {
    let project = Project::example("quickstart");
    project.run(&["all"]).success();
    let archive = project.path("dist/minimal-libgreet1.0.0-linux-64.tar.zst");
    let before = fs::read(&archive).unwrap();
    project.edit("recipes/greet-data/src/names.txt", "Grace", "Greta");
    let ran = project.run(&["all", "--keep-going", "--format", "json"]).failure(1);
    assert!(ran.report().with("skipped").contains(&"pack:minimal-libgreet1.0.0".to_owned()));
    // The last good one may stay; what failed its test may not take its place.
    assert!(fs::read(&archive).is_ok_and(|it| it == before));
}

#[test]
fn a_failing_build_skips_what_needs_it_and_nothing_else() {
    let project = Project::example("quickstart");
    project.edit("recipes/libpolite/src/polite.c", "#include <stdio.h>", "#error it is broken");
    let ran = project.run(&["all", "--keep-going", "--format", "json"]).failure(1).says("it is broken");
    let report = ran.report();
    let polite = |version: &str| format!("build:libpolite[libgreet_version={version}]");
    assert_eq!(report.sorted("failed"), [polite("1.0.0"), polite("2.0.0")]);
    let skipped = report.with("skipped");
    // shout and greet-all in both versions, and the four stages of two environments.
    assert_eq!(skipped.len(), 12, "{skipped:?}");
    assert!(skipped.iter().all(|it| ["shout", "greet-all", "everyone"].iter().any(|name| it.contains(name))));
    assert!(project.path("dist/minimal-libgreet1.0.0-linux-64.tar.zst").is_file());
    let failed = report.node(&polite("1.0.0"));
    assert!(failed["reason"].as_str().unwrap().contains("exit status 1"), "{failed}");
    assert!(project.read(failed["log"].as_str().unwrap()).contains("it is broken"));

    project.edit("recipes/libpolite/src/polite.c", "#error it is broken", "#include <stdio.h>");
    project.run(&["all"]).success();
    project.assert_fresh();
}

#[test]
fn without_keep_going_nothing_new_starts_after_a_failure() {
    let project = Project::example("quickstart");
    project.edit("recipes/libgreet/src/greet.c", "#include <stdio.h>", "#error it is broken");
    let ran = project.run(&["all", "-j", "1", "--format", "json"]).failure(1);
    let report = ran.report();
    assert_eq!(report.count("failed"), 1);
    assert_eq!(report.count("failed") + report.count("skipped") + report.count("built"), 27);
}

#[test]
fn a_failing_test_of_a_package_keeps_it_out_of_the_channel() {
    let project = Project::example("quickstart");
    project.edit("recipes/hello/recipe.yaml", "grep -F ', Ada!'", "grep -F ', Nobody!'");
    project
        .run(&["build", "hello", "libgreet_version=1.0.0"])
        .failure(1)
        .says("test 1 of 1 (commands) of `hello` failed");
    let there = files_below(&project.path("output"));
    assert!(!there.iter().any(|it| it.to_string_lossy().contains("hello")), "{there:?}");
    assert!(!project.read("output/linux-64/repodata.json").contains("hello"));
}

#[test]
fn a_process_that_a_build_script_leaves_behind_does_not_hold_the_build_up() {
    let project = Project::new()
        .manifest("[project]\nname = \"p\"\n\n[recipes.thing]\npath = \"recipes/thing\"\n")
        .recipe(
            "thing",
            "package:\n  name: thing\n  version: \"1.0\"\nbuild:\n  noarch: generic\n  script:\n    - (sleep 86400 &)\n    \
             - mkdir -p $PREFIX/share && echo done > $PREFIX/share/thing.txt\n",
        );
    // Without an end the test would not come to one either.
    project.run(&["build"]).success();
    let log = project.read(".envbuild/logs/build+thing.log");
    assert!(log.contains("left `sleep` running"), "{log}");
}

#[test]
fn what_is_no_file_folder_or_link_is_refused_unless_the_recipe_leaves_it_out() {
    let recipe = |more: &str| {
        format!(
            "package:\n  name: odd\n  version: 1.0.0\nbuild:\n  noarch: generic\n  script:\n    - mkdir -p $PREFIX/share\n    - \
             mkfifo $PREFIX/share/pipe\n    - echo odd > $PREFIX/share/odd\n{more}"
        )
    };
    let manifest = "[project]\nname = \"p\"\n[recipes.odd]\npath = \"recipes/odd\"\n";
    let project = Project::new().manifest(manifest).recipe("odd", &recipe(""));
    project.run(&["build"]).failure(1).says("`share/pipe` is a named pipe");
    project.write("recipes/odd/recipe.yaml", &recipe("  files: [share/odd]\n"));
    project.run(&["build"]).success();
    project.assert_fresh();
}
