//! Environments that several tests make, and how their programs are run.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{Project, Ran, skip, variable};

/// Runs a program, which has to succeed, with nothing in its environment but a PATH that does not lead to its prefix.
#[track_caller]
pub(crate) fn bare(program: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir("/");
    command.env("PATH", "/usr/bin:/bin").env("PYTHONDONTWRITEBYTECODE", "1");
    Ran::new(command.output().unwrap()).success()
}

/// Asserts that a prefix has the quickstart's `everyone` in it and that it runs there.
#[track_caller]
pub(crate) fn assert_greets(prefix: &Path) {
    let hello = bare(&prefix.join("bin/hello"), &["--everyone"]);
    assert_eq!(hello.stdout, "Hello, Ada!\nHello, Barbara!\nHello, Grace!\n");
    let shout = bare(&prefix.join("bin/shout"), &["World"]);
    assert_eq!(shout.stdout, "HELLO, WORLD! HOW ARE YOU?\n");
}

const SCIENCE: &str = "\
[project]
name = \"base\"
channels = [\"conda-forge\"]

[environments.science]
dependencies = [\"python 3.11.*\", \"pip\", \"setuptools\", \"wheel\"]
";

/// A project with an environment of a base channel's Python and pip, and its prefix; none where there is no such channel.
pub(crate) fn science() -> Option<(Project, PathBuf)> {
    let Some(channel) = variable("ENVBUILD_TEST_CHANNEL") else {
        skip("conda channel with CPython (ENVBUILD_TEST_CHANNEL)");
        return None;
    };
    let project = Project::new().manifest(SCIENCE).env("ENVBUILD_CHANNELS", channel);
    project.run(&["install", "science"]).success();
    let prefix = project.path(".envbuild/envs/science");
    Some((project, prefix))
}
