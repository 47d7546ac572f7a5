//! An environment of real packages from a base channel, for a named target: Python, numpy and pip.

use std::{fs, path::Path, process::Command};

use crate::support::{Project, bare, files_below, skip, variable};

const MANIFEST: &str = "\
[project]
name = \"base\"
channels = [\"conda-forge\"]

[matrix]
python = [\"3.11\", \"3.12\"]

[environments.science]
matrix = [\"python\"]
dependencies = [\"numpy\", \"pip\"]
target = \"old-machine\"
test = \"tests/science.sh\"
pack = [\"tar.zst\"]

[targets.old-machine]
platform = \"linux-64\"
virtual-packages = { __glibc = \"2.36\", __cuda = \"12.3\" }
# A channel that stands in for conda-forge may leave libraries to the machine.
libraries = [\"lib*.so*\"]
";

const TEST: &str = "\
#!/bin/sh
set -eu
python -c 'import numpy; assert numpy.arange(5).sum() == 10'
pip --version
# Bytecode was compiled with the prefix, so that nobody has to write into it later.
site=$(python -c 'import pip, os; print(os.path.dirname(pip.__file__))')
ls \"$site\"/__pycache__/*.pyc > /dev/null
";

/// The project, with the machine's base channel in the place of the manifest's.
fn project() -> Option<Project> {
    let Some(channel) = variable("ENVBUILD_TEST_CHANNEL") else {
        skip("conda channel with CPython (ENVBUILD_TEST_CHANNEL)");
        return None;
    };
    Some(Project::new().manifest(MANIFEST).file("tests/science.sh", TEST).env("ENVBUILD_CHANNELS", channel))
}

fn assert_works(prefix: &Path) {
    let numpy = bare(&prefix.join("bin/python"), &["-c", "import numpy; print(numpy.__file__)"]);
    assert!(Path::new(numpy.stdout.trim()).starts_with(prefix), "{}", numpy.stdout);
    let pip = bare(&prefix.join("bin/pip"), &["--version"]);
    assert!(pip.stdout.contains(prefix.to_str().unwrap()), "{}", pip.stdout);
}

#[test]
fn python_numpy_and_pip_are_solved_installed_tested_packed_and_run_elsewhere() {
    let Some(mut project) = project() else { return };
    let report = project.report(&["all"]);
    assert_eq!((report.count("built"), report.count("failed")), (8, 0));
    project.assert_fresh();

    // The target is what was solved for, and the locked channel is a name that means the same elsewhere.
    let lock = project.read("envbuild.lock");
    assert!(lock.contains("science-py311") && lock.contains("science-py312"), "{lock}");
    let listed = project.run(&["list", "science-py311", "--format", "json"]).success().json();
    let python = listed["packages"].as_array().unwrap().iter().find(|it| it["name"] == "python").unwrap();
    assert!(python["version"].as_str().unwrap().starts_with("3.11."), "{python}");
    project
        .run(&["run", "-q", "science-py312", "--", "python", "-c", "import sys; sys.exit(sys.version_info.minor)"])
        .failure(12);

    // Both ways of unpacking, with the project gone.
    let archive = |python: &str| project.beside(format!("science-{python}-linux-64.tar.zst"));
    for python in ["py311", "py312"] {
        fs::copy(project.path(format!("dist/science-{python}-linux-64.tar.zst")), archive(python)).unwrap();
    }
    let (first, second) = (archive("py311"), archive("py312"));
    project.move_to("gone");
    let by_tar = project.beside("by tar");
    fs::create_dir(&by_tar).unwrap();
    assert!(Command::new("tar").arg("--zstd").arg("-xf").arg(first).arg("-C").arg(&by_tar).status().unwrap().success());
    bare(&by_tar.join("bin/conda-unpack"), &[]);
    assert_works(&by_tar);
    let by_us = project.beside("by-us");
    project.run(&["unpack", second.to_str().unwrap(), "-p", by_us.to_str().unwrap()]).success();
    assert_works(&by_us);
    let compiled = files_below(&by_us).iter().filter(|it| it.extension().is_some_and(|it| it == "pyc")).count();
    assert!(compiled > 100, "only {compiled} files of bytecode were packed");
}

#[test]
fn a_target_decides_and_not_the_build_machine() {
    let Some(project) = project() else { return };
    project.edit("project.toml", "\"numpy\", \"pip\"", "\"pip\", \"__cuda >=12\"");
    project.run(&["lock"]).success();
    project.edit("project.toml", "__cuda = \"12.3\" ", "");
    let _ = project.run(&["lock", "-j", "1"]).failure(1).says("__cuda");
}
