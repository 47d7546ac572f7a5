//! What lasts is damaged between two runs, in ways that `repair.rs` does not try: what can be made again is, and what is
//! the user's own is told.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::small::{Small, project};
use crate::support::{Project, contents_below, files_below};

/// A package in the small project's channel.
fn archive(project: &Project, name: &str) -> PathBuf {
    project.only(if name == "base" { "output/noarch" } else { "output/linux-64" }, &format!("{name}-"))
}

/// A few places where a file of so many bytes is cut: all of the first and last ones, and a spread in between.
fn cuts(length: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = (0..length).step_by(length / 24 + 1).collect();
    cuts.extend([1, 2, length - 2, length - 1]);
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// Turns one byte of a file round; its size stays.
fn alter(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    // Not into the same file: it may be a link to another one.
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A project in which everything is done.
fn finished() -> Small {
    let small = Small::new();
    assert_eq!(small.flaws(), "");
    small
}

#[test]
fn a_record_that_is_cut_anywhere_or_is_something_else_is_none() {
    let small = finished();
    let record = small.project.path(".envbuild/records/build+base.json");
    let whole = fs::read(&record).unwrap();
    let mut damages: Vec<Vec<u8>> = cuts(whole.len()).into_iter().map(|it| whole[..it].to_vec()).collect();
    damages.extend([b"[]".to_vec(), b"{}".to_vec(), b"null".to_vec(), b"\xff\xfe".to_vec()]);
    for damage in damages {
        fs::write(&record, &damage).unwrap();
        // Without this the record is not even opened.
        fs::remove_dir_all(small.project.path(".envbuild/cache")).unwrap();
        small.project.run(&["all"]).success();
        let when = String::from_utf8_lossy(&damage);
        assert_eq!(small.flaws(), "", "{when}");
        let now = fs::read(&record).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&now).unwrap();
        assert_eq!(record["node"], "build:base", "{when}");
    }
}

#[test]
fn a_folder_in_the_place_of_a_record_goes() {
    let small = finished();
    for node in ["build+base", "lock+both", "install+both", "test+both", "pack+both"] {
        let record = small.project.path(format!(".envbuild/records/{node}.json"));
        fs::remove_file(&record).unwrap();
        fs::create_dir_all(record.join("in the way")).unwrap();
        small.project.run(&["all"]).success();
        assert!(record.is_file(), "{node}");
        assert_eq!(small.flaws(), "", "{node}");
    }
}

#[test]
fn any_file_of_the_state_folder_may_be_emptied_cut_or_overwritten() {
    let small = finished();
    let state = small.project.path(".envbuild");
    let made_from: Vec<PathBuf> = files_below(&state).into_iter().filter(|it| !it.starts_with("envs")).collect();
    assert!(made_from.iter().any(|it| it.starts_with("cache")), "{made_from:?}");
    for damage in ["", "{", "{\"nodes\": 1}", "\0\0\0\0"] {
        for file in &made_from {
            fs::write(state.join(file), damage).unwrap();
        }
        small.project.run(&["all"]).success();
        assert_eq!(small.flaws(), "", "`{damage}` in all files");
    }
}

#[test]
fn an_index_that_is_cut_anywhere_or_is_something_else_is_written_again() {
    let small = finished();
    for subdir in ["noarch", "linux-64"] {
        let index = small.project.path("output").join(subdir).join("repodata.json");
        let whole = fs::read(&index).unwrap();
        // Without the line break at its end it is still whole.
        let mut damages: Vec<Vec<u8>> = cuts(whole.len() - 1).into_iter().map(|it| whole[..it].to_vec()).collect();
        damages.extend([b"[]".to_vec(), b"{}".to_vec(), b"<html>".to_vec(), b"\xff".to_vec()]);
        for damage in damages {
            fs::write(&index, &damage).unwrap();
            small.project.run(&["all"]).success();
            assert_eq!(small.flaws(), "", "{index:?}: {}", String::from_utf8_lossy(&damage));
        }
    }
}

#[test]
fn an_index_without_a_package_that_is_broken_is_written_again() {
    let project = Project::new().manifest("[project]\nname = \"alone\"\nchannels = []\n[recipes.a]\npath = \"a\"\n").file(
        "a/recipe.yaml",
        "package:\n  name: a\n  version: 1.0.0\nbuild:\n  script:\n    - mkdir -p $PREFIX/share && echo a > $PREFIX/share/a\n",
    );
    project.run(&["all"]).success();
    let before = contents_below(&project.path("output"));
    fs::write(project.path("output/noarch/repodata.json"), "").unwrap();
    project.run(&["all"]).success().says("nothing to do");
    let lock = |it: &(PathBuf, Vec<u8>)| !it.0.ends_with(".lock");
    assert!(contents_below(&project.path("output")).into_iter().filter(lock).eq(before.into_iter().filter(lock)));
}

#[test]
fn a_lock_file_that_is_cut_is_told_of_and_left_as_it_is() {
    let small = finished();
    let lock = small.project.path("envbuild.lock");
    let whole = fs::read(&lock).unwrap();
    // Without the line break at its end it is still whole.
    for cut in cuts(whole.len() - 1) {
        fs::write(&lock, &whole[..cut]).unwrap();
        let ran = small.project.run(&["all"]);
        let now = fs::read(&lock).unwrap();
        let told = ran.failure(1).says("envbuild.lock").says("envbuild lock");
        assert!(now == whole[..cut], "cut after {cut} bytes it was overwritten: {}", told.stderr);
        fs::write(&lock, &whole).unwrap();
        assert_eq!(small.flaws(), "", "cut after {cut} bytes");
    }
}

#[test]
fn an_altered_package_is_not_built_against() {
    let project = project();
    let cache = project.beside("cache");
    let project = project.env("ENVBUILD_CACHE_DIR", &cache);
    project.run(&["all"]).success();
    let base = archive(&project, "base");
    let before = fs::read(&base).unwrap();
    for again in 0..2 {
        alter(&base);
        // Nobody has it unpacked any more, and the package that needs it is built again.
        fs::remove_dir_all(&cache).unwrap();
        project.edit("recipes/tool/recipe.yaml", "echo tool", &format!("echo tool {again}"));
        project.run(&["all"]).success().says("built  build:base").says("built  build:tool");
        assert!(fs::read(&base).unwrap() == before, "it was not built as it was");
        project.assert_fresh();
    }
}

#[test]
fn a_damaged_package_cache_is_made_good_before_it_is_used() {
    let project = project();
    let cache = project.beside("cache");
    let project = project.env("ENVBUILD_CACHE_DIR", &cache);
    project.run(&["all"]).success();
    let before = contents_below(&project.path(".envbuild/envs"));
    let is_same = |project: &Project| {
        let history = |it: &(PathBuf, Vec<u8>)| !it.0.ends_with("history");
        contents_below(&project.path(".envbuild/envs"))
            .into_iter()
            .filter(history)
            .eq(before.clone().into_iter().filter(history))
    };
    let packed = contents_below(&project.path("dist"));
    let unpacked = || -> Vec<PathBuf> {
        let below = files_below(&cache.join("pkgs"));
        let found: Vec<PathBuf> = below.into_iter().filter(|it| it.to_string_lossy().contains("/share/")).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        found
    };
    let damages: [fn(&Path); 3] =
        [alter, |path| fs::remove_file(path).unwrap(), |path| fs::write(path, "short").unwrap()];
    for damage in damages {
        for file in unpacked() {
            damage(&cache.join("pkgs").join(file));
        }
        for place in [".envbuild/envs", "dist"] {
            fs::remove_dir_all(project.path(place)).unwrap();
        }
        project.run(&["all"]).success();
        assert!(is_same(&project), "the prefix holds what is wrong");
        assert!(contents_below(&project.path("dist")) == packed, "the archive holds what is wrong");
    }
}

#[test]
fn a_prefix_that_was_changed_is_made_anew_by_the_next_installation() {
    let small = finished();
    let record = small.project.path(".envbuild/records/install+both.json");
    let prefix = small.project.path(".envbuild/envs/both");
    let file = prefix.join("share/tool");
    let damages: [fn(&Path); 3] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, "other").unwrap(),
        |path| fs::write(path.parent().unwrap().parent().unwrap().join("conda-meta/tool-1.json"), "{").unwrap(),
    ];
    for damage in damages {
        damage(&file);
        fs::remove_file(&record).unwrap();
        small.project.run(&["all"]).success();
        assert_eq!(small.flaws(), "");
    }
}
