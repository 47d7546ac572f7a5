//! A machine with two MPIs behind modules: its own, and the one that a Python index offers as a wheel. What was built with the
//! one is built again for the other, and nothing else is.

use std::{fs, path::Path, process::Command};

use crate::support::{Project, Ran, files_below, repository, skip, unoptimised, variable};

const MANIFEST: &str = r#"
[project]
name = "second"
channels = ["conda-forge"]

[host]
label = "site"
init = ["../site/init.sh"]
modules = ["mpich/system"]
rpaths = ["**/site/mpich/**"]
libraries = ["libmpi*.so*", "libhdf5*.so*", "libstdc++.so.6", "libgcc_s.so.1"]

[host.facts.mpich]
command = "mpichversion"
pattern = 'Version:\s+(\S+)'
virtual-package = "__site_mpich"

[matrix]
python = ["3.12"]
mpi4py_version = ["4.0.3"]
jax_version = ["0.4.38"]
cuda_version = ["None"]

[recipes.mpi4py]
path = "recipes/mpi4py"

[recipes.h5py]
path = "recipes/h5py"

[recipes.jaxlib]
path = "recipes/jaxlib"
modules = { unload = ["mpich"] }

[recipes.jax]
path = "recipes/jax"
modules = { unload = ["mpich"] }

[recipes.mpi4jax]
path = "recipes/mpi4jax"

[recipes.scipy]
path = "wheels/scipy"
host-bound = false

[recipes.ml_dtypes]
path = "wheels/ml_dtypes"
host-bound = false

[recipes.opt_einsum]
path = "wheels/opt_einsum"

[environments.hdf5]
dependencies = ["python 3.12.*", "h5py 3.12.* site_*"]
test = "tests/hdf5.sh"
pack = []

[environments.jax]
dependencies = ["python 3.12.*", "mpi4jax 0.7.* site_*"]
test = "tests/jax.sh"
pack = []

[environments.plain]
dependencies = ["python 3.12.*", "scipy"]
pack = []
"#;

/// What is linked to MPI.
const LINKED: [&str; 3] = [
    "build:h5py[python=3.12]",
    "build:mpi4jax[cuda_version=None,python=3.12]",
    "build:mpi4py[mpi4py_version=4.0.3,python=3.12]",
];

#[test]
fn another_mpi_rebuilds_what_is_linked_to_it_and_coming_back_rebuilds_nothing() {
    let Some(project) = project() else { return };
    let first = project.report(&["all"]);
    assert_eq!(first.count("failed"), 0, "{:#}", first.0);
    project.assert_fresh();
    project.run(&["host", "--save", "../system.json"]).success();

    project.edit("project.toml", "mpich/system", "mpich/wheel");
    let why = project.run(&["why", LINKED[2]]).success().stdout;
    for line in
        ["host/modules", "old: mpich/system", "new: mpich/wheel", "host/mpi/libmpich.so.12", "host/mpi/libmpi.so.12"]
    {
        assert!(why.contains(line), "{line} is not in\n{why}");
    }
    let host = project.run(&["host", "--against", "../system.json"]).success().stdout;
    for line in
        ["module mpich system → wheel: 3 of 8 package cells", "library libmpi.so.12 is new: 3 of 8 package cells"]
    {
        assert!(host.contains(line), "{line} is not in\n{host}");
    }

    let second = project.report(&["all"]);
    assert_eq!(second.count("failed"), 0, "{:#}", second.0);
    let of = |report: &[String], kind: &str| -> Vec<String> {
        report.iter().filter(|it| it.starts_with(kind)).cloned().collect()
    };
    assert_eq!(of(&second.sorted("built"), "build:"), LINKED);
    assert_eq!(of(&second.sorted("built"), "install:"), ["install:hdf5", "install:jax"]);
    // Each rank says whose library it runs with.
    let log = project.read(".envbuild/logs/test+jax.log");
    assert!(log.contains("rank 1 of 2: "), "{log}");
    let ledger = project.read(".envbuild/envs/jax/share/envbuild/host/mpi4py.json");
    assert!(ledger.contains("libmpi.so.12") && ledger.contains("\"mpich/wheel\""), "{ledger}");
    project.run(&["check", "jax"]).success();

    // The first packages are still in the channel.
    project.edit("project.toml", "mpich/wheel", "mpich/system");
    let back = project.report(&["all"]);
    assert_eq!(of(&back.sorted("built"), "build:"), [] as [&str; 0]);
    assert_eq!(back.count("failed"), 0, "{:#}", back.0);
    let ledger = project.read(".envbuild/envs/jax/share/envbuild/host/mpi4py.json");
    assert!(ledger.contains("libmpich.so.12") && !ledger.contains("libmpi.so.12"), "{ledger}");
}

