//! `envbuild host`: what it shows, and what it says a change of the host makes stale.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use crate::{
    answers::{documented, fields},
    support::Project,
};

const MANIFEST: &str = r#"
[project]
name = "site"
channels = []

[host]
label = "site"
init = ["../site/init.sh"]
modules = ["site/1"]
rpaths = ["**/site/**"]
libraries = ["libmpi.so.12"]

[host.facts.fabric]
command = "fabric-info"
pattern = 'fabric (\S+)'
virtual-package = "__fabric"
files = ["$SITE/lib/libmpi.so.12.1"]

[host.externals.mpich]
version = { fact = "fabric" }

[recipes.linked]
path = "recipes/linked"

[recipes.needs-linked]
path = "recipes/needs-linked"

[recipes.alone]
path = "recipes/alone"

[environments.e]
dependencies = ["needs-linked", "alone"]
"#;

const LINKED: &str = "\
package:
  name: linked
  version: 1.0.0
build:
  script:
    - mkdir -p $PREFIX/bin
    - printf 'int mpi(void); int main(void) { return mpi() == 0; }' > main.c
    - mpicc -o $PREFIX/bin/linked main.c -L$SITE/lib -Wl,-rpath,$SITE/lib -lmpi
requirements:
  run:
    - mpich * external_*
    - __fabric >=1
tests:
  - script:
      - linked
";

const NEEDS_LINKED: &str = "\
package:
  name: needs-linked
  version: 1.0.0
build:
  noarch: generic
  script: mkdir -p $PREFIX/share && cp $PREFIX/bin/linked $PREFIX/share/copy-of-linked
requirements:
  host:
    - linked
";

const ALONE: &str = "\
package:
  name: alone
  version: 1.0.0
build:
  noarch: generic
  script: mkdir -p $PREFIX/share && echo alone > $PREFIX/share/alone
";

/// A project beside a site with a program that tells a version, a library, and a wrapper that links to it.
struct Site {
    project: Project,
    folder: PathBuf,
}

