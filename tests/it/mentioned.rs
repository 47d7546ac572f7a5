//! What a recipe reads outside its folder and its text is an input, too: patches, scripts, what links lead to, variables of
//! the environment.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    process::Command,
};

use crate::support::Project;

const MANIFEST: &str = "[project]\nname = \"mentioned\"\n[recipes.data]\npath = \"recipes/data\"\n";

/// A project with one recipe, and beside it a folder that others share.
fn project(recipe: &str) -> Project {
    let script = "mkdir -p $PREFIX/share\necho one > $PREFIX/share/data\n";
    let text = format!("package:\n  name: data\n  version: '1'\n{recipe}");
    Project::new().manifest(MANIFEST).recipe("data", &text).file("common/build.sh", script)
}

/// Asserts that the package is built, that `why` named the input for it, and that nothing is left to do.
#[track_caller]
fn built_for(project: &Project, input: &str) {
    let why = project.run(&["why", "data", "--format", "json"]).success().json();
    let inputs: Vec<_> = why["nodes"][0]["changes"].as_array().unwrap().iter().map(|it| &it["input"]).collect();
    assert_eq!(inputs, [input]);
    assert_eq!(project.report(&["all"]).with("built"), ["build:data"]);
    project.assert_fresh();
}

#[test]
fn a_script_and_a_patch_outside_the_folder_are_inputs() {
    let patch = "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-old\n+new\n";
    let project = project(
        "source:\n  path: ../../src\n  patches: [../../common/fix.patch]\n\
         build:\n  noarch: generic\n  script:\n    file: ../../common/build\n",
    )
    .file("src/f", "old\n")
    .file("common/fix.patch", patch);
    project.run(&["all"]).success();
    project.assert_fresh();
    project.edit("common/build.sh", "one", "two");
    built_for(&project, "source/../../common/build.sh");
    project.edit("common/fix.patch", "new", "newer");
    built_for(&project, "source/../../common/fix.patch");
    fs::remove_file(project.path("common/fix.patch")).unwrap();
    project.run(&["all"]).failure(1).says("../../common/fix.patch");
}

#[test]
fn what_a_link_of_the_folder_leads_to_is_an_input() {
    let project = project("source:\n  path: src\nbuild:\n  noarch: generic\n").file("shared/f", "old\n");
    symlink("../../common/build.sh", project.path("recipes/data/build.sh")).unwrap();
    symlink("../../shared", project.path("recipes/data/src")).unwrap();
    project.run(&["all"]).success();
    project.assert_fresh();
    project.edit("common/build.sh", "one", "two");
    built_for(&project, "recipe/build.sh");
    project.write("shared/f", "new\n");
    built_for(&project, "source/src/f");
    project.write("shared/g", "more\n");
    built_for(&project, "source/src/g");
}

#[test]
fn a_variable_of_the_environment_that_a_recipe_asks_for_is_an_input() {
    let mut project = project(
        "build:\n  noarch: generic\n  script:\n    - mkdir -p $PREFIX/share\n    \
         - echo ${{ env.get(\"FLAVOUR\", default=\"plain\") }} > $PREFIX/share/data\n",
    );
    project.run(&["all"]).success();
    project.set("UNRELATED", "1");
    project.assert_fresh();
    project.set("FLAVOUR", "sweet");
    built_for(&project, "environment/FLAVOUR");
    project.set("FLAVOUR", "sour");
    built_for(&project, "environment/FLAVOUR");
}

#[test]
fn links_with_strange_targets_differ_and_a_pipe_is_refused() {
    let project = project("source:\n  path: ../../src\nbuild:\n  noarch: generic\n  script: ../../common/build.sh\n")
        .file("src/f", "old\n");
    let link = project.path("src/link");
    symlink(OsStr::from_bytes(b"a\xff"), &link).unwrap();
    project.run(&["all"]).success();
    fs::remove_file(&link).unwrap();
    symlink(OsStr::from_bytes(b"a\xfe"), &link).unwrap();
    built_for(&project, "source/../../src/link");

    let pipe = project.path("src/pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    project.run(&["all"]).failure(1).says("src/pipe").says("a pipe, a socket or a device");
    fs::remove_file(&pipe).unwrap();
    project.assert_fresh();
}
