//! Bad input: all of standard error and the exit status, as somebody would see them in a pipe of 120 columns.

use std::fmt::Write as _;

use crate::support::Project;

/// A manifest with one good recipe, and a place for what is wrong.
const MANIFEST: &str = "\
[project]
name = \"errors\"
channels = []

[matrix]
flavour = [\"plain\", \"salted\"]

[recipes.good]
path = \"recipes/good\"

[environments.env]
dependencies = [\"good\"]
";

const GOOD: &str = "\
package:
  name: good
  version: 1.0.0
build:
  noarch: generic
  script:
    - echo ${{ flavour }} > $PREFIX/good
";

fn project() -> Project {
    Project::new().manifest(MANIFEST).recipe("good", GOOD)
}

/// Replaces a text of the good manifest.
fn manifest(old: &str, new: &str) -> Project {
    assert!(MANIFEST.contains(old), "{old} is not in the manifest");
    Project::new().manifest(&MANIFEST.replace(old, new)).recipe("good", GOOD)
}

/// Replaces a text of the good recipe.
fn recipe(old: &str, new: &str) -> Project {
    assert!(GOOD.contains(old), "{old} is not in the recipe");
    Project::new().manifest(MANIFEST).recipe("good", &GOOD.replace(old, new))
}

/// Runs the program and compares what it says. `-j 1` makes the order of events one.
#[track_caller]
fn check(name: &str, project: &Project, arguments: &[&str]) {
    let ran = project.run(arguments);
    assert_eq!(ran.stdout, "", "talk belongs on standard error");
    let mut text = format!("$ envbuild {}\n", arguments.join(" "));
    let _ = writeln!(text, "exit status {}\n", ran.status.unwrap());
    text.push_str(&project.normalise(&ran.stderr));
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn no_project() {
    check("no_project", &Project::new(), &["all"]);
}

#[test]
fn unknown_keys() {
    let project = manifest("channels = []", "chanels = []\nplatfroms = [\"linux-64\"]");
    project.edit("project.toml", "dependencies =", "dependancies =");
    check("unknown_keys", &project, &["all"]);
}

#[test]
fn sources_without_a_host_that_lead_nowhere() {
    let sources = "source:\n  - url: mirror://gnu/make/make-4.tar.gz\n  - url:\n      - https://x.invalid/t-1.zip\n      \
                   - mirror://pypi/t-${{ version }}.zip\n    sha256: \"${{ '0' * 64 }}\"\n  \
                   - url: mirror://pypi/t/t-${{ version }}.zip # its hash is missing\n";
    let project = recipe("package:", &format!("context:\n  version: 1.0.0\n{sources}package:"));
    check("sources_without_a_host_that_lead_nowhere", &project, &["plan"]);
}

#[test]
fn wrong_types() {
    let project = manifest("name = \"errors\"", "name = 7");
    project.edit("project.toml", "[\"plain\", \"salted\"]", "\"plain\"");
    check("wrong_types", &project, &["plan"]);
}

#[test]
fn not_toml() {
    check("not_toml", &manifest("channels = []", "channels = ["), &["plan"]);
}

#[test]
fn recipe_folder_without_recipe() {
    let project = manifest("recipes/good", "recipes/goood");
    check("recipe_folder_without_recipe", &project, &["all"]);
}

#[test]
fn broken_recipe() {
    check("broken_recipe", &recipe("version: 1.0.0", "version: [1.0.0]"), &["all"]);
}

#[test]
fn zip_of_unequal_lengths() {
    let project =
        manifest("[\"plain\", \"salted\"]", "[\"plain\", \"salted\"]\nsize = [\"s\"]\nzip = [[\"flavour\", \"size\"]]");
    check("zip_of_unequal_lengths", &project, &["all"]);
}

#[test]
fn empty_axis() {
    check("empty_axis", &manifest("[\"plain\", \"salted\"]", "[]"), &["all"]);
}

#[test]
fn undeclared_variable_and_unused_axis() {
    let project = manifest("flavour =", "flavor =");
    check("undeclared_variable_and_unused_axis", &project, &["all"]);
}

#[test]
fn duplicate_package() {
    let project = manifest("[recipes.good]", "[recipes.again]\npath = \"recipes/good\"\n\n[recipes.good]");
    check("duplicate_package", &project, &["all"]);
}

#[test]
fn missing_test_script() {
    let project = manifest("[\"good\"]", "[\"good\"]\ntest = \"tests/no-such.sh\"");
    check("missing_test_script", &project, &["all"]);
}

#[test]
fn a_cycle() {
    let circle = |name: &str, needs: &str| {
        let requirements = format!("requirements:\n  host:\n    - {needs}\n");
        GOOD.replace("name: good", &format!("name: {name}")) + &requirements
    };
    let project = manifest(
        "[recipes.good]",
        "[recipes.egg]\npath = \"recipes/egg\"\n\n[recipes.hen]\npath = \"recipes/hen\"\n\n[recipes.good]",
    );
    let project = project.recipe("egg", &circle("egg", "hen")).recipe("hen", &circle("hen", "egg"));
    check("a_cycle", &project, &["all"]);
}

#[test]
fn unsatisfiable_environment() {
    let project = manifest("[\"good\"]", "[\"good >=2\", \"no-such-package\"]");
    check("unsatisfiable_environment", &project, &["lock", "-j", "1"]);
}

#[test]
fn failing_build_script() {
    let project = recipe("echo ${{ flavour }} > $PREFIX/good", "echo about to fail ${{ flavour }} >&2; exit 7");
    check("failing_build_script", &project, &["all", "-j", "1", "flavour=plain"]);
}

fn with_source(rest: &str) -> Project {
    let project =
        recipe("build:\n", &format!("source:\n  url: https://example.invalid/good-1.0.tar.gz\n{rest}build:\n"));
    project.write("mirror/good-1.0.tar.gz", "not what it should be\n");
    let mirror = project.path("mirror");
    project.env("ENVBUILD_SOURCE_MIRROR", mirror)
}

#[test]
fn source_with_a_wrong_hash() {
    let project = with_source(&format!("  sha256: {}\n", "0".repeat(64)));
    check("source_with_a_wrong_hash", &project, &["build", "-j", "1", "flavour=plain", "--offline"]);
}

#[test]
fn source_without_a_hash() {
    check("source_without_a_hash", &with_source(""), &["build", "-j", "1", "flavour=plain"]);
}

#[test]
fn unknown_goal() {
    check("unknown_goal", &project(), &["build", "goood", "build:good[flavour=sweet]"]);
}

#[test]
fn unknown_axis() {
    check("unknown_axis", &project(), &["all", "flavor=plain"]);
}

#[test]
fn unknown_command() {
    check("unknown_command", &project(), &["biuld"]);
}

#[test]
fn a_word_that_is_no_number() {
    check("a_word_that_is_no_number", &project(), &["all", "-j", "many"]);
}

/// 10 MB that are not a manifest end soon and say why in few words.
#[test]
fn ten_megabytes_of_noise() {
    let mut state = 0x2545_F491_u32;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let bytes: Vec<u8> = (0..10_000_000).map(|_| noise().to_le_bytes()[0]).collect();
    let letters: Vec<u8> = bytes.iter().map(|it| b"abc=[]{}\"'#.,\n 0123"[usize::from(*it) % 19]).collect();
    let nested = "[".repeat(10_000_000).into_bytes();
    let keys: Vec<u8> = (0..400_000).flat_map(|it| format!("unknown_key_{it} = {it}\n").into_bytes()).collect();
    for (name, text) in [("bytes", bytes), ("letters", letters), ("nested", nested), ("keys", keys)] {
        let project = Project::new();
        std::fs::write(project.path("project.toml"), text).unwrap();
        let started = std::time::Instant::now();
        let ran = project.run(&["all"]).failure(3);
        assert!(started.elapsed().as_secs() < 20, "{name} took {:?}", started.elapsed());
        assert!(ran.stderr.len() < 100_000, "{name} is answered with {} bytes", ran.stderr.len());
        assert!(ran.stderr.contains("project.toml") || ran.stderr.contains("the manifest has"), "{}", ran.stderr);
    }
}
