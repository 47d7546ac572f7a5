//! What `[host]` does to a build without a line in its recipe.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Project, variable};

/// A program of the package that is linked to a library of the host, in a folder that no loader searches.
const RECIPE: &str = "\
package:
  name: probe
  version: 1.0.0
build:
  script:
    - mkdir -p $PREFIX/bin $PREFIX/lib
    - printf 'int ours(void) { return 40; }' > ours.c
    - cc -shared -fPIC -Wl,-soname,libours.so -o $PREFIX/lib/libours.so ours.c
    - printf 'int ours(void); int theirs(void); int main(void) { return ours() + theirs(); }' > main.c
    - cc -o $PREFIX/bin/probe main.c -L$PREFIX/lib -lours -L@HOST@ -ltheirs @RPATHS@
";

fn manifest(host: &str) -> String {
    format!(
        "[project]\nname = \"host\"\nchannels = []\n{host}\n[recipes.probe]\npath = \"recipes/probe\"\n[environments.env]\n\
         dependencies = [\"probe * mpich_*\"]\n"
    )
}

fn host(rpaths: &str) -> String {
    format!("[host]\nlabel = \"mpich\"\nrpaths = [{rpaths}]\nlibraries = [\"libtheirs.so*\"]\n")
}

/// A project whose host has a library beside it, on a PATH without patchelf.
fn project() -> (Project, PathBuf) {
    let project = Project::new();
    let folder = project.beside("host/lib");
    fs::create_dir_all(&folder).unwrap();
    let source = folder.join("theirs.c");
    fs::write(&source, "int theirs(void) { return 2; }").unwrap();
    let library = folder.join("libtheirs.so");
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-Wl,-soname,libtheirs.so", "-o"])
        .args([&library, &source])
        .status();
    assert!(made.unwrap().success());
    let path = path_without_patchelf(&project.beside("bin"));
    (project.env("PATH", path), folder)
}

/// A folder of links to every program of the PATH but one.
fn path_without_patchelf(farm: &Path) -> PathBuf {
    fs::create_dir(farm).unwrap();
    for folder in std::env::split_paths(&variable("PATH").unwrap_or_default()) {
        for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
            let link = farm.join(entry.file_name());
            if entry.file_name() != "patchelf" && fs::symlink_metadata(&link).is_err() {
                std::os::unix::fs::symlink(entry.path(), link).unwrap();
            }
        }
    }
    farm.to_owned()
}

fn recipe(folder: &Path, rpaths: &str) -> String {
    let folder = folder.to_str().unwrap();
    RECIPE.replace("@RPATHS@", &rpaths.replace("@HOST@", folder)).replace("@HOST@", folder)
}

/// The run path of the program in an environment.
fn run_path(project: &Project) -> Vec<String> {
    let program = project.path(".envbuild/envs/env/bin/probe");
    let shown = Command::new("readelf").arg("-d").arg(program).output().unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    let line = text.lines().find(|it| it.contains("PATH)")).unwrap_or_default();
    let list = line.split(['[', ']']).nth(1).unwrap_or_default();
    list.split(':').filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

fn exit_status(project: &Project) -> Option<i32> {
    project.run(&["run", "-q", "env", "--", "probe"]).status
}

#[test]
fn an_allowed_run_path_of_the_host_is_kept_and_the_program_runs() {
    let (project, folder) = project();
    let allowed = format!("\"{}/**\"", folder.parent().unwrap().display());
    let both = "-Wl,-rpath,$PREFIX/lib -Wl,-rpath,@HOST@";
    let project = project.manifest(&manifest(&host(&allowed))).recipe("probe", &recipe(&folder, both));
    project.run(&["all"]).success();
    assert_eq!(run_path(&project), ["$ORIGIN/../lib", folder.to_str().unwrap()]);
    assert_eq!(exit_status(&project), Some(42));
    project.assert_fresh();

    // The host leads the build string and the content ends it.
    let name = project.only("output/linux-64", "probe-1.0.0-mpich_");
    let name = name.file_stem().unwrap().to_str().unwrap();
    let build = name.strip_prefix("probe-1.0.0-").unwrap();
    let digits = build.rsplit('_').next().unwrap();
    assert!(build.len() <= 64 && digits.len() == 10 && digits.bytes().all(|it| it.is_ascii_hexdigit()), "{build}");

    // The host is an input: without the allowance the package is another one.
    project.write("project.toml", &manifest(&host("")));
    let report = project.report(&["all"]);
    assert_eq!(report.node("build:probe")["reason"], "host/rpaths changed");
    assert_eq!(run_path(&project), ["$ORIGIN/../lib"]);
    assert_eq!(exit_status(&project), Some(127), "the loader finds no libtheirs.so");
    let text = project.run(&["why", "build:probe"]).success().stdout;
    assert!(text.contains("fresh"), "{text}");
}

#[test]
fn a_run_path_can_grow_without_patchelf() {
    let (project, folder) = project();
    let allowed = format!("\"{}\"", folder.display());
    // The program is linked with the host's run path alone, and the package's own has to be added.
    let project = project.manifest(&manifest(&host(&allowed))).recipe("probe", &recipe(&folder, "-Wl,-rpath,@HOST@"));
    assert!(!project.beside("bin/patchelf").exists());
    project.run(&["all"]).success();
    assert_eq!(run_path(&project), ["$ORIGIN/../lib", folder.to_str().unwrap()]);
    assert_eq!(exit_status(&project), Some(42));
}

#[test]
fn a_package_for_any_machine_is_not_bound_to_one() {
    let data =
        "package:\n  name: data\n  version: 1.0.0\nbuild:\n  noarch: generic\n  script: echo data > $PREFIX/data\n";
    let tool = "package:\n  name: tool\n  version: 1.0.0\nbuild:\n  script: echo tool > $PREFIX/tool\n";
    let text = "[project]\nname = \"bound\"\nchannels = []\n[host]\nlabel = \"site\"\n[recipes.data]\npath = \
                \"recipes/data\"\n[recipes.tool]\npath = \"recipes/tool\"\nhost-bound = false\n[recipes.other]\npath = \
                \"recipes/other\"\n";
    let project = Project::new()
        .manifest(text)
        .recipe("data", data)
        .recipe("tool", tool)
        .recipe("other", &tool.replace("tool", "other"));
    project.run(&["build"]).success();
    project.only("output/linux-64", "other-1.0.0-site_");
    for (folder, name) in [("output/noarch", "data-"), ("output/linux-64", "tool-")] {
        let file = project.only(folder, name);
        assert!(!file.to_str().unwrap().contains("site_"), "{file:?}");
    }
    project.edit("project.toml", "\"site\"", "\"other_site\"");
    assert_eq!(project.report(&["build"]).with("built"), ["build:other"]);
}
