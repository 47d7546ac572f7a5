//! The answers in JSON have the fields that the book documents, and no others; the picture shows what the plan says.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Project, repository};

/// The fields in the tables of a section of the chapter "Commands".
pub(crate) fn documented(section: &str) -> BTreeSet<String> {
    documented_in("commands.md", section)
}

/// The same of another chapter.
pub(crate) fn documented_in(chapter: &str, section: &str) -> BTreeSet<String> {
    let page = std::fs::read_to_string(repository().join("book/src").join(chapter)).unwrap();
    let (_, rest) = page.split_once(&format!("\n## {section}\n")).expect("there is such a section");
    let section = rest.split("\n## ").next().unwrap();
    let table = section.lines().skip_while(|it| !it.starts_with("| field |")).skip(2);
    let cells = table.take_while(|it| it.starts_with('|')).filter_map(|it| it.split('|').nth(1));
    cells.flat_map(|it| it.split(',')).map(|it| it.trim().trim_matches('`').to_owned()).collect()
}

/// The fields of an answer, as paths; `[]` stands for each entry of a list.
pub(crate) fn fields(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![(String::new(), value)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    found.insert(path.clone());
                    open.push((path, value));
                }
            }
            Value::Array(entries) => open.extend(entries.iter().map(|it| (format!("{path}[]"), it))),
            _ => {}
        }
    }
    found
}

/// A project that is done but for one package, whose build fails, and what needs it.
fn half_done() -> Project {
    let project = Project::example("quickstart");
    project.run(&["all"]).success();
    project.edit("recipes/shout/src/shout.c", "#include <greet.h>", "#include <no_such_header.h>");
    project.run(&["all", "--keep-going"]).failure(1);
    project
}

#[test]
fn every_field_is_in_the_book_and_every_field_of_the_book_is_there() {
    let project = half_done();
    let answer = |words: &[&str]| project.run(&[words, &["--format", "json"]].concat()).json();
    for (section, words) in [
        ("`envbuild plan`", &["plan"][..]),
        ("`envbuild why`", &["why", "shout"]),
        ("`envbuild status`", &["status"]),
        ("`envbuild list`", &["list", "minimal-libgreet1.0.0"]),
        ("The report of a run", &["all"]),
    ] {
        let documented = documented(section);
        assert!(!documented.is_empty(), "{section} has no table of fields");
        assert_eq!(fields(&answer(words)), documented, "{section}");
    }
}

#[test]
fn the_status_names_the_last_run_what_failed_and_what_there_is() {
    let project = half_done();
    let json = project.run(&["status", "--format", "json"]).success().json();
    let last = &json["last_run"];
    let counts = ["built", "fresh", "failed", "skipped"].map(|it| last[it].as_u64().unwrap());
    assert_eq!(counts, [0, 15, 2, 10]);
    assert!(last["ended"].as_u64().unwrap() > 1_700_000_000 && last["stopped"] == false, "{last}");
    let nodes = json["nodes"].as_array().unwrap();
    let node = |id: &str| nodes.iter().find(|it| it["id"] == id).unwrap();
    let shout = node("build:shout[libgreet_version=1.0.0]");
    assert_eq!((&shout["last"], &shout["state"]), (&"failed".into(), &"dirty".into()));
    assert!(project.read(shout["log"].as_str().unwrap()).contains("no_such_header.h"));
    let package = project.only("output/noarch", "greet-data-").metadata().unwrap().len();
    assert_eq!(node("build:greet-data")["bytes"], package);
    let packages: u64 = nodes.iter().filter(|it| it["kind"] == "build").filter_map(|it| it["bytes"].as_u64()).sum();
    assert_eq!((&json["kinds"][0]["kind"], &json["kinds"][0]["bytes"]), (&"build".into(), &packages.into()));
    assert!(node("install:minimal-libgreet1.0.0")["bytes"].as_u64().unwrap() > 1000);
    assert_eq!(node("lock:minimal-libgreet1.0.0")["bytes"], Value::Null);

    // In a pipe it is the data alone, without a letter on the other stream.
    let ran = project.run(&["status"]).success();
    assert_eq!(ran.stderr, "");
    assert!(ran.stdout.contains("\nlast run: 0 built, 15 fresh, 2 failed, 10 skipped in "), "{}", ran.stdout);
    assert!(ran.stdout.contains("\n         log: .envbuild/logs/build+shout["), "{}", ran.stdout);

    // What failed and was taken back has failed no more.
    project.edit("recipes/shout/src/shout.c", "#include <no_such_header.h>", "#include <greet.h>");
    project.assert_fresh();
    let text = project.run(&["status"]).success().stdout;
    assert!(!text.contains("failed") && text.contains("\nlast run: 0 built, 27 fresh in "), "{text}");
}

#[test]
fn why_names_what_a_node_waits_for_and_which_package_moved() {
    let project = half_done();
    let text = project.run(&["why", "lock:everyone-libgreet1.0.0"]).success().stdout;
    let waits = "waits for build:shout[libgreet_version=1.0.0] (dirty, recipe/src/shout.c changed)";
    assert!(text.contains("may have to run") && text.contains(waits), "{text}");
    let text = project.run(&["why", "pack:everyone-libgreet1.0.0"]).success().stdout;
    assert!(text.contains("waits for lock:everyone-libgreet1.0.0 (maybe, waits for build:"), "{text}");

    project.edit("recipes/shout/src/shout.c", "#include <no_such_header.h>", "#include <greet.h>");
    project.edit("recipes/shout/recipe.yaml", "version: 0.9.1", "version: 0.9.2");
    project.run(&["lock"]).success();
    let text = project.run(&["why", "install:everyone-libgreet1.0.0"]).success().stdout;
    assert!(text.contains("\n  package/shout\n    old: 0.9.1 ") && text.contains("\n    new: 0.9.2 "), "{text}");
}

#[test]
fn pictures_show_every_node_with_its_state_and_every_edge() {
    let project = half_done();
    let plan = project.plan(&[]);
    let [svg, dot] = ["svg", "dot"].map(|it| project.run(&["plan", "--format", it]).success().stdout);
    assert_eq!(project.run(&["plan", "--format", "svg"]).success().stdout, svg);
    let (mut cards, mut edges) = (0, 0);
    for node in plan.0["nodes"].as_array().unwrap() {
        let (id, state) = (node["id"].as_str().unwrap(), node["state"].as_str().unwrap());
        let reason = node["reason"].as_str().map_or_else(String::new, |it| format!(": {it}"));
        assert!(svg.contains(&format!("<g class=\"{state}\"><title>{id}\n{state}{reason}</title>")), "{id}");
        assert!(dot.contains(&format!("[label=\"{id}\\n{state}{reason}\"")), "{id}");
        cards += 1;
        for need in node["needs"].as_array().unwrap() {
            assert!(svg.contains(&format!("<title>{} → {id} (", need.as_str().unwrap())), "{need} → {id}");
            edges += 1;
        }
    }
    assert_eq!((svg.matches("<g ").count(), svg.matches(" → ").count()), (cards, edges));
    assert_eq!((dot.matches("label=").count(), dot.matches(" -> ").count()), (cards, edges));
}
