//! What is deleted, moved or damaged behind the program's back is found and made again.

use std::{fs, io::Write as _, path::Path};

use crate::support::{Project, contents_below, files_below};

fn finished() -> Project {
    let project = Project::example("quickstart");
    project.run(&["all"]).success();
    project
}

/// Turns one byte in the middle of a file round; its size stays.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_moved_project_makes_its_prefixes_again_and_nothing_else() {
    let mut project = finished();
    project.move_to("else where/moved");
    let report = project.report(&["all"]);
    let built = report.sorted("built");
    assert_eq!(built.len(), 4, "{built:?}");
    assert!(built.iter().all(|it| it.starts_with("install:")), "{built:?}");
    assert!(report.node(&built[0])["reason"].as_str().unwrap().starts_with("the prefix was made at "));
    project.assert_fresh();
    let hello = project.run(&["run", "everyone-libgreet1.0.0", "--", "hello", "--everyone"]).success();
    assert_eq!(hello.stdout.lines().next(), Some("Hello, Ada!"));
}

#[test]
fn a_deleted_package_is_built_again_with_the_same_bytes() {
    let project = finished();
    let before = contents_below(&project.path("output/linux-64"));
    let deleted = files_below(&project.path("output/linux-64"))
        .into_iter()
        .find(|it| it.to_string_lossy().starts_with("libpolite"));
    fs::remove_file(project.path("output/linux-64").join(deleted.unwrap())).unwrap();
    let built = project.report(&["all"]).with("built");
    assert_eq!(built.len(), 1, "{built:?}");
    assert!(built[0].starts_with("build:libpolite["), "{built:?}");
    assert!(contents_below(&project.path("output/linux-64")) == before);
    project.assert_fresh();
}

#[test]
fn a_deleted_prefix_archive_or_lock_comes_back_alone() {
    let project = finished();
    let archive = project.path("dist/minimal-libgreet1.0.0-linux-64.tar.zst");
    let (bytes, lock) = (fs::read(&archive).unwrap(), project.read("envbuild.lock"));

    fs::remove_file(&archive).unwrap();
    assert_eq!(project.report(&["all"]).with("built"), ["pack:minimal-libgreet1.0.0"]);
    assert!(fs::read(&archive).unwrap() == bytes, "the archive has other bytes than before");

    // What a killed run was writing goes, and so does not travel with the archives.
    fs::create_dir(project.path("dist/.envbuild-tmp-killed")).unwrap();
    fs::remove_file(project.path("dist/minimal-libgreet1.0.0-linux-64.tar.zst.sha256")).unwrap();
    assert_eq!(project.report(&["all"]).with("built"), ["pack:minimal-libgreet1.0.0"]);
    assert!(project.path("dist/minimal-libgreet1.0.0-linux-64.tar.zst.sha256").exists());
    assert!(!project.path("dist/.envbuild-tmp-killed").exists());

    fs::remove_dir_all(project.path(".envbuild/envs/minimal-libgreet1.0.0")).unwrap();
    assert_eq!(project.report(&["all"]).with("built"), ["install:minimal-libgreet1.0.0"]);

    fs::remove_file(project.path("envbuild.lock")).unwrap();
    let report = project.report(&["all"]);
    assert!(report.with("built").iter().all(|it| it.starts_with("lock:")), "{:?}", report.with("built"));
    assert_eq!(project.read("envbuild.lock"), lock);
    project.assert_fresh();
}

#[test]
fn a_deleted_state_folder_costs_time_and_nothing_else() {
    let project = finished();
    let (packages, packs) = (contents_below(&project.path("output/linux-64")), contents_below(&project.path("dist")));
    fs::remove_dir_all(project.path(".envbuild")).unwrap();
    assert_eq!(project.report(&["all", "--locked"]).count("built"), 27);
    assert!(
        contents_below(&project.path("output/linux-64")) == packages && contents_below(&project.path("dist")) == packs
    );
    project.assert_fresh();
}

#[test]
fn a_deleted_channel_index_is_written_again() {
    let project = finished();
    let index = project.path("output/linux-64/repodata.json");
    let before = fs::read(&index).unwrap();
    fs::remove_file(&index).unwrap();
    project.run(&["all"]).success();
    let after: serde_json::Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    let before: serde_json::Value = serde_json::from_slice(&before).unwrap();
    assert_eq!(after, before);
    project.assert_fresh();
}

#[test]
fn an_altered_package_is_found_before_it_is_installed() {
    let project = finished();
    let package = project.only("output/noarch", "greet-data-");
    let before = fs::read(&package).unwrap();
    damage(&package);
    fs::remove_dir_all(project.path(".envbuild/envs/minimal-libgreet1.0.0")).unwrap();
    let report = project.report(&["install", "minimal-libgreet1.0.0"]);
    assert_eq!(report.with("built"), ["build:greet-data", "install:minimal-libgreet1.0.0"]);
    let reason = report.node("build:greet-data")["reason"].as_str().unwrap();
    let name = package.file_name().unwrap().to_str().unwrap();
    assert_eq!(reason, format!("{name} is gone or damaged"));
    assert!(fs::read(&package).unwrap() == before, "it was not built as it was");
    project.assert_fresh();
}

