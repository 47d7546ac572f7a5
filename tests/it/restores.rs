//! Backups that come back on a system that is another one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::support::{Project, Ran};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A backup of an environment of the quickstart, in a folder beside the project.
fn saved(project: &Project) -> PathBuf {
    project.run(&["install", "minimal-libgreet1.0.0"]).success();
    let folder = project.beside("saved");
    let prefix = project.path(".envbuild/envs/minimal-libgreet1.0.0");
    project.run(&["backup", "-p", text(&prefix), "-o", text(&folder)]).success();
    folder
}

/// Changes a JSON file of a backup and seals it again, as if it had been made so.
fn edit(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.join(file);
    let mut value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    fs::write(&path, value.to_string()).unwrap();
    seal(folder);
}

fn seal(folder: &Path) {
    let script = "set -e; names=$(sed 's/^[0-9a-f]*  //' SHA256SUMS); sha256sum $names > new; mv new SHA256SUMS";
    Ran::new(Command::new("sh").args(["-c", script]).current_dir(folder).output().unwrap()).success();
}

/// A sentence may be broken where a line ends.
fn said(ran: &Ran) -> String {
    ran.stderr.split_whitespace().filter(|it| *it != "│").collect::<Vec<_>>().join(" ")
}

#[test]
fn every_difference_of_two_systems_is_told() {
    let project = Project::example("quickstart");
    let folder = saved(&project);
    let back = project.beside("back");
    // Where nothing differs, nothing is told.
    let same = project.run(&["restore", text(&folder), "-p", text(&back)]).success();
    assert!(!same.stderr.contains("warning") && !same.stderr.contains(" was "), "{}", same.stderr);
    fs::remove_dir_all(&back).unwrap();

    let mut here = Value::Null;
    edit(&folder, "system.json", |system| {
        here = system.clone();
        system["architecture"] = json!("vax");
        system["os"] = json!("Some Linux 7");
        system["kernel"] = json!("Linux 2.4.1");
        system["glibc"] = json!("2.3.4");
        system["virtual_packages"].as_array_mut().unwrap().push(json!("__cuda=12.3=0"));
        system["compilers"] = json!({"cc": "cc (Some Linux) 3.2", "ftn": "Fortran 77"});
        system["channels"].as_array_mut().unwrap().push(json!("file:///there/is/no/channel"));
    });
    let ran = project.run(&["restore", text(&folder), "-p", text(&back)]).success().says("by the archive");
    let is = |name: &str| here[name].as_str().unwrap().to_owned();
    let said = said(&ran);
    for told in [
        format!("the architecture was vax, and is {} here", is("architecture")),
        format!("the operating system was Some Linux 7, and is {} here", is("os")),
        format!("the kernel was Linux 2.4.1, and is {} here", is("kernel")),
        format!("the GNU C library was 2.3.4, and is {} here", is("glibc")),
        "`__cuda` was 12.3=0, and there is none here".to_owned(),
        "the compiler `cc` was cc (Some Linux) 3.2, and is ".to_owned(),
        "the compiler `ftn` was Fortran 77, and there is none here".to_owned(),
        "the channel `file:///there/is/no/channel` cannot be reached".to_owned(),
    ] {
        assert!(said.contains(&told), "{told} is not in {said}");
    }
}

#[test]
fn the_best_way_that_is_left_is_taken_and_the_reasons_against_the_others_are_told() {
    let project = Project::example("quickstart");
    let folder = saved(&project);
    // An archive of programs that need a newer C library than there is.
    let whole = project.beside("whole");
    project.run(&["unpack", text(&folder.join("environment.tar.zst")), "-p", text(&whole)]).success();
    let greets = whole.join("bin/hello");
    let source = "int main(void) { return 0; }\n__asm__(\".symver newer,newer@GLIBC_9.9\");\nvoid newer(void);\n\
                  void (*use)(void) = newer;\n";
    let (map, library) = (project.beside("map"), project.beside("libc.so.6"));
    fs::write(&map, "GLIBC_9.9 { newer; };\n").unwrap();
    fs::write(project.beside("lib.c"), "void newer(void) {}\n").unwrap();
    fs::write(project.beside("newer.c"), source).unwrap();
    let cc = |arguments: &[&str]| {
        let output = Command::new("cc").args(arguments).current_dir(project.beside("")).output().unwrap();
        Ran::new(output).success();
    };
    let script = format!("-Wl,--version-script={}", map.display());
    cc(&["-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libc.so.6", &script, "-o", text(&library), "lib.c"]);
    cc(&["-shared", "-fPIC", "-nostdlib", "-o", text(&greets), "newer.c", "libc.so.6"]);
    let archive = folder.join("environment.tar.zst");
    project.run(&["pack", "-p", text(&whole), "-o", text(&archive), "--force"]).success();
    seal(&folder);
    let back = project.beside("back");
    let ran = project.run(&["restore", text(&folder), "-p", text(&back)]).success().says("by the same packages");
    let said = said(&ran);
    assert!(said.contains("not by the archive: ") && said.contains("bin/hello of hello-"), "{said}");
    assert!(said.contains("needs GLIBC_9.9, and there is GLIBC_2."), "{said}");
    let hello = Command::new(back.join("bin/hello")).arg("World").output().unwrap();
    assert!(Ran::new(hello).success().stdout.contains("World"));
}
