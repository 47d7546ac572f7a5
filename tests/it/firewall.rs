//! Channels and sources where upstream cannot be reached: paths in the manifest, variables, the user's configuration.

use std::{fs, path::Path, process::Command};

use crate::support::Project;

/// A recipe without a build script, which can stand in a channel.
const TOOL: &str = "package:\n  name: tool\n  version: \"1.0\"\nbuild:\n  noarch: generic\n  script:\n    \
                    - mkdir -p $PREFIX/share && echo from the channel > $PREFIX/share/tool.txt\n";

/// A project whose only output is a channel with the package `tool`.
fn channel() -> Project {
    let project = Project::called("channel")
        .manifest("[project]\nname = \"channel\"\n\n[recipes.tool]\npath = \"recipes/tool\"\n")
        .recipe("tool", TOOL);
    project.run(&["build"]).success();
    project
}

/// A project that needs `tool` from a base channel.
fn user(channels: &str) -> Project {
    Project::called("user")
        .manifest(&format!(
            "[project]\nname = \"user\"\nchannels = [{channels}]\n\n[environments.e]\ndependencies = [\"tool\"]\n\
             test = \"tests/e.sh\"\n"
        ))
        .file("tests/e.sh", "grep -q 'from the channel' \"$CONDA_PREFIX/share/tool.txt\"\n")
}

fn copy_tree(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_channel_may_be_a_path_relative_to_the_project_and_moves_with_it() {
    let mut user = user("\"./mirror\"");
    copy_tree(&channel().path("output"), &user.path("mirror"));
    user.run(&["all"]).success();
    user.assert_fresh();
    let lock = user.read("envbuild.lock");
    assert!(lock.contains("mirror/noarch/tool-1.0") && !lock.contains("file://"), "{lock}");
    user.move_to("elsewhere");
    user.run(&["lock", "--locked"]).success().says("nothing to do");
    user.run(&["all", "--locked"]).success();
}

#[test]
fn a_variable_replaces_the_base_channels_and_leaves_the_manifest_alone() {
    let channel = channel();
    let user = user("\"https://conda.example.invalid/main\"");
    user.run(&["lock", "--offline"]).failure(1).says("conda.example.invalid");
    let before = user.read("project.toml");
    let url = format!("file://{}", channel.path("output").display());
    let user = user.env("ENVBUILD_CHANNELS", &url);
    user.run(&["all"]).success();
    assert_eq!(user.read("project.toml"), before);
    assert!(user.read("envbuild.lock").contains("tool-1.0"));
}

#[test]
fn the_users_configuration_file_does_the_same_for_all_projects() {
    let channel = channel();
    let user = user("\"https://conda.example.invalid/main\"");
    let text = format!("channels = [\"file://{}\"]\n", channel.path("output").display());
    let file = user.beside("home/.config/envbuild/config.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    user.run(&["all"]).success();

    fs::write(&file, "chanels = []\n").unwrap();
    user.run(&["all"]).failure(3).says("did you mean `channels`?");
}

/// A project that builds from an archive at an address where nothing answers.
fn from_source(sha256: &str) -> Project {
    Project::new().manifest("[project]\nname = \"p\"\n\n[recipes.thing]\npath = \"recipes/thing\"\n").recipe(
        "thing",
        &format!(
            "package:\n  name: thing\n  version: \"1.0\"\nsource:\n  url: http://127.0.0.1:9/thing-1.0.tar.gz\n{sha256}\
                 build:\n  noarch: generic\n  script:\n    - mkdir -p $PREFIX/share && cp words.txt $PREFIX/share/\n"
        ),
    )
}

/// An archive with one folder in it, as upstream's are; gives its sha256.
fn archive(folder: &Path, text: &str) -> String {
    let inner = folder.join("thing-1.0");
    fs::create_dir_all(&inner).unwrap();
    fs::write(inner.join("words.txt"), text).unwrap();
    let archive = folder.join("thing-1.0.tar.gz");
    let status = Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(folder).arg("thing-1.0").status();
    assert!(status.unwrap().success());
    let sum = Command::new("sha256sum").arg(&archive).output().unwrap();
    String::from_utf8(sum.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_mirror_is_asked_by_file_name_and_hash_before_the_network() {
    let mirror = tempfile::tempdir().unwrap();
    let sha256 = archive(mirror.path(), "right");
    let project = from_source(&format!("  sha256: {sha256}\n"));
    project.run(&["build", "--offline"]).failure(1).says("thing-1.0.tar.gz");
    let project = project.env("ENVBUILD_SOURCE_MIRROR", mirror.path());
    project.run(&["build", "--offline"]).success();

    // What was fetched stays: the mirror may go.
    let project = project.env("ENVBUILD_SOURCE_MIRROR", "/nonexistent");
    project.edit("recipes/thing/recipe.yaml", "share/\n", "share/ # again\n");
    project.run(&["build", "--offline"]).success();
}

#[test]
fn a_mirror_with_other_bytes_under_the_name_is_not_believed() {
    let mirror = tempfile::tempdir().unwrap();
    archive(mirror.path(), "wrong");
    let project = from_source(&format!("  sha256: {}\n", "a".repeat(64))).env("ENVBUILD_SOURCE_MIRROR", mirror.path());
    project.run(&["build", "--offline"]).failure(1).says("thing-1.0.tar.gz").says(&"a".repeat(64));
    assert!(!project.path("output/noarch").join("thing").exists());
}

#[test]
fn a_git_source_must_name_a_commit() {
    let project =
        Project::new().manifest("[project]\nname = \"p\"\n\n[recipes.thing]\npath = \"recipes/thing\"\n").recipe(
            "thing",
            "package:\n  name: thing\n  version: \"1.0\"\nsource:\n  git: https://git.example.invalid/thing.git\n  \
             branch: main\nbuild:\n  noarch: generic\n  script:\n    - ls\n",
        );
    project.run(&["build"]).failure(1).says("which moves").says("expected_commit");
    project.edit("recipes/thing/recipe.yaml", "branch: main", &format!("rev: {}", "0".repeat(40)));
    project.run(&["build", "--offline"]).failure(1).says("git.example.invalid");
}

#[test]
fn a_source_without_a_hash_is_an_error_that_prints_the_line_to_add() {
    let mirror = tempfile::tempdir().unwrap();
    let sha256 = archive(mirror.path(), "right");
    let project = from_source("").env("ENVBUILD_SOURCE_MIRROR", mirror.path());
    project.run(&["build", "--offline"]).failure(1).says(&format!("sha256: {sha256}"));
}
