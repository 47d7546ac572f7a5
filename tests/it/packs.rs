//! Archives: they run where they are sent, and are the same bytes wherever they were made.

use std::{fs, path::Path, process::Command};

use crate::support::{Project, Ran, assert_greets, bare, contents_below, files_below};

const ARCHIVE: &str = "everyone-libgreet1.0.0-linux-64.tar.zst";

/// Unpacks with tools that every Linux has.
fn unpack_by_tar(archive: &Path, into: &Path) {
    fs::create_dir(into).unwrap();
    let status = Command::new("tar").arg("--zstd").arg("-xf").arg(archive).arg("-C").arg(into).status().unwrap();
    assert!(status.success());
}

#[test]
fn an_archive_runs_elsewhere_when_the_project_is_gone() {
    let mut project = Project::example("quickstart");
    project.run(&["pack", "everyone-libgreet1.0.0"]).success();
    for file in [ARCHIVE.to_owned(), format!("{ARCHIVE}.sha256")] {
        fs::copy(project.path("dist").join(&file), project.beside(&file)).unwrap();
    }
    let old_root = project.root().to_owned();
    project.move_to("gone");
    let archive = project.beside(ARCHIVE);
    let mut sums = Command::new("sha256sum");
    sums.args(["-c", "--status", &format!("{ARCHIVE}.sha256")]).current_dir(project.beside(""));
    assert!(sums.status().unwrap().success(), "the checksum beside the archive is another's");

    let by_tar = project.beside("by tar");
    unpack_by_tar(&archive, &by_tar);
    bare(&by_tar.join("bin/conda-unpack"), &[]);
    assert_greets(&by_tar);
    // A second time is no harm.
    bare(&by_tar.join("bin/conda-unpack"), &[]);

    let by_us = project.beside("by envbuild");
    project.run(&["unpack", archive.to_str().unwrap(), "-p", by_us.to_str().unwrap()]).success().says("unpacked ");
    assert_greets(&by_us);
    project.run(&["unpack", archive.to_str().unwrap(), "-p", by_us.to_str().unwrap()]).failure(1).says("by envbuild");

    let activate = "set -eu; . bin/activate; hello --version; echo \"$CONDA_PREFIX\"";
    let shell = Command::new("bash")
        .args(["-c", activate])
        .current_dir(&by_tar)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output();
    let shell = Ran::new(shell.unwrap()).success();
    assert_eq!(shell.stdout, format!("libgreet 1.0.0\n{}\n", by_tar.display()));

    // Nothing names the project, and only the records of the packages name the folder in which everybody builds.
    for prefix in [&by_tar, &by_us] {
        for (file, bytes) in contents_below(prefix) {
            let names = |place: &Path| {
                let place = place.as_os_str().as_encoded_bytes();
                bytes.windows(place.len()).any(|it| it == place)
            };
            assert!(!names(&old_root) && !names(&project.beside("home")), "{file:?} names the project");
            assert!(!names(project.scratch()) || file.starts_with("conda-meta"), "{file:?} names the build folder");
        }
    }
}

#[test]
fn two_checkouts_make_the_same_bytes() {
    let one = Project::example("quickstart");
    one.run(&["all"]).success();
    let two = Project::called("another name, longer than the first").copy(one.root()).scratch_of(&one);
    two.run(&["all", "-j", "1"]).success();
    for folder in ["output/linux-64", "output/noarch", "dist"] {
        assert_eq!(files_below(&one.path(folder)), files_below(&two.path(folder)));
        for (file, bytes) in contents_below(&one.path(folder)) {
            assert!(bytes == fs::read(two.path(folder).join(&file)).unwrap(), "{folder}/{file:?} has other bytes");
        }
    }
    assert_eq!(one.read("envbuild.lock"), two.read("envbuild.lock"));
}

#[test]
fn what_is_no_archive_of_ours_is_told() {
    let project = Project::example("quickstart");
    project.run(&["pack", "minimal-libgreet1.0.0"]).success();
    let whole = fs::read(project.path("dist/minimal-libgreet1.0.0-linux-64.tar.zst")).unwrap();
    let cases: [(&str, &[u8]); 3] =
        [("empty", b""), ("text", b"not an archive"), ("cut", &whole[..whole.len() * 2 / 3])];
    for (name, bytes) in cases {
        fs::write(project.path(name), bytes).unwrap();
        project.run(&["unpack", name, "-p", "prefix"]).failure(1).says(name);
        assert!(!project.path("prefix").exists(), "{name} left something behind");
    }
    project.run(&["unpack", "no-such-file", "-p", "prefix"]).failure(1).says("no-such-file");
}
