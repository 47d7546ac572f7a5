//! What a host-bound package needs of the host: listed in the package, an input from then on, and held against the machine
//! wherever the package comes to.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    answers::{documented, fields},
    support::{Project, Report, skip},
};

/// A program with a library of its own, linked to the host's.
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
    - cc -o $PREFIX/bin/probe main.c -L$PREFIX/lib -lours @HOST@/libtheirs.so.1 -Wl,-rpath,$PREFIX/lib @RPATH@
";

/// A package that the host has nothing to do with, and one that needs the other.
const PLAIN: &str = "package:\n  name: plain\n  version: 1.0.0\nbuild:\n  script: mkdir -p $PREFIX/share && echo 1 > \
                     $PREFIX/share/plain\n";

struct Site {
    project: Project,
    folder: PathBuf,
}

/// What a library is linked with that needs the other one, beside it.
const BELOW: &[&str] = &["-Wl,--no-as-needed", "-L.", "-l:libbelow.so.1", "-Wl,-rpath,$ORIGIN"];

impl Site {
    /// A project whose host has `libtheirs.so.1`, which needs `libbelow.so.1` beside it.
    fn new(host: &str) -> Self {
        Self::with(host, "-Wl,-rpath,@HOST@")
    }

    fn with(host: &str, run_path: &str) -> Self {
        let project = Project::new();
        let folder = project.beside("host/opt/theirs/lib");
        fs::create_dir_all(&folder).unwrap();
        let site = Self { folder, project };
        site.library("below", 1, "1.0", &[]);
        site.library("theirs", 2, "1.2.3", BELOW);
        let host = host.replace("@ALL@", &format!("{}/*", site.project.beside("host").display()));
        let manifest = format!(
            "[project]\nname = \"site\"\nchannels = []\n[host]\nlabel = \"site\"\n{host}\n[recipes.probe]\npath = \
             \"recipes/probe\"\n[recipes.plain]\npath = \"recipes/plain\"\n[environments.env]\ndependencies = [\"probe\", \
             \"plain\"]\n"
        );
        let place = site.folder.to_str().unwrap();
        let recipe = RECIPE.replace("@RPATH@", run_path).replace("@HOST@", place);
        let Self { project, folder } = site;
        Self { project: project.manifest(&manifest).recipe("probe", &recipe).recipe("plain", PLAIN), folder }
    }

    /// Compiles a library of the host, under its real name, with a link of its soname.
    fn library(&self, name: &str, value: u32, version: &str, more: &[&str]) {
        let source = self.folder.join(format!("{name}.c"));
        fs::write(&source, format!("int {name}(void) {{ return {value}; }}\n")).unwrap();
        let (real, soname) = (format!("lib{name}.so.{version}"), format!("lib{name}.so.1"));
        let mut command = Command::new("cc");
        command.current_dir(&self.folder).args(["-shared", "-fPIC", "-o", &real]).arg(&source);
        assert!(command.arg(format!("-Wl,-soname,{soname}")).args(more).status().unwrap().success());
        let link = self.folder.join(soname);
        drop(fs::remove_file(&link));
        symlink(real, link).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.folder.join(name)).unwrap();
    }

    fn prefix(&self) -> PathBuf {
        self.project.path(".envbuild/envs/env")
    }

    /// The ledger as it is installed.
    fn ledger(&self) -> Value {
        ledger(&self.prefix())
    }

    fn run(&self) -> Option<i32> {
        self.project.run(&["run", "-q", "env", "--", "probe"]).status
    }
}

const ALLOWED: &str = "rpaths = [\"@ALL@\"]\nlibraries = [\"libtheirs.so*\"]";

