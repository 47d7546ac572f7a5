//! The first command of the README: what it makes, that the second does nothing, and what a change makes it do again.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::support::{Project, contents_below};

const PACKAGES: usize = 11;
const ENVIRONMENTS: usize = 4;
const NODES: usize = PACKAGES + 4 * ENVIRONMENTS;

/// The ids of a kind of node for all four environments, sorted.
fn of_all_environments(kind: &str) -> Vec<String> {
    let names = ["everyone-libgreet1.0.0", "everyone-libgreet2.0.0", "minimal-libgreet1.0.0", "minimal-libgreet2.0.0"];
    names.iter().map(|it| format!("{kind}:{it}")).collect()
}

fn all_stages(build: &[&str]) -> Vec<String> {
    let stages = ["install", "lock", "pack", "test"].into_iter().flat_map(of_all_environments);
    build.iter().map(|it| (*it).to_owned()).chain(stages).collect()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_first_run_builds_everything_and_the_second_nothing() {
    let project = Project::example("quickstart");
    let first = project.run(&["all"]).success().says("27 built, 0 fresh");
    assert_eq!(first.stdout, "");
    assert_eq!(first.stderr.lines().filter(|it| it.starts_with("start ")).count(), NODES);
    let before = contents_below(project.root());

    let second = project.run(&["all"]).success();
    assert_eq!(second.stderr, "nothing to do: 27 nodes fresh\n");
    assert_eq!(second.stdout, "");
    let quiet = project.run(&["all", "--quiet"]).success();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let changed: Vec<_> = contents_below(project.root()).into_iter().filter(|it| !before.contains(it)).collect();
    let paths: Vec<_> = changed.iter().map(|(path, _)| path.to_str().unwrap()).collect();
    // Files that were written just before the first run are known by their stamps from the second on.
    assert!(paths.iter().all(|it| [".envbuild/cache/stamps.txt", ".envbuild/lock"].contains(it)), "{paths:?}");
}

#[test]
fn a_path_with_a_space_and_another_alphabet_is_a_path() {
    let project = Project::called("käse & brot").copy(Project::example("quickstart").root());
    project.run(&["all"]).success();
    project.assert_fresh();
    let hello = project.run(&["run", "minimal-libgreet2.0.0", "--", "hello", "--everyone"]).success();
    assert_eq!(hello.stdout, "Welcome, Ada!\nWelcome, Barbara!\nWelcome, Grace!\n");
}

#[test]
fn a_plan_says_what_would_happen_and_why() {
    let project = Project::example("quickstart");
    let ran = project.run(&["plan", "--format", "json"]).success();
    assert_eq!(ran.stderr, "");
    let plan = ran.plan();
    assert_eq!(keys(&plan.0), ["nodes"]);
    for node in plan.0["nodes"].as_array().unwrap() {
        assert_eq!(keys(node), ["id", "kind", "state", "reason", "waits_for", "needs"]);
        let (kind, _) = node["id"].as_str().unwrap().split_once(':').unwrap();
        assert_eq!(node["kind"], kind);
    }
    assert_eq!(plan.with("dirty").len(), NODES);
    assert_eq!(plan.of_kind("build").len(), PACKAGES);
    let ids = plan.ids();
    let place = |id: &str| ids.iter().position(|it| it == id).unwrap();
    for id in &ids {
        assert!(plan.needs(id).iter().all(|need| place(need) < place(id)), "{id} comes before what it needs");
    }
    // A program is tied to the library of its own version.
    let needs = plan.needs("build:hello[libgreet_version=1.0.0]");
    assert_eq!(needs, ["build:greet-data", "build:libgreet[greeting=Hello,libgreet_version=1.0.0]"]);
    assert_eq!(plan.needs("pack:minimal-libgreet1.0.0").len(), 2, "the prefix, and the test that has to pass");

    project.run(&["all"]).success();
    assert_eq!(project.plan(&[]).with("fresh").len(), NODES);
    project.edit("recipes/libpolite/src/polite.c", "How are you?", "How do you do?");
    let plan = project.plan(&[]);
    let polite = |version| format!("build:libpolite[libgreet_version={version}]");
    assert_eq!(plan.with("dirty"), [polite("1.0.0"), polite("2.0.0")]);
    let maybe: BTreeSet<_> = plan.with("maybe").into_iter().collect();
    assert!(maybe.contains("build:shout[libgreet_version=1.0.0]") && maybe.contains("pack:everyone-libgreet1.0.0"));
    assert!(!maybe.contains("lock:minimal-libgreet1.0.0") && !maybe.contains("build:hello[libgreet_version=1.0.0]"));
    let dot = project.run(&["plan", "--format", "dot", "hello"]).success().stdout;
    assert!(dot.starts_with("digraph") && dot.trim_end().ends_with('}'), "{dot}");
}

#[test]
fn the_report_of_a_run_is_one_json_value() {
    let project = Project::example("quickstart");
    let report = project.report(&["all"]);
    assert_eq!(keys(&report.0), ["nodes", "counts"]);
    assert_eq!(keys(&report.0["counts"]), ["fresh", "built", "failed", "skipped"]);
    for node in report.0["nodes"].as_array().unwrap() {
        assert_eq!(keys(node), ["id", "kind", "result", "reason", "seconds", "because", "blocked", "log"]);
        assert_eq!(node["result"], "built");
        assert_eq!(node["reason"], "never done");
    }
    assert_eq!(report.count("built"), NODES as u64);
    // Every build and every test has a log of its own.
    let logs: BTreeSet<&str> =
        report.0["nodes"].as_array().unwrap().iter().filter_map(|it| it["log"].as_str()).collect();
    assert_eq!(logs.len(), PACKAGES + ENVIRONMENTS);
    assert!(logs.iter().all(|it| project.path(it).is_file()), "{logs:?}");
    assert!(report.node("build:greet-data")["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_changed_source_rebuilds_what_is_made_of_it_and_nothing_else() {
    let project = Project::example("quickstart");
    project.run(&["all"]).success();
    project.edit("recipes/hello/src/hello.c", "usage: hello", "how to use: hello");
    let report = project.report(&["all"]);
    let hello = ["build:hello[libgreet_version=1.0.0]", "build:hello[libgreet_version=2.0.0]"];
    assert_eq!(report.sorted("built"), all_stages(&hello));
    assert_eq!(report.node(hello[0])["reason"], "recipe/src/hello.c changed");
    assert_eq!(report.count("fresh"), (PACKAGES - 2) as u64);
    project.assert_fresh();

    // The data package is needed to run hello, but nothing is compiled from it.
    project.edit("recipes/greet-data/src/names.txt", "Barbara", "Beatrix");
    assert_eq!(project.report(&["all"]).sorted("built"), all_stages(&["build:greet-data"]));
    project.assert_fresh();
}

#[test]
fn a_changed_environment_script_runs_only_its_tests() {
    let project = Project::example("quickstart");
    project.run(&["all"]).success();
    project.write("tests/minimal.sh", "#!/bin/sh\nhello --version\n");
    let report = project.report(&["all"]);
    assert_eq!(report.sorted("built"), ["test:minimal-libgreet1.0.0", "test:minimal-libgreet2.0.0"]);
}

#[test]
fn a_comment_stops_at_the_package_that_it_is_in() {
    let project = Project::example("quickstart");
    project.run(&["all"]).success();
    let channel = || -> Vec<_> {
        contents_below(&project.path("output")).into_iter().filter(|(path, _)| !path.ends_with(".lock")).collect()
    };
    let before = channel();
    let lock = project.read("envbuild.lock");
    project.edit(
        "recipes/libgreet/recipe.yaml",
        "      set -eu\n",
        "      # Stop at the first error.\n      set -eu\n",
    );
    let report = project.report(&["all"]);
    let built = report.sorted("built");
    assert_eq!(built.len(), 2, "{built:?}");
    assert!(built.iter().all(|it| it.starts_with("build:libgreet[")), "{built:?}");
    assert!(channel() == before, "an archive was replaced by an equal one");
    assert_eq!(project.read("envbuild.lock"), lock);
    project.assert_fresh();
}

#[test]
fn what_is_no_input_rebuilds_nothing() {
    let project = Project::example("quickstart");
    project.run(&["all"]).success();
    let text = project.read("project.toml");
    project.write("project.toml", &format!("# A comment.\n{text}"));
    project.edit("project.toml", "name = \"quickstart\"", "name   =   'quickstart'");
    project.write("recipes/README.md", "Not a recipe.\n");
    let recipe = project.path("recipes/hello/recipe.yaml");
    fs::File::options().append(true).open(recipe).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    project.assert_fresh();
    project.run(&["all", "-j", "7"]).success().says("nothing to do");
}

#[test]
fn a_value_on_the_command_line_replaces_an_axis() {
    let project = Project::example("quickstart");
    let built = project.report(&["build", "hello", "libgreet_version=1.0.0"]).sorted("built");
    let libgreet = "build:libgreet[greeting=Hello,libgreet_version=1.0.0]";
    assert_eq!(built, ["build:greet-data", "build:hello[libgreet_version=1.0.0]", libgreet]);
    assert_eq!(project.report(&["all", "greeting=Welcome"]).count("built"), 13);
    let report = project.report(&["all"]);
    assert_eq!((report.count("built"), report.count("fresh")), (11, 16));
    let lock = project.read("envbuild.lock");
    // Less than the whole matrix does not take the other environments out of the lock file.
    project.run(&["all", "libgreet_version=1.0.0"]).success().says("nothing to do");
    assert_eq!(project.read("envbuild.lock"), lock);
    project.assert_fresh();
}

#[test]
fn the_lock_file_names_local_packages_by_relative_paths() {
    let project = Project::example("quickstart");
    project.run(&["lock"]).success();
    let lock = project.read("envbuild.lock");
    assert!(lock.contains("output/linux-64/libgreet-1.0.0-"), "{lock}");
    assert!(!lock.contains(project.root().to_str().unwrap()) && !lock.contains("file:"), "{lock}");
    assert!(!project.path(".envbuild/envs").exists(), "`lock` installs nothing");
}

#[test]
fn a_locked_run_changes_no_lock() {
    let project = Project::example("quickstart");
    project.run(&["all", "--locked"]).failure(1).says("the lock file");
    assert!(!project.path("envbuild.lock").exists());
    project.run(&["all"]).success();
    project.run(&["all", "--locked"]).success();
    let lock = project.read("envbuild.lock");
    project.edit("project.toml", "\"hello\", ", "\"hello <1\", ");
    project.run(&["lock", "--locked"]).failure(1).says("the lock file").says("hello");
    project.edit("project.toml", "\"hello <1\", ", "\"hello >=1\", ");
    // What is locked still satisfies the manifest.
    project.run(&["lock", "--locked"]).success();
    assert_eq!(project.read("envbuild.lock"), lock);
}
