//! The table over a project on a machine with modules, which lies in a folder of the project: a library of the host that
//! one package is linked to, packages with modules of their own and with none, and a fact.

use std::{fs, path::Path, process::Command};

use super::row::{Row, Then};
use crate::support::{Project, skip};

/// Where Debian and its children put Lmod.
const LMOD: &str = "/usr/share/lmod/lmod/init/bash";

const MANIFEST: &str = "\
[project]
name = \"bound\"
channels = []

[host]
init = [\"site/init.sh\"]
modules = [\"mpi/1\"]
libraries = [\"libtheirs.so*\"]

[host.facts.release]
command = \"cat '@/release'\"
virtual-package = \"__site\"
files = [\"site/settings\"]

[host.externals.site-mpi]
version = { fact = \"release\" }

[recipes.linked]
path = \"recipes/linked\"

[recipes.plain]
path = \"recipes/plain\"

[recipes.own]
path = \"recipes/own\"
modules = { load = [\"extra/1\"] }

[recipes.free]
path = \"recipes/free\"
host-bound = false

[recipes.data]
path = \"recipes/data\"

[environments.env]
dependencies = [\"linked\", \"plain\", \"own\", \"free\", \"data\", \"site-mpi\"]
pack = []
";

/// What is linked to the host's library, which its module tells of.
const LINKED: &str = "\
package:
  name: linked
  version: 1.0.0
build:
  script:
    - mkdir -p \"$PREFIX/bin\"
    - printf 'int theirs(void); int main(void) { return theirs(); }' > main.c
    - cc -o \"$PREFIX/bin/linked\" main.c -L\"$MPI_DIR/lib\" -ltheirs
";

const OTHER: &str = "\
package:
  name: @NAME@
  version: 1.0.0
build:
@NOARCH@  script: mkdir -p \"$PREFIX/share\" && echo @NAME@ > \"$PREFIX/share/@NAME@\"
";

/// The project, not built yet; nothing on a machine without Lmod.
pub(super) fn project() -> Option<Project> {
    if !Path::new(LMOD).is_file() {
        skip("Lmod (/usr/share/lmod)");
        return None;
    }
    let project = Project::new();
    let site = project.path("site");
    let place = |text: &str| text.replace('@', site.to_str().unwrap());
    let mut project = project
        .manifest(&place(MANIFEST))
        .file("site/init.sh", &place(&format!("export MODULEPATH='@/modules'\n. {LMOD}\n")))
        .file("site/release", "8.1\n")
        .file("site/settings", "one\n")
        .recipe("linked", LINKED);
    for name in ["plain", "own", "free", "data"] {
        let noarch = if name == "data" { "  noarch: generic\n" } else { "" };
        project = project.recipe(name, &OTHER.replace("@NAME@", name).replace("@NOARCH@", noarch));
    }
    for (name, text) in [("mpi/1", MPI), ("mpi/2", MPI), ("extra/1", "setenv EXTRA 1"), ("extra/2", "setenv EXTRA 2")] {
        module(&project, name, text);
    }
    library(&project, "11");
    Some(project)
}

/// A module that says where the library is, whatever its own name.
const MPI: &str = "setenv MPI_DIR @/mpi\nprepend-path LD_LIBRARY_PATH @/mpi/lib";

fn module(project: &Project, name: &str, text: &str) {
    let text = text.replace('@', project.path("site").to_str().unwrap());
    project.write(&format!("site/modules/{name}"), &format!("#%Module1.0\n{text}\n"));
}

/// The host's library with a build-id: another file each time, as an update of a system leaves it.
fn library(project: &Project, build_id: &str) {
    let folder = project.path("site/mpi/lib");
    fs::create_dir_all(&folder).unwrap();
    project.write("site/theirs.c", "int theirs(void) { return 2; }\n");
    let library = folder.join("libtheirs.so");
    drop(fs::remove_file(&library));
    let build_id = format!("-Wl,--build-id=0x{build_id}");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-Wl,-soname,libtheirs.so", &build_id, "-o"]).arg(&library);
    assert!(cc.arg(project.path("site/theirs.c")).status().unwrap().success());
}

/// The rows for it.
pub(super) fn rows() -> Vec<Row> {
    let mut all = of_modules();
    all.extend(of_the_machine());
    all
}

fn of_modules() -> Vec<Row> {
    vec![
        Row::new(
            "the first run",
            |_| {},
            Then::Runs(
                "dirty  build:data  (never done)
                 dirty  build:free  (never done)
                 dirty  build:linked  (never done)
                 dirty  build:own  (never done)
                 dirty  build:plain  (never done)
                 dirty  build:site-mpi  (never done)
                 dirty  lock:env  (never done)
                 dirty  install:env  (never done)",
            ),
        ),
        Row::nothing("a comment in a module file", |it| module(it, "mpi/1", &format!("# A comment.\n{MPI}"))),
        Row::nothing("another version of the module, which nobody loads", |it| module(it, "mpi/3", MPI)),
        Row::new(
            "another version of the module, which does the same",
            |it| it.edit("project.toml", "\"mpi/1\"", "\"mpi/2\""),
            Then::Runs(
                "dirty  build:linked  (host/modules changed)
                 dirty  build:own  (host/modules changed)
                 dirty  build:plain  (host/modules changed)
                 maybe  lock:env  (waits for build:linked and 2 more)
                 maybe  install:env  (waits for lock:env)
                 why  build:linked  host/modules  mpi/1 => mpi/2
                 why  build:own  host/modules  mpi/1 extra/1 => mpi/2 extra/1",
            ),
        ),
        Row::new(
            "the module is renamed",
            |it| {
                fs::rename(it.path("site/modules/mpi"), it.path("site/modules/site-mpi")).unwrap();
                it.edit("project.toml", "\"mpi/2\"", "\"site-mpi/2\"");
            },
            Then::Runs(
                "dirty  build:linked  (host/modules changed)
                 dirty  build:own  (host/modules changed)
                 dirty  build:plain  (host/modules changed)
                 maybe  lock:env  (waits for build:linked and 2 more)
                 maybe  install:env  (waits for lock:env)
                 why  build:linked  host/modules  mpi/2 => site-mpi/2",
            ),
        ),
        Row::new(
            "the first name and version again: every package is still there",
            |it| {
                fs::rename(it.path("site/modules/site-mpi"), it.path("site/modules/mpi")).unwrap();
                it.edit("project.toml", "\"site-mpi/2\"", "\"mpi/1\"");
            },
            Then::RunsAndKeepsPackages(
                "dirty  lock:env  (needs/build:linked changed)
                 maybe  install:env  (waits for lock:env)",
            ),
        ),
        Row::new(
            "the module sets one more variable",
            |it| module(it, "mpi/1", &format!("{MPI}\nsetenv MPI_NAME site")),
            Then::RunsAndKeepsPackages(
                "dirty  build:linked  (host/environment/MPI_NAME is new)
                 dirty  build:own  (host/environment/MPI_NAME is new)
                 dirty  build:plain  (host/environment/MPI_NAME is new)",
            ),
        ),
        Row::new(
            "the modules of one recipe",
            |it| it.edit("project.toml", "\"extra/1\"", "\"extra/2\""),
            Then::RunsAndKeepsPackages(
                "dirty  build:own  (host/environment/EXTRA changed, and 1 more)
                 why  build:own  host/environment/EXTRA  1 => 2
                 why  build:own  host/modules  mpi/1 extra/1 => mpi/1 extra/2",
            ),
        ),
        Row::new(
            "one recipe unloads a module",
            |it| it.edit("project.toml", "load = [\"extra/2\"]", "load = [\"extra/2\"], unload = [\"mpi\"]"),
            Then::RunsAndKeepsPackages(
                "dirty  build:own  (host/modules changed, and 3 more)
                 why  build:own  host/modules  mpi/1 extra/2 => extra/2",
            ),
        ),
    ]
}

fn of_the_machine() -> Vec<Row> {
    vec![
        Row::new(
            "a library with another build-id",
            |it| library(it, "22"),
            Then::Runs(
                "dirty  build:linked  (host/library/libtheirs.so changed)
                 maybe  lock:env  (waits for build:linked)
                 maybe  install:env  (waits for lock:env)
                 why  build:linked  host/library/libtheirs.so  [..], build-id 11 => [..], build-id 22",
            ),
        ),
        Row::nothing("a library that nobody is linked to", |it| {
            fs::copy(it.path("site/mpi/lib/libtheirs.so"), it.path("site/mpi/lib/libother.so")).unwrap();
        }),
        Row::new(
            "the version that a fact tells: of the external package, too",
            |it| it.write("site/release", "8.2\n"),
            Then::Runs(
                "dirty  build:linked  (host/fact/release changed)
                 dirty  build:own  (host/fact/release changed)
                 dirty  build:plain  (host/fact/release changed)
                 dirty  build:site-mpi  (host/version changed)
                 dirty  lock:env  (virtual-packages changed)
                 maybe  install:env  (waits for lock:env)
                 why  build:plain  host/fact/release  8.1 => 8.2",
            ),
        ),
        Row::new(
            "a file of a fact",
            |it| it.write("site/settings", "two\n"),
            Then::RunsAndKeepsPackages(
                "dirty  build:linked  (host/fact/release/site/settings changed)
                 dirty  build:own  (host/fact/release/site/settings changed)
                 dirty  build:plain  (host/fact/release/site/settings changed)",
            ),
        ),
        Row::nothing("another shell of the user", |it| {
            for (name, value) in [("LD_LIBRARY_PATH", "/opt/user"), ("LOADEDMODULES", "mpi/3"), ("CC", "tcc")] {
                it.set(name, value);
            }
        }),
        Row::new(
            "the library is deleted: what needs it cannot be linked",
            |it| fs::remove_file(it.path("site/mpi/lib/libtheirs.so")).unwrap(),
            Then::Refused("dirty  build:linked  (host/library/libtheirs.so is gone)", |_| vec!["-ltheirs".to_owned()]),
        ),
        Row::nothing("and put back", |it| library(it, "22")),
    ]
}