/// The recipes of this repository in a project of their own, beside a site with two modules.
fn project() -> Option<Project> {
    for program in ["mpicc", "mpicxx", "mpiexec", "mpichversion", "h5pcc"] {
        if Command::new(program).arg("-show").output().is_err() {
            skip(&format!("{program} on this machine (MPICH, and HDF5 made with it)"));
            return None;
        }
    }
    if !Path::new(LMOD).is_file() {
        skip(&format!("Lmod on this machine ({LMOD})"));
        return None;
    }
    let Some(channel) = variable("ENVBUILD_TEST_CHANNEL") else {
        skip("conda channel with CPython (ENVBUILD_TEST_CHANNEL)");
        return None;
    };
    let mut project = Project::called("second mpi").with_settings_of_pip().env("ENVBUILD_CHANNELS", channel);
    if let Some(sources) = variable("ENVBUILD_TEST_SOURCES") {
        project = project.env("ENVBUILD_SOURCE_MIRROR", sources);
    }
    let project = project.manifest(MANIFEST);
    for recipe in ["h5py", "jax", "jaxlib", "mpi4jax", "mpi4py"] {
        copy(&project, &repository().join("recipes").join(recipe), &format!("recipes/{recipe}"));
    }
    let example = repository().join("examples/parallel");
    copy(&project, &example.join("recipes"), "wheels");
    copy(&project, &example.join("tests"), "tests");
    site(&project).then_some(project)
}

fn copy(project: &Project, from: &Path, to: &str) {
    for file in files_below(from) {
        let text = fs::read_to_string(from.join(&file)).unwrap();
        project.write(&format!("{to}/{}", file.display()), &unoptimised(&text));
    }
}

/// Where Debian's Lmod defines `module`.
const LMOD: &str = "/usr/share/lmod/lmod/init/bash";

/// Brings the wheel and puts it under a module. HDF5 of the machine needs its MPI by another name, which the wheel's module
/// provides too: the two have one binary interface, and no process may hold both.
fn site(project: &Project) -> bool {
    let site = project.beside("site");
    fs::create_dir_all(site.join("modules/mpich")).unwrap();
    let script = r#"
set -euo pipefail
cd "$0"
python3 -m pip download --quiet --no-deps --only-binary :all: -d wheel mpich==4.3.1 || exit 7
python3 - wheel/*.whl mpich <<'END'
import os, sys, zipfile

wheel, folder = zipfile.ZipFile(sys.argv[1]), sys.argv[2]
for entry in wheel.infolist():
    _, data, path = entry.filename.partition(".data/data/")
    if data and not entry.is_dir():
        path = os.path.join(folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(wheel.read(entry))
        os.chmod(path, entry.external_attr >> 16 & 0o777)
END
ln -s libmpi.so.12 mpich/lib/libmpich.so.12
echo 'setenv("MPI_KIND", "system")' > modules/mpich/system.lua
cat > modules/mpich/wheel.lua <<END
setenv("MPI_KIND", "wheel")
prepend_path("PATH", "$PWD/mpich/bin")
prepend_path("LD_LIBRARY_PATH", "$PWD/mpich/lib")
END
cat > init.sh <<END
export MODULEPATH="$PWD/modules"
. /usr/share/lmod/lmod/init/bash
END
"#;
    let mut command = Command::new("bash");
    let ran = Ran::new(command.arg("-c").arg(script).arg(&site).output().unwrap());
    if ran.status == Some(7) {
        skip("pip that can download the wheel of mpich");
        return false;
    }
    ran.success();
    true
}
