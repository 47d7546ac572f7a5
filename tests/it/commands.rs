//! The commands that look, run something, or delete.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::support::{Project, contents_below};

fn finished() -> Project {
    let project = Project::example("quickstart");
    project.run(&["all"]).success();
    project
}

#[test]
fn run_passes_arguments_streams_and_the_exit_status_through() {
    let project = Project::example("quickstart");
    // What it needs is made first, and talk does not get into the command's output.
    let ran = project.run(&["run", "minimal-libgreet1.0.0", "--", "hello", "two words", "--"]).success();
    assert_eq!(ran.stdout, "Hello, two words!\nHello, --!\n");
    let run = |command: &[&str]| project.run(&[&["run", "-q", "minimal-libgreet1.0.0", "--"], command].concat());
    run(&["sh", "-c", "exit 42"]).failure(42);
    run(&["hello"]).failure(2).says("usage: hello");
    run(&["no-such-program"]).failure(127).says("no-such-program");
    let prefix = run(&["sh", "-c", "echo $CONDA_PREFIX; command -v hello; pwd"]).success();
    let (expected, folder) = (project.path(".envbuild/envs/minimal-libgreet1.0.0"), project.root());
    assert_eq!(prefix.stdout, format!("{0}\n{0}/bin/hello\n{1}\n", expected.display(), folder.display()));
    project.run(&["run", "minimal", "--", "true"]).failure(2).says("minimal-libgreet1.0.0");
    assert_eq!(project.run(&["run", "minimal-libgreet1.0.0"]).status, Some(2), "there is no command");
}

#[test]
fn list_shows_what_is_locked() {
    let project = Project::example("quickstart");
    project.run(&["list", "minimal-libgreet1.0.0"]).failure(1).says("envbuild lock minimal-libgreet1.0.0");
    project.run(&["lock", "minimal-libgreet1.0.0"]).success();
    let listed = project.run(&["list", "minimal-libgreet1.0.0"]).success().stdout;
    let names: Vec<&str> = listed.lines().map(|it| it.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, ["greet-data", "hello", "libgreet"]);
    let json = project.run(&["list", "minimal-libgreet1.0.0", "--format", "json"]).success().json();
    let hello = &json["packages"][1];
    assert_eq!((hello["name"].as_str(), hello["version"].as_str()), (Some("hello"), Some("1.2.0")));
    assert_eq!(hello["sha256"].as_str().unwrap().len(), 64);
    project.run(&["list", "minimal-libgreet1.0"]).failure(2).says("did you mean `minimal-libgreet1.0.0`?");
}

#[test]
fn why_names_the_inputs_with_old_and_new_values() {
    let project = finished();
    let fresh = project.run(&["why", "build:greet-data"]).success().stdout;
    assert!(fresh.contains("build:greet-data is fresh"), "{fresh}");
    project.edit("recipes/greet-data/src/names.txt", "Ada", "Alan");
    project.edit("project.toml", "\"1.0.0\", \"2.0.0\"", "\"1.0.0\", \"2.1.0\"");
    let text = project.run(&["why", "build:greet-data"]).success().stdout;
    assert!(text.contains("recipe/src/names.txt") && text.contains("old: ") && text.contains("new: "), "{text}");
    let json = project.run(&["why", "greet-data", "--format", "json"]).success().json();
    let change = &json["nodes"][0]["changes"][0];
    assert_eq!(change["input"], "recipe/src/names.txt");
    assert_ne!(change["old"], change["new"]);
    let new = project.run(&["why", "build:hello[libgreet_version=2.1.0]"]).success().stdout;
    assert!(new.contains("never done"), "{new}");
    project.run(&["why", "build:helo"]).failure(2);
}

#[test]
fn status_knows_what_is_done_and_what_failed() {
    let project = Project::example("quickstart");
    let fresh = project.run(&["status"]).success().stdout;
    assert!(fresh.starts_with("quickstart on linux-64: 27 nodes, 0 fresh"), "{fresh}");
    project.edit("recipes/shout/src/shout.c", "#include <greet.h>", "#include <no_such_header.h>");
    project.run(&["all"]).failure(1);
    let status = project.run(&["status"]).success().stdout;
    assert!(status.lines().any(|it| it.contains("build:shout[") && it.contains("failed after")), "{status}");
    let json = project.run(&["status", "--format", "json"]).success().json();
    assert_eq!(json["project"], "quickstart");
    assert!(json["bytes"]["output"].as_u64().unwrap() > 0);
    let last = |id: &str| json["nodes"].as_array().unwrap().iter().find(|it| it["id"] == id).unwrap()["last"].clone();
    assert_eq!(last("build:greet-data"), "built");
    assert_eq!(last("pack:everyone-libgreet1.0.0"), "skipped");
}

#[test]
fn clean_deletes_what_can_be_made_again() {
    let project = finished();
    let all = contents_below(project.root());
    let dry = project.run(&["clean", "--dry-run"]).success();
    assert!(dry.stderr.contains("would delete output") && dry.stderr.contains("would delete dist"), "{}", dry.stderr);
    assert!(contents_below(project.root()) == all, "a dry run deleted something");

    project.run(&["clean", "--packs"]).success();
    assert!(!project.path("dist").exists() && project.path("output/linux-64").exists());
    let built = project.report(&["all"]).with("built");
    assert!(built.len() == 4 && built.iter().all(|it| it.starts_with("pack:")), "{built:?}");

    let lock = project.read("envbuild.lock");
    project.run(&["clean"]).success();
    for gone in ["output", "dist", ".envbuild/envs", ".envbuild/records", ".envbuild/logs"] {
        assert!(!project.path(gone).exists(), "{gone} is still there");
    }
    assert_eq!(project.read("envbuild.lock"), lock);
    project.run(&["clean"]).success();
    assert_eq!(project.report(&["all", "--locked"]).count("built"), 27);
}

#[test]
fn commands_that_only_look_need_no_permission_to_write() {
    let project = Project::example("quickstart");
    let before = contents_below(project.root());
    let mode = |mode| fs::set_permissions(project.root(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    let plan = project.plan(&[]);
    project.run(&["status"]).success();
    project.run(&["why", "hello"]).success();
    mode(0o755);
    assert_eq!(plan.with("dirty").len(), 27);
    let after = contents_below(project.root()).into_iter().filter(|(path, _)| !path.starts_with(".envbuild/cache"));
    assert!(after.eq(before), "a look changed the project");
}

#[test]
fn the_project_is_found_from_below_and_by_name() {
    let project = Project::example("quickstart");
    let folder = project.path("recipes/hello/src");
    let ids = project.plan(&["hello"]).ids();
    let below = project.run(&["-C", folder.to_str().unwrap(), "plan", "hello", "--format", "json"]).success();
    assert_eq!(below.plan().ids(), ids);
    project.run(&["-C", "no/such/folder", "plan"]).failure(2).says("`no/such/folder` is not a folder");
    assert_eq!(project.run(&["--version"]).success().stdout, format!("envbuild {}\n", env!("CARGO_PKG_VERSION")));
    for command in [
        "all", "build", "lock", "install", "test", "pack", "unpack", "plan", "why", "status", "run", "list", "clean",
        "gc",
    ] {
        assert!(project.run(&[command, "--help"]).success().stdout.contains("Usage: envbuild"), "{command}");
    }
}

#[test]
fn data_that_cannot_be_written_is_a_failure() {
    let project = Project::example("quickstart");
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    for command in [&["plan"][..], &["plan", "--format", "json"], &["status"]] {
        let output = project.command(command).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("standard output"), "{command:?}");
    }
}