fn ledger(prefix: &Path) -> Value {
    let text = fs::read_to_string(prefix.join("share/envbuild/host/probe.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn entry<'a>(ledger: &'a Value, name: &str) -> &'a Value {
    let libraries = ledger["libraries"].as_array().unwrap();
    libraries.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{name} is not in {ledger:#}"))
}

fn build_id(file: &Path) -> String {
    let shown = Command::new("readelf").arg("-n").arg(file).output().unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    text.split_once("Build ID: ").unwrap().1.lines().next().unwrap().to_owned()
}

/// What the run built, without what came after it.
fn built(report: &Report) -> Vec<String> {
    report.with("built").into_iter().filter(|it| it.starts_with("build:")).collect()
}

#[test]
fn a_package_lists_what_it_takes_from_the_host() {
    let site = Site::new(ALLOWED);
    site.project.run(&["all"]).success();
    assert_eq!(site.run(), Some(42));
    let ledger = site.ledger();
    assert_eq!((&ledger["package"], &ledger["version"]), (&"probe".into(), &"1.0.0".into()));
    let (theirs, below) = (entry(&ledger, "libtheirs.so.1"), entry(&ledger, "libbelow.so.1"));
    assert_eq!(theirs["path"], site.folder.join("libtheirs.so.1").to_str().unwrap());
    assert_eq!((&theirs["version"], &theirs["module"]), (&"1.2.3".into(), &Value::Null));
    assert_eq!(theirs["build_id"], build_id(&site.folder.join("libtheirs.so.1")));
    assert_eq!((&theirs["direct"], &theirs["c_library"]), (&true.into(), &false.into()));
    assert_eq!((&below["direct"], &below["version"]), (&false.into(), &"1.0".into()));
    let libc = entry(&ledger, "libc.so.6");
    assert_eq!((&libc["c_library"], &libc["build_id"]), (&true.into(), &Value::Null));
    assert!(libc["version"].as_str().unwrap().starts_with("2."), "{libc}");
    let names: Vec<&str> =
        ledger["libraries"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(!names.contains(&"libours.so") && names.is_sorted(), "{names:?}");

    // It is a file of the package like any other, and the package is the same a second time.
    let record = fs::read_dir(site.prefix().join("conda-meta")).unwrap().map(|it| it.unwrap().path());
    let record = record.into_iter().find(|it| it.file_name().unwrap().to_str().unwrap().starts_with("probe-")).unwrap();
    let record: Value = serde_json::from_str(&fs::read_to_string(record).unwrap()).unwrap();
    let files = record["files"].as_array().unwrap();
    assert!(files.contains(&"share/envbuild/host/probe.json".into()), "{files:?}");
    site.project.run(&["build", "--check"]).success();
    site.project.assert_fresh();

    let told = site.project.run(&["check", "env"]).success().stdout;
    assert!(told.contains("same   libtheirs.so.1  1.2.3"), "{told}");
}

#[test]
fn a_library_that_nobody_allows_fails_the_build_and_all_are_named() {
    let site = Site::new("rpaths = [\"@ALL@\"]");
    let recipe = site.project.read("recipes/probe/recipe.yaml");
    site.project.write(
        "recipes/probe/recipe.yaml",
        &recipe.replace("    - mkdir -p $PREFIX/bin", "    - mkdir -p $PREFIX/bin && cc -shared -fPIC -o $PREFIX/x.so -xc /dev/null -Wl,--no-as-needed -lstdc++ -lm\n    - mkdir -p $PREFIX/bin"),
    );
    let ran = site.project.run(&["build"]).failure(1);
    for text in ["libtheirs.so.1, which is the host's", ": bin/probe", "libstdc++.so.6, which is the host's", ": x.so"]
    {
        assert!(ran.stderr.contains(text), "`{text}` is not in {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("libm.so.6") && !ran.stderr.contains("libours.so, "), "{}", ran.stderr);
    // The recipe may allow what the host's manifest does not.
    let allow =
        "  dynamic_linking:\n    missing_dso_allowlist: ['**/libtheirs.so.1', 'libstdc++*', '*/libstdc++*']\n  script:";
    site.project.edit("recipes/probe/recipe.yaml", "  script:", allow);
    site.project.run(&["build"]).success();
}

#[test]
fn another_library_makes_the_package_stale_and_why_names_it() {
    let site = Site::new(ALLOWED);
    let project = &site.project;
    project.run(&["all"]).success();
    let theirs = site.folder.join("libtheirs.so.1");
    let first = build_id(&theirs);
    site.library("theirs", 3, "1.2.4", BELOW);
    let (second, place) = (build_id(&theirs), theirs.display().to_string());
    let why = project.run(&["why", "build:probe"]).success().stdout;
    let expected = format!(
        "build:probe has to run:\n  host/library/libtheirs.so.1\n    old: {place}, build-id {first}\n    new: {place}, \
         build-id {second}"
    );
    assert!(why.contains(&expected), "{why}\n{expected}");
    assert_eq!(project.plan(&[]).node("build:probe")["reason"], "host/library/libtheirs.so.1 changed");
    let report = project.report(&["all"]);
    assert_eq!(built(&report), ["build:probe"]);
    assert_eq!(report.node("build:probe")["reason"], "host/library/libtheirs.so.1 changed");
    assert_eq!(site.run(), Some(43));
    assert_eq!(entry(&site.ledger(), "libtheirs.so.1")["version"], "1.2.4");
    project.assert_fresh();

    // What only the host's libraries need is their own matter, and so is a new copy of the same.
    site.library("below", 7, "1.1", &[]);
    project.assert_fresh();
    fs::copy(theirs.canonicalize().unwrap(), site.folder.join("copy")).unwrap();
    fs::rename(site.folder.join("copy"), theirs.canonicalize().unwrap()).unwrap();
    project.assert_fresh();

    site.remove("libtheirs.so.1");
    let why = project.run(&["why", "build:probe"]).success().stdout;
    assert!(why.contains("host/library/libtheirs.so.1\n") && why.contains("new: (none)"), "{why}");
    assert_eq!(project.plan(&[]).node("build:probe")["reason"], "host/library/libtheirs.so.1 is gone");
}

#[test]
fn what_is_missing_is_told_wherever_an_environment_comes_to() {
    let site = Site::new(ALLOWED);
    let project = &site.project;
    project.run(&["all"]).success();
    let archive = project.path("dist/env-linux-64.tar.zst");
    let (archive, there) = (archive.to_str().unwrap(), project.beside("deployed here"));
    let (place, elsewhere) = (there.to_str().unwrap(), project.beside("tmp"));
    let anywhere = |words: &[&str]| project.run(&[&["-C", elsewhere.to_str().unwrap()], words].concat());
    anywhere(&["check", archive]).success();
    let ran = project.run(&["unpack", archive, "-p", place]).success();
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);

    // A library that a library of the host needs: nothing is to be built again, and nothing would start.
    site.remove("libbelow.so.1");
    let missing = "probe 1.0.0 needs libbelow.so.1: it is not on this machine";
    project.run(&["run", "env", "--", "true"]).success().says(&format!("warning: {missing}"));
    project.run(&["check", "env"]).failure(1).says(missing);
    anywhere(&["check", place]).failure(1).says(missing);
    let told = anywhere(&["check", archive]).failure(1).says(missing);
    assert!(told.stdout.contains("missing  libbelow.so.1"), "{}", told.stdout);
    fs::remove_dir_all(&there).unwrap();
    project.run(&["unpack", archive, "-p", place]).success().says(&format!("warning: {missing}"));
    fs::remove_dir_all(project.path(".envbuild/envs/env")).unwrap();
    project.run(&["check", "env"]).failure(2).says("not installed");
    project.run(&["install"]).success().says(&format!("warning: {missing}"));

    site.library("below", 5, "1.1", &[]);
    site.library("theirs", 3, "1.2.4", BELOW);
    let json = anywhere(&["check", place, "--format", "json"]).failure(1).json();
    assert_eq!(fields(&json), documented("`envbuild check`"));
    let states: Vec<(&str, &str)> = json["libraries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["name"].as_str().unwrap(), it["state"].as_str().unwrap()))
        .filter(|it| it.1 != "same")
        .collect();
    assert_eq!(states, [("libbelow.so.1", "different"), ("libtheirs.so.1", "different")]);
    assert_eq!(entry(&json, "libtheirs.so.1")["here"]["version"], "1.2.4");
    project.run(&["check", "nothing"]).failure(2).says("no environment is called `nothing`");
    anywhere(&["check", "./nothing"]).failure(2).says("there is nothing at");
    project.run(&["check", "project.toml"]).failure(1).says("is not an archive of `envbuild pack`");
}

#[test]
fn the_kind_of_run_path_decides_whether_the_users_folders_come_first() {
    for (kind, value) in [("rpath", 42), ("runpath", 50)] {
        let mut site = Site::new(&format!("rpath-kind = \"{kind}\"\n{ALLOWED}"));
        site.project.run(&["all"]).success();
        let shown = Command::new("readelf").arg("-d").arg(site.prefix().join("bin/probe")).output().unwrap();
        let tag = format!("({})", kind.to_uppercase());
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert_eq!(shown.matches("PATH)").count(), 1, "{shown}");
        assert!(shown.contains(&tag), "{shown}");
        // The record of the prefix has the digest of what is in it.
        let digest = Command::new("sha256sum").arg(site.prefix().join("bin/probe")).output().unwrap();
        let digest = String::from_utf8(digest.stdout).unwrap()[..64].to_owned();
        let record = fs::read_dir(site.prefix().join("conda-meta")).unwrap().map(|it| it.unwrap().path());
        let record = record.into_iter().find(|it| it.to_str().unwrap().contains("/probe-")).unwrap();
        assert!(fs::read_to_string(record).unwrap().contains(&digest));

        let other = Site::new(ALLOWED);
        other.library("theirs", 10, "1.9", &[]);
        site.project.set("LD_LIBRARY_PATH", &other.folder);
        assert_eq!(site.run(), Some(value), "{kind}");
        let ran = site.project.run(&["run", "env", "--", "true"]).success();
        let told = ran.stderr.contains("libtheirs.so.1: ") && ran.stderr.contains("is another one (1.9, build-id ");
        assert_eq!(told, kind == "runpath", "{}", ran.stderr);
    }
}

#[test]
fn a_library_that_only_the_users_folders_lead_to_is_missed_without_them() {
    let mut site = Site::with(ALLOWED, "");
    // Without a run path to it, and without a module, the loader does not find it: nothing is known of it.
    site.project.run(&["build"]).success();
    let log = site.project.only(".envbuild/logs", "build+probe");
    assert!(fs::read_to_string(log).unwrap().contains("needs libtheirs.so.1, and the loader does not find it"));

    let site_file = site.project.beside("site.sh");
    fs::write(&site_file, format!("export LD_LIBRARY_PATH={}\n", site.folder.display())).unwrap();
    site.project.edit(
        "project.toml",
        "label = \"site\"",
        &format!("label = \"site\"\ninit = [\"{}\"]", site_file.display()),
    );
    site.project.run(&["all"]).success().says("the loader does not look for it in");
    assert_eq!(entry(&site.ledger(), "libtheirs.so.1")["found"], "library-path");
    site.project.set("LD_LIBRARY_PATH", &site.folder);
    let ran = site.project.run(&["run", "env", "--", "probe"]).failure(42);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    site.project.run(&["check", "env"]).success();
}

#[test]
fn a_run_path_that_is_not_allowed_is_told() {
    let site = Site::new("rpaths = [\"/nowhere/*\"]\nlibraries = [\"libtheirs.so*\"]");
    site.project.run(&["build"]).success();
    let log = fs::read_to_string(site.project.only(".envbuild/logs", "build+probe")).unwrap();
    let warning = format!("the run path `{}` was removed from `bin/probe`", site.folder.display());
    assert!(log.contains(&warning), "{log}");
}

/// Where this machine has a module system, with the file that defines `module`.
fn module_system() -> Option<&'static str> {
    let file = "/etc/profile.d/lmod.sh";
    if Path::new(file).is_file() {
        return Some(file);
    }
    skip("Lmod (/etc/profile.d/lmod.sh)");
    None
}

#[test]
fn the_module_that_provided_a_library_is_named_when_it_is_missed() {
    let Some(init) = module_system() else { return };
    let mut site = Site::with(ALLOWED, "");
    let modules = site.project.beside("modules");
    fs::create_dir_all(modules.join("theirs")).unwrap();
    let file = format!("#%Module\nprepend-path LD_LIBRARY_PATH {}\n", site.folder.display());
    fs::write(modules.join("theirs/1.2"), file).unwrap();
    let init_too = site.project.beside("site.sh");
    fs::write(&init_too, format!("module use {}\n", modules.display())).unwrap();
    let lines =
        format!("label = \"site\"\ninit = [\"{init}\", \"{}\"]\nmodules = [\"theirs/1.2\"]", init_too.display());
    site.project.edit("project.toml", "label = \"site\"", &lines);
    site.project.run(&["all"]).success();
    let ledger = site.ledger();
    let module = |name: &str| entry(&ledger, name)["module"].clone();
    assert_eq!((module("libtheirs.so.1"), module("libc.so.6")), ("theirs/1.2".into(), Value::Null));
    let folder = site.folder.display();
    let sentence = format!(
        "probe 1.0.0 needs libtheirs.so.1 (theirs/1.2): the loader does not look for it in {folder}; load the module theirs/1.2"
    );
    site.project.run(&["check", "env"]).failure(1).says(&sentence);
    site.project.run(&["run", "env", "--", "true"]).success().says(&sentence);
    // With the module's folder it is found.
    site.project.set("LD_LIBRARY_PATH", &site.folder);
    site.project.run(&["check", "env"]).success();
    let archive = site.project.path("dist/env-linux-64.tar.zst");
    site.remove("libtheirs.so.1");
    let gone = "probe 1.0.0 needs libtheirs.so.1 (theirs/1.2): it is not on this machine; load the module theirs/1.2";
    site.project.run(&["check", archive.to_str().unwrap()]).failure(1).says(gone);
}

/// A package that is linked to a library of another one.
const LINKED: &str = "\
package:
  name: linked
  version: 1.0.0
build:
  script:
    - printf 'int ours(void); int main(void) { return ours(); }' > main.c
    - mkdir -p $PREFIX/bin && cc -o $PREFIX/bin/linked main.c -L$PREFIX/lib -lours -Wl,-rpath,$PREFIX/lib
requirements:
  host:
    - probe
";

#[test]
fn what_another_package_brings_has_to_be_required() {
    let site = Site::new(ALLOWED);
    site.project.edit(
        "project.toml",
        "[recipes.plain]",
        "[recipes.linked]\npath = \"recipes/linked\"\n[recipes.plain]",
    );
    site.project.write("recipes/linked/recipe.yaml", LINKED);
    let refused = "libours.so of the package probe, which it does not require: bin/linked";
    site.project.run(&["build"]).failure(1).says(refused);
    let between = "package:\n  name: between\n  version: 1.0.0\nbuild:\n  noarch: generic\n  script: 'true'\nrequirements:\n  run:\n    - probe\n";
    site.project.edit(
        "project.toml",
        "[recipes.plain]",
        "[recipes.between]\npath = \"recipes/between\"\n[recipes.plain]",
    );
    site.project.write("recipes/between/recipe.yaml", between);
    site.project.write("recipes/linked/recipe.yaml", &format!("{LINKED}    - between\n  run:\n    - between\n"));
    site.project.edit("project.toml", "\"plain\"]\n", "\"linked\"]\n");
    site.project.run(&["all"]).success();
    assert_eq!(site.project.run(&["run", "-q", "env", "--", "linked"]).status, Some(40));

    // The host's library is another one: what is linked to it is built again, and what is built with that, and no others.
    site.library("theirs", 3, "1.2.4", BELOW);
    let report = site.project.report(&["all"]);
    assert_eq!(built(&report), ["build:probe", "build:linked"]);
    assert_eq!(report.node("build:probe")["reason"], "host/library/libtheirs.so.1 changed");
}

#[test]
fn the_place_of_the_ledgers_is_not_for_packages() {
    let site = Site::new(ALLOWED);
    let script = "mkdir -p $PREFIX/share/envbuild/host && echo 1 > $PREFIX/share/envbuild/host/plain.json";
    site.project
        .write("recipes/plain/recipe.yaml", &format!("{}\n", PLAIN.split("mkdir").next().unwrap().to_owned() + script));
    let ran = site.project.run(&["build", "plain"]).failure(1);
    ran.says("`plain` packages `share/envbuild/host/plain.json`, which envbuild writes itself");
}

/// A library and a program that needs it, installed by one script and packaged apart.
const STAGED: &str = "\
recipe: {name: staged, version: 1.0.0}
outputs:
  - staging: {name: all}
    build:
      script:
        - mkdir -p $PREFIX/bin $PREFIX/lib
        - printf 'int ours(void) { return 40; }' > ours.c
        - cc -shared -fPIC -Wl,-soname,libstaged.so -o $PREFIX/lib/libstaged.so ours.c
        - printf 'int ours(void); int main(void) { return ours(); }' > main.c
        - cc -o $PREFIX/bin/staged main.c -L$PREFIX/lib -lstaged -Wl,-rpath,$PREFIX/lib
  - package: {name: libstaged}
    inherit: all
    build: {files: [lib/**]}
  - package: {name: staged}
    inherit: all
    build: {files: [bin/**]}
    requirements:
      run: [\"${{ pin_subpackage('libstaged', exact=true) }}\"]
";

#[test]
fn what_one_script_installs_may_be_packaged_apart() {
    let site = Site::new(ALLOWED);
    site.project.edit(
        "project.toml",
        "[recipes.plain]",
        "[recipes.staged]\npath = \"recipes/staged\"\n[recipes.plain]",
    );
    site.project.edit("project.toml", "\"plain\"]\n", "\"staged\"]\n");
    site.project.write("recipes/staged/recipe.yaml", STAGED);
    site.project.run(&["install"]).success();
    assert_eq!(site.project.run(&["run", "-q", "env", "--", "staged"]).status, Some(40));
    // Without the requirement nobody brings it.
    let alone = STAGED.split("    requirements:").next().unwrap();
    site.project.write("recipes/staged/recipe.yaml", alone);
    site.project.run(&["build", "staged"]).failure(1).says("libstaged.so, which is in no package: bin/staged");
}