impl Site {
    fn new() -> Self {
        let project = Project::new().manifest(MANIFEST).recipe("linked", LINKED).recipe("alone", ALONE);
        let project = project.recipe("needs-linked", NEEDS_LINKED);
        let folder = project.beside("site");
        let site = Self { project, folder };
        let here = site.folder.display();
        let module = "module() { [ \"$1\" = load ] && export LOADEDMODULES=$2 PATH=\"$SITE/bin:$PATH\"; }";
        site.write("init.sh", &format!("export SITE='{here}'\n{module}\n"));
        let wrapper = "#!/bin/sh\n[ \"$1\" != -show ] || exec echo cc \"-L$SITE/lib\" -lmpi\nexec cc \"$@\"\n";
        site.program("bin/mpicc", wrapper);
        site.says("1.5.0");
        site.compile(1);
        std::os::unix::fs::symlink("libmpi.so.12.1", site.folder.join("lib/libmpi.so")).unwrap();
        std::os::unix::fs::symlink("libmpi.so.12.1", site.folder.join("lib/libmpi.so.12")).unwrap();
        site
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn program(&self, path: &str, text: &str) {
        self.write(path, text);
        fs::set_permissions(self.folder.join(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn says(&self, version: &str) {
        self.program("bin/fabric-info", &format!("#!/bin/sh\necho fabric {version}\n"));
    }

    /// The library, which returns a number.
    fn compile(&self, number: u32) {
        self.write("lib/mpi.c", &format!("int mpi(void) {{ return {number}; }}\n"));
        let mut command = Command::new("cc");
        let flags = ["-shared", "-fPIC", "-Wl,--build-id", "-Wl,-soname,libmpi.so.12", "-o", "libmpi.so.12.1", "mpi.c"];
        assert!(command.args(flags).current_dir(self.folder.join("lib")).status().unwrap().success());
    }

    fn host(&self, more: &[&str]) -> String {
        self.project.run(&[&["host"], more].concat()).success().stdout
    }
}

#[test]
fn every_field_is_in_the_book_and_every_field_of_the_book_is_there() {
    let site = Site::new();
    site.project.run(&["build"]).success();
    site.says("1.6.0");
    let json = site.project.run(&["host", "--format", "json"]).success().json();
    // These are named by what is found.
    let named = ["sets[].environment.", "sets[].facts[].files.", "externals."];
    let of_files = ["sets[].compilers[].file.", "sets[].mpi[].file."];
    let is_field = |it: &String| !named.iter().chain(&of_files).any(|start| it.starts_with(start));
    let found: BTreeSet<String> = fields(&json).into_iter().filter(is_field).collect();
    assert_eq!(found, documented("`envbuild host`"));
    assert_eq!(json["externals"]["mpich"], "1.6.0");
    assert_eq!(json["stale"].as_array().unwrap().len(), 2, "{json:#}");
}

#[test]
fn what_was_found_is_shown_with_its_place() {
    let site = Site::new();
    let shown = site.host(&[]);
    let here = site.folder.display().to_string();
    for line in [
        "modules site/1".to_owned(),
        "  for linked".to_owned(),
        format!("{here}/bin/mpicc"),
        "libmpi.so.12  12.1".to_owned(),
        format!("{here}/lib/libmpi.so.12.1"),
        "external mpich 1.5.0".to_owned(),
        "nothing of the host has changed since the packages were built".to_owned(),
        "1 not built yet: linked".to_owned(),
    ] {
        assert!(shown.contains(&line), "{line} is not in\n{shown}");
    }
    // Nothing is written by a look.
    assert!(!site.project.path(".envbuild/cache/host.json").exists());
}

#[test]
fn a_change_names_what_it_makes_stale_since_it_was_built_and_since_another_day() {
    let site = Site::new();
    site.project.run(&["all"]).success();
    let first = site.host(&["--save", "../before.json"]);
    assert!(first.contains("nothing of the host has changed since the packages were built"), "{first}");

    site.says("1.6.0");
    site.compile(2);
    let expected = [
        "fact fabric 1.5.0 → 1.6.0: 1 of 4 package cells",
        "library libmpi.so.12 changed: 1 of 4 package cells",
        "external mpich 1.5.0 → 1.6.0: 1 of 4 package cells",
    ];
    let since_built = site.host(&[]);
    let since_saved = site.host(&["--against", "../before.json"]);
    for line in expected {
        assert!(since_built.contains(line), "{line} is not in\n{since_built}");
        assert!(since_saved.contains(line), "{line} is not in\n{since_saved}");
    }
    let sums = "2 of 4 package cells are stale since the saved probe, and 1 need them";
    assert!(since_saved.contains(sums), "{since_saved}");

    // What was said is what happens.
    let report = site.project.report(&["all"]);
    let built: Vec<String> = report.sorted("built").into_iter().filter(|it| it.starts_with("build:")).collect();
    assert_eq!(built, ["build:linked", "build:mpich", "build:needs-linked"]);
    // The saved probe is still of the other day, and the packages are of this one.
    assert!(site.host(&[]).contains("nothing of the host has changed"));
    assert!(site.host(&["--against", "../before.json"]).contains(expected[0]));
}

#[test]
fn what_is_no_probe_and_what_is_no_such_host_are_errors() {
    let site = Site::new();
    fs::write(site.project.beside("other.json"), "{\"form\": \"something else\"}").unwrap();
    let ran = site.project.run(&["host", "--against", "../other.json"]).failure(1);
    assert!(ran.stderr.contains("is no saved probe of a host"), "{}", ran.stderr);
    site.project.run(&["host", "--against", "../missing.json"]).failure(1).says("missing.json");
    fs::remove_file(site.folder.join("bin/fabric-info")).unwrap();
    let ran = site.project.run(&["host", "--save", "../never.json"]).failure(1);
    assert!(ran.stderr.contains("fabric-info") && ran.stderr.contains("project.toml:"), "{}", ran.stderr);
    assert!(!site.project.beside("never.json").exists());
}
