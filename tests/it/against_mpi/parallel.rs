//! `examples/parallel` with the host's real MPI, HDF5 and LAPACK: every package is built, and two ranks work together in each
//! environment.

use std::{fs, process::Command};

use crate::support::{Project, files_below, repository, skip, unoptimised, variable};

/// The recipes of the repository that the example takes up.
const RECIPES: &[&str] = &["h5py", "jax", "jaxlib", "mpi4jax", "mpi4py", "petsc", "petsc4py"];

#[test]
fn two_ranks_share_files_arrays_and_equations() {
    let Some(project) = project() else { return };
    let report = project.report(&["all"]);
    assert_eq!(report.count("failed"), 0, "{:#}", report.0);
    // 19 packages, each solved and built; 5 environments, each locked, installed and tested; two of them packed.
    assert_eq!(report.count("built"), 2 * 19 + 3 * 5 + 2, "{:#}", report.0);
    project.assert_fresh();

    let tests = [
        ("hdf5-py311", "h5py 3.12.1 with HDF5 "),
        ("hdf5-py312", "h5py 3.12.1 with HDF5 "),
        ("jax-py311", "mpi4jax 0.7.1 with jax 0.4.38"),
        ("jax-py312", "mpi4jax 0.7.1 with jax 0.4.38"),
        ("petsc-py312-petsc3.21.6", "PETSc 3.21.6 in "),
    ];
    for (environment, says) in tests {
        let log = project.read(&format!(".envbuild/logs/test+{environment}.log"));
        for rank in ["rank 0 of 2: ", "rank 1 of 2: "] {
            assert!(log.contains(&format!("{rank}{says}")), "{environment}: {rank}{says} is not in\n{log}");
        }
    }

    // What is bound to the host says so in its name; what comes from wheels, and is told not to be, does not.
    let files = files_below(&project.path("output/linux-64"));
    let packages: Vec<String> = files.iter().map(|it| it.to_string_lossy().into_owned()).collect();
    let bound = |it: &&String| it.contains("-mpich_");
    assert_eq!(packages.iter().filter(|it| it.ends_with(".conda")).filter(bound).count(), 12, "{packages:?}");
    for wheel in ["cython-", "scipy-", "ml_dtypes-"] {
        assert_eq!(packages.iter().filter(|it| it.starts_with(wheel) && !bound(it)).count(), 2, "{packages:?}");
    }
}

/// The example, the recipes beside it, and the channel, mirror and index that the machine offers.
fn project() -> Option<Project> {
    for program in ["mpicc", "mpiexec", "h5pcc"] {
        if Command::new(program).arg("-show").output().is_err() {
            skip(&format!("{program} on this machine (MPI, and parallel HDF5)"));
            return None;
        }
    }
    for library in ["liblapack.so", "libblas.so"] {
        // A compiler that knows no such file says its bare name again.
        let found = Command::new("cc").arg(format!("-print-file-name={library}")).output();
        if !found.is_ok_and(|it| it.stdout.contains(&b'/')) {
            skip(&format!("{library} on this machine"));
            return None;
        }
    }
    let Some(channel) = variable("ENVBUILD_TEST_CHANNEL") else {
        skip("conda channel with CPython (ENVBUILD_TEST_CHANNEL)");
        return None;
    };
    let mut project = Project::example("parallel").with_settings_of_pip().env("ENVBUILD_CHANNELS", channel);
    if let Some(sources) = variable("ENVBUILD_TEST_SOURCES") {
        project = project.env("ENVBUILD_SOURCE_MIRROR", sources);
    }
    for recipe in RECIPES {
        let folder = repository().join("recipes").join(recipe);
        for file in files_below(&folder) {
            let text = fs::read_to_string(folder.join(&file)).unwrap();
            project.write(&format!("recipes/{recipe}/{}", file.display()), &unoptimised(&text));
        }
    }
    project.edit("project.toml", "../../recipes/", "recipes/");
    Some(project)
}
