//! The walls. Reads the sources and fails with the file, the line and a sentence.

mod checks;
mod code;
mod tables;
mod tree;

use std::{collections::BTreeSet, fmt::Write as _};

use code::{Source, sources};

use crate::support::repository;

/// Fails with every complaint, one on each line.
#[track_caller]
fn assert_none(complaints: &[String]) {
    let text = complaints.iter().fold(String::new(), |mut text, it| {
        let _ = writeln!(text, "{it}");
        text
    });
    assert!(complaints.is_empty(), "\n{text}");
}

/// Runs one check over all of `src/`.
#[track_caller]
fn over_sources(check: fn(&Source) -> Vec<String>) {
    let all = sources(&repository().join("src"));
    assert!(all.len() > 100, "only {} sources were found", all.len());
    assert_none(&all.iter().flat_map(check).collect::<Vec<_>>());
}

#[test]
fn a_room_names_only_rooms_below_it() {
    over_sources(checks::walls);
}

#[test]
fn no_import_hides_behind_a_star() {
    over_sources(checks::stars);
}

#[test]
fn a_library_stays_in_its_room() {
    over_sources(checks::libraries);
}

#[test]
fn every_library_has_a_room() {
    let manifest = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let listed: BTreeSet<&str> = tables::LIBRARIES.iter().map(|(name, _)| *name).collect();
    let section = manifest.split("[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let named: BTreeSet<String> =
        section.lines().filter_map(|it| Some(it.split_once(" = ")?.0.replace('-', "_"))).collect();
    let unlisted: Vec<String> = named
        .iter()
        .filter(|it| !listed.contains(it.as_str()))
        .map(|it| format!("Cargo.toml: no room is given for `{it}` in tests/it/tidy/tables.rs"))
        .collect();
    assert_none(&unlisted);
    let gone: Vec<_> = listed.iter().filter(|it| !named.contains(**it)).collect();
    assert!(gone.is_empty(), "tests/it/tidy/tables.rs speaks of {gone:?}, which Cargo.toml does not name");
}

#[test]
fn files_are_short_and_doors_say_what_is_behind_them() {
    over_sources(checks::shape);
}

#[test]
fn nothing_is_left_unfinished() {
    over_sources(checks::leftovers);
    let tests = sources(&repository().join("tests"));
    assert_none(&tests.iter().flat_map(checks::leftovers).collect::<Vec<_>>());
}

#[test]
fn no_test_file_is_forgotten() {
    assert_none(&tree::forgotten_tests());
}

#[test]
fn no_tracked_file_names_a_machine() {
    assert_none(&tree::machines());
}

#[test]
fn every_recipe_and_example_stands_in_a_readme() {
    assert_none(&tree::unnamed_folders());
}

/// The checks see what they are for.
#[test]
fn bad_sources_are_found() {
    let bad = r##"
        //! Text that names crate::cli is only text.
        use crate::{base::Digest, plan::{Node, graph}, lock::self};
        use super::*;
        const TEXT: &str = "crate::run";
        /* crate::run /* crate::run */ crate::run */
        const RAW: &str = r#"crate::run " crate::run"#;
        fn quote() -> char { '"' }
        fn later<'a>() { todo!() }
        async fn wait() { crate :: exec::go(petgraph::graph()).await; }
        use super::super::fetch;
        mod deeper { use super::super::fetch::Fetch; }
        #[cfg(test)]
        mod tests { fn in_a_test() { crate::workspace::load(); petgraph::graph(); } }
    "##;
    let source = Source::new("solve/solver.rs", bad);
    let expected = [
        "solve/solver.rs:3: solve may not name plan",
        "solve/solver.rs:3: solve may not name lock",
        "solve/solver.rs:10: solve may not name exec",
        "solve/solver.rs:11: write `crate::fetch`: a path that climbs out of its room is not seen by the walls",
        "solve/solver.rs:14: solve may not name workspace",
    ];
    assert_eq!(checks::walls(&source), expected);
    assert_eq!(checks::stars(&source), ["solve/solver.rs:4: name what you import: a star is not seen by the walls"]);
    assert_eq!(checks::libraries(&source), ["solve/solver.rs:10: only plan/graph.rs may name petgraph"]);
    assert_eq!(checks::leftovers(&source), ["solve/solver.rs:9: `todo!` is left"]);
    let async_elsewhere = Source::new("plan/graph.rs", "use petgraph::Graph;\nasync fn a() {}\n");
    assert_eq!(
        checks::libraries(&async_elsewhere),
        [
            "plan/graph.rs:2: only rt.rs, bytecode/mod.rs, build/, channel/, fetch/, image/, install/, pkgcache.rs, solve/ may name async"
        ]
    );
    let door = Source::new("solve/mod.rs", "//! A door.\n");
    assert_eq!(
        checks::shape(&door),
        ["solve/mod.rs:1: a door says what is behind it does not know: `Knows nothing of: …`"]
    );
    let long = Source::new("solve/long.rs", &"\n".repeat(451));
    assert_eq!(
        checks::shape(&long),
        ["solve/long.rs:451: a file has at most 450 lines: this is more than one subject"]
    );
    assert!(checks::walls(&Source::new("solve/solver.rs", "use crate::{base, solve::error, rt::Rt};")).is_empty());
    assert_eq!(checks::walls(&Source::new("new/mod.rs", "use crate::base;")).len(), 1);
}