#[test]
fn an_altered_archive_is_made_again() {
    let project = finished();
    let archive = project.path("dist/everyone-libgreet2.0.0-linux-64.tar.zst");
    let bytes = fs::read(&archive).unwrap();
    fs::write(&archive, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(project.report(&["all"]).with("built"), ["pack:everyone-libgreet2.0.0"]);
    assert!(fs::read(&archive).unwrap() == bytes);
    // Its size stays, and somebody puts its old time back.
    let time = archive.metadata().unwrap().modified().unwrap();
    damage(&archive);
    fs::File::options().write(true).open(&archive).unwrap().set_modified(time).unwrap();
    assert_eq!(project.report(&["all"]).with("built"), ["pack:everyone-libgreet2.0.0"]);
    assert!(fs::read(&archive).unwrap() == bytes);
    project.assert_fresh();
}

#[test]
fn what_was_only_touched_or_copied_is_read_and_stays() {
    let mut project = finished();
    for folder in ["output/linux-64", "output/noarch", "dist", "recipes"] {
        for file in files_below(&project.path(folder)) {
            let file = fs::File::options().append(true).open(project.path(folder).join(file)).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        }
    }
    project.assert_fresh();
    let copy = project.beside("copy");
    let copied = std::process::Command::new("cp").arg("-a").arg(project.root()).arg(&copy).status().unwrap();
    assert!(copied.success());
    fs::remove_dir_all(project.root()).unwrap();
    fs::rename(&copy, project.root()).unwrap();
    project.assert_fresh();
    project.move_to("moved");
    assert!(project.report(&["build"]).with("built").is_empty());
}

#[test]
fn a_record_that_cannot_be_read_is_none() {
    let project = finished();
    for file in files_below(&project.path(".envbuild/records")) {
        let path = project.path(".envbuild/records").join(&file);
        let bytes = fs::read(&path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 3]).unwrap();
    }
    fs::write(project.path(".envbuild/last-run.json"), "\0").unwrap();
    project.run(&["all"]).success();
    project.assert_fresh();
}

#[test]
fn a_lock_file_that_is_no_lock_file_is_not_overwritten() {
    let project = finished();
    project.write("envbuild.lock", "<<<<<<< HEAD\n");
    project.run(&["all"]).failure(1).says("envbuild.lock");
    assert_eq!(project.read("envbuild.lock"), "<<<<<<< HEAD\n");
}

#[test]
fn a_new_form_of_the_state_folder_is_left_alone() {
    let project = finished();
    project.write(".envbuild/form", "999");
    let before = contents_below(&project.path(".envbuild/records"));
    project.run(&["all"]).failure(1).says(".envbuild");
    assert!(contents_below(&project.path(".envbuild/records")) == before);
}

#[test]
fn what_is_written_into_one_prefix_reaches_no_other_environment_and_no_archive() {
    let project = Project::example("quickstart");
    project.run(&["all"]).success();
    let archive = |name: &str| fs::read(project.path(format!("dist/{name}-linux-64.tar.zst"))).unwrap();
    let before = archive("everyone-libgreet2.0.0");

    // Appended in place: the file is the same one in the package cache.
    let names = project.path(".envbuild/envs/minimal-libgreet1.0.0/share/greet/names.txt");
    let mut file = fs::File::options().append(true).open(names).unwrap();
    file.write_all(b"broken\n").unwrap();
    fs::remove_dir_all(project.path("dist")).unwrap();
    fs::remove_dir_all(project.path(".envbuild/envs/everyone-libgreet2.0.0")).unwrap();
    project.run(&["all"]).success();
    assert!(archive("everyone-libgreet2.0.0") == before, "the archive holds what was written into another prefix");
    let other = project.read(".envbuild/envs/everyone-libgreet2.0.0/share/greet/names.txt");
    assert!(!other.contains("broken"), "{other}");
}

#[test]
fn a_checksum_that_is_gone_or_wrong_comes_back() {
    let project = finished();
    let checksum = project.path("dist/minimal-libgreet1.0.0-linux-64.tar.zst.sha256");
    let before = fs::read(&checksum).unwrap();
    for damage in [None, Some("")] {
        match damage {
            None => fs::remove_file(&checksum).unwrap(),
            Some(text) => fs::write(&checksum, text).unwrap(),
        }
        assert_eq!(project.report(&["all"]).with("built"), ["pack:minimal-libgreet1.0.0"]);
        assert!(fs::read(&checksum).unwrap() == before);
    }
    project.assert_fresh();
}

#[test]
fn a_package_that_another_program_took_out_of_a_prefix_comes_back() {
    let project = finished();
    let prefix = ".envbuild/envs/minimal-libgreet1.0.0";
    let record = project.only(&format!("{prefix}/conda-meta"), "hello-");
    fs::remove_file(&record).unwrap();
    fs::remove_file(project.path(prefix).join("bin/hello")).unwrap();
    assert_eq!(project.report(&["all"]).with("built"), ["install:minimal-libgreet1.0.0"]);
    assert!(record.is_file() && project.path(prefix).join("bin/hello").is_file());
    project.assert_fresh();
}
