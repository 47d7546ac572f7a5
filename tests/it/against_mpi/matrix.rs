//! `examples/mpi` with the host's real MPI: six builds of mpi4py, two ranks in each environment, and two ranks again from
//! each archive, unpacked elsewhere while the project's prefixes are away.

use std::{fs, path::Path, process::Command};

use crate::support::{Project, Ran, repository, skip, unoptimised, variable};

#[test]
fn two_ranks_agree_in_every_environment_and_in_every_archive() {
    let Some(project) = project() else { return };
    let report = project.report(&["all"]);
    assert_eq!((report.count("built"), report.count("failed")), (36, 0), "{:#}", report.0);
    project.assert_fresh();

    let packages = project.path("output/linux-64");
    let strings: Vec<String> = fs::read_dir(packages).unwrap().map(|it| file_name(&it.unwrap().path())).collect();
    assert_eq!(strings.iter().filter(|it| it.contains("-mpich_py3")).count(), 6, "{strings:?}");

    // What is unpacked must not find anything of the project: neither its prefixes nor its recipes.
    let tests = project.beside("tests");
    fs::create_dir(&tests).unwrap();
    fs::copy(project.path("tests/two_ranks.sh"), tests.join("two_ranks.sh")).unwrap();
    fs::rename(project.path(".envbuild/envs"), project.beside("away")).unwrap();
    for (number, (python, mpi4py)) in cells().enumerate() {
        let name = format!("mpi-py{}-mpi4py{mpi4py}", python.replace('.', ""));
        let archive = project.path(format!("dist/{name}-linux-64.tar.zst"));
        let prefix = project.beside(format!("deployed here/{name}"));
        if number % 2 == 0 {
            project.run(&["unpack", &archive.to_string_lossy(), "-p", &prefix.to_string_lossy()]).success();
        } else {
            let steps = "mkdir -p \"$1\" && tar --zstd -xf \"$0\" -C \"$1\" && \"$1/bin/conda-unpack\"";
            bash(steps, &[&archive, &prefix], &project);
        }
        let ran = bash("set -eu; . \"$0/bin/activate\"; exec bash \"$1/two_ranks.sh\"", &[&prefix, &tests], &project);
        // A launcher may put what two ranks write on one line.
        let said: Vec<&str> = ran.stdout.split("rank ").collect();
        for rank in ["0 of 2", "1 of 2"] {
            let beginning = format!("{rank}: Python {python}.");
            let found = said.iter().find(|it| it.starts_with(&beginning));
            let found = found.unwrap_or_else(|| panic!("{beginning} is not in\n{}\n{}", ran.stdout, ran.stderr));
            assert!(found.contains(&format!("mpi4py {mpi4py}, MPICH")), "{found}");
        }
    }
}

/// The example, its recipe beside it, and the channel and mirror that the machine offers.
fn project() -> Option<Project> {
    if !["mpicc", "mpiexec"].iter().all(|it| Command::new(it).arg("-help").output().is_ok()) {
        skip("MPI on this machine (mpicc and mpiexec)");
        return None;
    }
    let Some(channel) = variable("ENVBUILD_TEST_CHANNEL") else {
        skip("conda channel with CPython (ENVBUILD_TEST_CHANNEL)");
        return None;
    };
    let mut project = Project::example("mpi").env("ENVBUILD_CHANNELS", channel);
    if let Some(sources) = variable("ENVBUILD_TEST_SOURCES") {
        project = project.env("ENVBUILD_SOURCE_MIRROR", sources);
    }
    let recipe = repository().join("recipes/mpi4py");
    for file in ["recipe.yaml", "build.sh"] {
        let text = fs::read_to_string(recipe.join(file)).unwrap();
        project.write(&format!("recipes/mpi4py/{file}"), &unoptimised(&text));
    }
    project.edit("project.toml", "../../recipes/mpi4py", "recipes/mpi4py");
    Some(project)
}

fn cells() -> impl Iterator<Item = (&'static str, &'static str)> {
    ["3.10", "3.11", "3.12"].into_iter().flat_map(|python| ["3.1.6", "4.0.3"].map(|mpi4py| (python, mpi4py)))
}

/// Runs a script, which has to succeed, with arguments from `$0` on, outside the project.
#[track_caller]
fn bash(script: &str, arguments: &[&Path], project: &Project) -> Ran {
    let mut command = Command::new("bash");
    command.arg("-c").arg(script).args(arguments).current_dir(project.beside("tmp"));
    Ran::new(command.output().unwrap()).success()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
