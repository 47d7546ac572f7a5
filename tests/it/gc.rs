//! `gc` deletes what nothing refers to, and nothing else; it and `clean` leave alone what is in use.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Gate, Project, Running, contents_below, eventually, files_below};

fn finished() -> Project {
    let project = Project::example("quickstart");
    project.run(&["all"]).success();
    project
}

/// Takes a table out of project.toml.
fn remove_table(project: &Project, header: &str) {
    let text = project.read("project.toml");
    let from = text.find(header).unwrap();
    let to = text[from + 1..].find("\n[").map_or(text.len(), |it| from + 1 + it + 1);
    project.write("project.toml", &format!("{}{}", &text[..from], &text[to..]));
}

fn paths(report: &Value, category: &str) -> Vec<String> {
    let of = |it: &&Value| it["category"] == category;
    let found = report["deleted"].as_array().unwrap().iter().find(of);
    let paths = found.map(|it| it["paths"].as_array().unwrap().clone()).unwrap_or_default();
    paths.iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

fn archives(project: &Project) -> Vec<PathBuf> {
    files_below(&project.path("output"))
        .into_iter()
        .filter(|it| it.extension().is_some_and(|it| it == "conda"))
        .collect()
}

#[test]
fn a_project_that_is_up_to_date_has_no_garbage() {
    let project = finished();
    let before = contents_below(project.root());
    project.run(&["gc"]).success().says("nothing to delete");
    assert!(contents_below(project.root()) == before);
    project.assert_fresh();
}

#[test]
fn what_nothing_refers_to_goes_and_the_next_run_has_nothing_to_do() {
    let project = finished();
    let old = archives(&project);
    project.edit("recipes/greet-data/src/names.txt", "Barbara", "Betty");
    remove_table(&project, "[environments.minimal]");
    project.run(&["all"]).success();
    let replaced: Vec<_> = old.iter().filter(|it| it.to_string_lossy().contains("greet-data")).collect();
    assert_eq!(replaced.len(), 1);
    assert!(project.path("output").join(replaced[0]).exists());
    // What killed runs and programs of other times have left.
    fs::create_dir_all(project.path(".envbuild/scratch/.envbuild-tmp-killed/b")).unwrap();
    fs::create_dir_all(project.path(".envbuild/cache/sources").join("0".repeat(64))).unwrap();
    project.write(".envbuild/cache/rendered/0123.json", "{}");
    project.write("output/linux-64/.envbuild-tmp-killed", "half an archive");
    let abandoned = project.scratch().join("thing_h1234567");
    fs::create_dir(&abandoned).unwrap();
    fs::write(abandoned.join("work"), "of a build that failed").unwrap();
    fs::write(project.scratch().join("thing_h1234567.lock"), "").unwrap();
    project.write("dist/notes.txt", "somebody's own");

    let before = contents_below(project.root());
    let dry = project.run(&["gc", "--dry-run", "--format", "json"]).success().json();
    assert!(contents_below(project.root()) == before && abandoned.exists(), "a dry run deleted something");
    let said = project.run(&["gc", "-n"]).success().stderr;
    assert!(said.contains("would delete 2 prefixes (") && said.contains("  dist/minimal-libgreet1.0.0-"), "{said}");

    let report = project.run(&["gc", "--format", "json"]).success().json();
    assert_eq!((&dry["dry_run"], &report["dry_run"]), (&Value::Bool(true), &Value::Bool(false)));
    assert_eq!(dry["deleted"], report["deleted"]);
    let names: Vec<String> = replaced.iter().map(|it| format!("output/{}", it.display())).collect();
    assert!(names.iter().all(|it| paths(&report, "packages").contains(it)), "{report:#}");
    assert_eq!(
        paths(&report, "prefixes"),
        [".envbuild/envs/minimal-libgreet1.0.0", ".envbuild/envs/minimal-libgreet2.0.0"]
    );
    assert_eq!(paths(&report, "packs").len(), 4);
    assert_eq!(paths(&report, "records").len(), 8);
    assert_eq!(paths(&report, "logs").len(), 2);
    assert_eq!(paths(&report, "sources").len(), 1);
    assert_eq!(paths(&report, "recipes"), [".envbuild/cache/rendered/0123.json"]);
    assert!(!paths(&report, "builds").is_empty());
    let scratch = paths(&report, "scratch");
    assert_eq!(scratch.len(), 3, "{scratch:?}");
    let sum: u64 = report["deleted"].as_array().unwrap().iter().map(|it| it["bytes"].as_u64().unwrap()).sum();
    assert_eq!(report["bytes"].as_u64(), Some(sum));

    for category in ["packages", "prefixes", "packs", "records", "logs", "sources", "recipes", "builds", "scratch"] {
        for path in paths(&report, category) {
            assert!(project.path(&path).symlink_metadata().is_err(), "{path} is still there");
        }
    }
    assert!(project.path("dist/notes.txt").exists());
    project.assert_fresh();
    project.run(&["gc"]).success().says("nothing to delete");
    // Other values of an axis find what they need.
    project.run(&["all", "libgreet_version=1.0.0"]).success().says("nothing to do");
    project.run(&["build", "libgreet_version=3.0.0", "greeting=Hi"]).success();
    project.assert_fresh();
}

#[test]
fn a_package_of_other_values_stays_for_as_long_as_the_index_names_it() {
    let project = finished();
    let other = ["build", "libgreet_version=3.0.0", "greeting=Hi"];
    project.run(&other).success();
    let before = archives(&project);
    project.run(&["gc"]).success();
    assert_eq!(archives(&project), before);
    assert_eq!(project.report(&other).count("built"), 0);
    project.assert_fresh();
}

#[test]
fn what_an_older_lock_file_names_stays() {
    let project = finished();
    let (older, before) = (project.read("envbuild.lock"), archives(&project));
    project.edit("recipes/greet-data/src/names.txt", "Barbara", "Betty");
    project.run(&["all"]).success();
    // As a checkout of an older commit does.
    project.write("envbuild.lock", &older);
    let all = archives(&project);
    project.run(&["gc"]).success();
    let named = |it: &&PathBuf| older.contains(&*it.file_name().unwrap().to_string_lossy());
    let (kept, left) = (before.iter().filter(named).count(), archives(&project));
    assert!(kept > 0 && all.len() > before.len());
    assert!(before.iter().filter(named).all(|it| left.contains(it)), "{left:?}");
}

#[test]
fn a_prefix_in_use_is_kept_and_named() {
    let project = finished();
    let said = project.beside("said");
    let script = format!("cd $CONDA_PREFIX && echo > '{}' && exec sleep 86400", said.display());
    let user = Running::start(&project, &["run", "minimal-libgreet1.0.0", "--", "sh", "-c", &script]);
    eventually("the command works in the prefix", || said.exists());
    remove_table(&project, "[environments.minimal]");
    let report = project.run(&["gc", "--format", "json"]).success().json();
    let [used, idle] = ["1.0.0", "2.0.0"].map(|it| format!(".envbuild/envs/minimal-libgreet{it}"));
    assert_eq!(paths(&report, "prefixes"), std::slice::from_ref(&idle));
    assert_eq!(report["kept"][0]["path"], used.as_str());
    assert!(report["kept"][0]["reason"].as_str().unwrap().starts_with("in use by process "), "{report}");
    assert!(project.path(&used).join("bin/hello").exists() && !project.path(&idle).exists());

    let ran = project.run(&["clean"]).success();
    ran.says(&format!("kept {used}: in use by process "));
    assert!(project.path(&used).join("bin/hello").exists() && !project.path("output").exists());
    user.signal(Signal::KILL);
    user.wait();
    project.run(&["gc"]).success();
    assert!(!project.path(&used).exists());
}

#[test]
fn links_are_not_followed() {
    let project = finished();
    let others = project.beside("others");
    fs::create_dir(&others).unwrap();
    fs::write(others.join("thing-1.0-0.conda"), "somebody else's").unwrap();
    symlink(&others, project.path(".envbuild/envs/gone")).unwrap();
    symlink(&others, project.path("output/osx-64")).unwrap();
    project.run(&["gc"]).success().says("deleted 1 prefix");
    assert!(project.path(".envbuild/envs/gone").symlink_metadata().is_err());
    assert!(others.join("thing-1.0-0.conda").exists());
    // A channel that others share is not ours to judge.
    fs::remove_file(project.path("output/osx-64")).unwrap();
    fs::rename(project.path("output"), project.beside("shared")).unwrap();
    symlink(project.beside("shared"), project.path("output")).unwrap();
    let before = contents_below(&project.beside("shared"));
    fs::write(project.beside("shared/linux-64/thing-1.0-0.conda"), "somebody else's").unwrap();
    project.run(&["gc"]).success().says("kept output: a link");
    assert!(project.beside("shared/linux-64/thing-1.0-0.conda").exists());
    assert_eq!(contents_below(&project.beside("shared")).len(), before.len() + 1);
    project.assert_fresh();
}

#[test]
fn it_waits_for_a_run_and_spares_the_folder_of_a_build() {
    let project = Project::new();
    let gate = Gate::new(project.beside("gate"));
    let recipe = format!(
        "package:\n  name: slow\n  version: 1.0.0\nbuild:\n  noarch: generic\n  script:\n    - {}\n    - mkdir -p $PREFIX/share && echo > \
         $PREFIX/share/slow\n",
        gate.script()
    );
    let project = project
        .manifest("[project]\nname = \"p\"\nchannels = []\n[recipes.slow]\npath = \"recipes/slow\"\n")
        .recipe("slow", &recipe);
    let run = Running::start(&project, &["build"]);
    gate.reached();
    // Another project of the same user judges the same scratch folder meanwhile.
    let other = Project::example("quickstart").scratch_of(&project);
    other.run(&["gc"]).success().says("nothing to delete");
    let waiting = Running::start(&project, &["gc"]);
    gate.open();
    run.wait().success();
    waiting.wait().success();
    project.assert_fresh();
}

#[test]
fn what_people_put_beside_our_files_is_theirs() {
    let project = finished();
    let theirs =
        ["dist/precious-linux-64.tar.zst", "output/noarch/foreign-1.0-0.conda", "output/linux-64/old-1-0.tar.bz2"];
    for file in theirs {
        project.write(file, "somebody's own");
    }
    let report = project.run(&["gc", "--format", "json"]).success().json();
    assert!(report["deleted"].as_array().unwrap().is_empty(), "{report:#}");
    let kept = report["kept"].to_string();
    assert!(kept.contains("foreign-1.0-0.conda") && kept.contains("old-1-0.tar.bz2"), "{kept}");
    assert!(theirs.iter().all(|it| project.read(it) == "somebody's own"));
}
