//! Run paths of the host survive in a binary when the job allows them.

use std::{
    fs,
    process::{Command, Stdio},
};

use super::bench::Bench;

const PROGRAM: &str = r#"
package: {name: linked, version: "1.0"}
build:
  script:
    - mkdir -p $PREFIX/bin
    - "echo 'int main(void) { return 0; }' > linked.c"
    - LINK
requirements: {}
"#;

fn run_path(link: &str, allowed: &[&str]) -> String {
    let bench = Bench::new();
    let mut job = bench.job("linked", &PROGRAM.replace("LINK", link));
    job.run_paths = allowed.iter().map(|&path| path.to_owned()).collect();
    let package = bench.unpack(&bench.build(&job).unwrap().archive);
    let elf = fs::read(package.join("bin/linked")).unwrap();
    assert_eq!(&elf[..4], b"\x7fELF");
    let shown = Command::new("readelf").arg("-d").arg(package.join("bin/linked")).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let line = shown.lines().find(|line| line.contains("PATH)")).unwrap_or_default();
    line.split(['[', ']']).nth(1).unwrap_or_default().to_owned()
}

const WITH_PREFIX: &str = "cc -o $PREFIX/bin/linked linked.c -Wl,-rpath,$PREFIX/lib -Wl,-rpath,/opt/x/lib";

#[test]
fn an_allowed_run_path_stays_behind_the_packages_own() {
    assert_eq!(run_path(WITH_PREFIX, &["/opt/x/**"]), "$ORIGIN/../lib:/opt/x/lib");
}

#[test]
fn a_run_path_that_nobody_allowed_goes() {
    assert_eq!(run_path(WITH_PREFIX, &["/opt/y/**"]), "$ORIGIN/../lib");
}

#[test]
fn a_host_run_path_alone_leaves_room_for_the_packages_own() {
    let there = Command::new("patchelf").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if there.is_err() {
        eprintln!("skipped: no patchelf on PATH");
        return;
    }
    let link = "cc -o $PREFIX/bin/linked linked.c -Wl,-rpath,/opt/x/lib";
    assert_eq!(run_path(link, &["/opt/x/**"]), "$ORIGIN/../lib:/opt/x/lib");
}
