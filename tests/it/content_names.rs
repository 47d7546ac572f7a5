//! A package's name follows from its content: equal content has one name and the same bytes everywhere, and no name ever
//! gets another content, in the channel, in its index or in the package cache.

use std::{fs, path::PathBuf};

use crate::support::{Project, files_below, trio};

/// The name of the one package in a folder of the channel whose name begins so.
#[track_caller]
fn file_name(project: &Project, folder: &str, beginning: &str) -> String {
    project.only(folder, beginning).file_name().unwrap().to_str().unwrap().to_owned()
}

/// What the index of a folder of the channel names.
fn listed(project: &Project, folder: &str) -> Vec<String> {
    let index: serde_json::Value = serde_json::from_str(&project.read(&format!("{folder}/repodata.json"))).unwrap();
    index["packages.conda"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn a_comment_changes_no_name_no_byte_and_no_lock_in_another_clone() {
    let one = trio(Project::new());
    one.run(&["all"]).success();
    let two = trio(Project::called("clone")).scratch_of(&one);
    two.edit("recipes/libanswer/build.sh", "# The library.", "# The library, which everybody needs.");
    two.edit("recipes/pair/recipe.yaml", "outputs:", "# Two packages.\noutputs:");
    two.run(&["all"]).success();
    for folder in ["output/linux-64", "output/noarch", "dist"] {
        assert!(one.holds_the_same(&two, folder), "{folder} differs");
    }
    let lock = one.read("envbuild.lock");
    assert_eq!(two.read("envbuild.lock"), lock);

    // A clone that has only the committed lock file builds what is locked.
    let three = trio(Project::called("fresh clone")).scratch_of(&one).file("envbuild.lock", &lock);
    three.edit("recipes/data/recipe.yaml", "package:", "# Some data.\npackage:");
    three.run(&["all", "--locked"]).success();
    assert_eq!(three.read("envbuild.lock"), lock);
}

#[test]
fn exact_pins_name_what_is_there() {
    let project = trio(Project::new());
    project.run(&["all"]).success();
    let library = file_name(&project, "output/linux-64", "pair-lib-");
    let build = library.strip_prefix("pair-lib-3.0-").unwrap().strip_suffix(".conda").unwrap();
    let record = |name: &str| -> serde_json::Value {
        let file = project.only(".envbuild/envs/env/conda-meta", name);
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
    };
    assert_eq!(record("pair-lib-")["build"], build);
    let needs = record("pair-tool-")["depends"].to_string();
    assert!(needs.contains(&format!("pair-lib ==3.0 {build}")), "{needs}");
    // The library exports itself exactly, so whoever is compiled with it gets the same pin.
    let index: serde_json::Value = serde_json::from_str(&project.read("output/linux-64/repodata.json")).unwrap();
    let exports = index["packages.conda"][&library]["run_exports"].to_string();
    assert!(exports.contains(&format!("pair-lib ==3.0 {build}")), "{exports}");

    // What a script is told is the same in every build, so that the name can follow from what it writes.
    let told = project.read(".envbuild/envs/env/share/pair/build.txt");
    assert_eq!(told.trim(), format!("{}0000000000", &build[..build.len() - 10]));
}

const DATA: &str = "package: {name: data, version: '1.0'}\nbuild: {noarch: generic, script: ['mkdir -p $PREFIX/share', \
                    'cp $RECIPE_DIR/data.txt $PREFIX/share/']}\n";

fn data(project: Project, text: &str) -> Project {
    let manifest = "[project]\nname = \"data\"\nchannels = []\n[recipes.data]\npath = \"recipes/data\"\n\
                    [environments.env]\ndependencies = [\"data\"]\n";
    project.manifest(manifest).recipe("data", DATA).file("recipes/data/data.txt", text)
}

const INSTALLED: &str = ".envbuild/envs/env/share/data.txt";

#[test]
fn new_content_has_a_new_name_and_gets_into_the_environment() {
    let project = data(Project::new(), "one\n");
    project.run(&["all"]).success();
    let first = file_name(&project, "output/noarch", "data-");
    let bytes = fs::read(project.path("output/noarch").join(&first)).unwrap();
    project.write("recipes/data/data.txt", "two\n");
    project.run(&["all"]).success();
    let names = listed(&project, "output/noarch");
    assert_eq!(names.len(), 1);
    assert_ne!(names[0], first);
    assert_eq!(project.read(INSTALLED), "two\n");
    assert!(fs::read(project.path("output/noarch").join(&first)).unwrap() == bytes, "the old file has other bytes");
    assert!(project.read("envbuild.lock").contains(&names[0]) && !project.read("envbuild.lock").contains(&first));

    // Undone, it is the first one again.
    project.write("recipes/data/data.txt", "one\n");
    project.run(&["all"]).success();
    assert_eq!(listed(&project, "output/noarch"), [first]);
    assert_eq!(project.read(INSTALLED), "one\n");
}

#[test]
fn a_source_archive_with_new_bytes_under_its_old_name_is_unpacked_anew() {
    let recipe = "package: {name: data, version: '1.0'}\nsource: {path: data.tar.gz}\nbuild: {noarch: generic, script: \
                  ['mkdir -p $PREFIX/share', 'cp data.txt $PREFIX/share/']}\n";
    let project = data(Project::new(), "").recipe("data", recipe);
    let pack = |text: &str| {
        let folder = project.beside("source");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("data.txt"), text).unwrap();
        let archive = project.path("recipes/data/data.tar.gz");
        let mut tar = std::process::Command::new("tar");
        tar.arg("-czf").arg(archive).arg("-C").arg(&folder).arg("data.txt");
        assert!(tar.status().unwrap().success());
    };
    let mut names = Vec::new();
    for text in ["one\n", "two\n", "one\n"] {
        pack(text);
        project.run(&["all"]).success();
        assert_eq!(project.read(INSTALLED), text);
        names.append(&mut listed(&project, "output/noarch"));
    }
    assert!(names.len() == 3 && names[0] == names[2] && names[0] != names[1], "{names:?}");
}

#[test]
fn builds_of_one_name_and_version_do_not_mix_in_a_package_cache() {
    let cache = Project::called("cache");
    let texts = ["one\n", "two\n"];
    let projects = texts.map(|text| {
        let project = data(Project::new(), text).env("ENVBUILD_CACHE_DIR", cache.path("shared"));
        // The recipe's own test puts the package into the cache.
        project.edit(
            "recipes/data/recipe.yaml",
            "build:",
            "tests: [{script: ['test -s $PREFIX/share/data.txt']}]\nbuild:",
        );
        project.run(&["all"]).success();
        project
    });
    for _ in 0..2 {
        for (project, text) in projects.iter().zip(texts) {
            assert_eq!(project.read(INSTALLED), text);
            fs::remove_dir_all(project.path(".envbuild/envs")).unwrap();
            project.run(&["all"]).success();
        }
    }
    let kept = |project: &Project| -> Vec<PathBuf> {
        let stem = file_name(project, "output/noarch", "data-").replace(".conda", "");
        files_below(&cache.path("shared/pkgs").join(stem)).into_iter().filter(|it| it.ends_with("data.txt")).collect()
    };
    assert_ne!(file_name(&projects[0], "output/noarch", "data-"), file_name(&projects[1], "output/noarch", "data-"));
    assert!(projects.iter().all(|it| kept(it) == [PathBuf::from("share/data.txt")]));
}

#[test]
fn a_damaged_package_is_replaced_by_the_same_bytes() {
    let project = data(Project::new(), "one\n");
    project.run(&["all"]).success();
    let file = project.only("output/noarch", "data-");
    let before = fs::read(&file).unwrap();
    for damaged in [&b"nothing"[..], &before[..before.len() / 2], &[&before[..], b"more"].concat()] {
        fs::write(&file, damaged).unwrap();
        assert_eq!(project.report(&["build"]).with("built"), ["build:data"]);
        assert!(fs::read(&file).unwrap() == before, "it was built with other bytes");
    }
    project.assert_fresh();
}

#[test]
fn a_long_build_string_loses_its_middle_and_keeps_its_ends() {
    let (label, string) = ("l".repeat(40), "s".repeat(60));
    let recipe = format!(
        "package: {{name: long, version: '1.0'}}\nbuild: {{string: {string}, script: ['mkdir -p $PREFIX/share', 'echo \
         $PKG_BUILD_STRING > $PREFIX/share/long.txt']}}\nrequirements: {{run_exports: [\"${{{{ pin_subpackage('long', \
         exact=True) }}}}\"]}}\n"
    );
    let manifest = format!(
        "[project]\nname = \"long\"\nchannels = []\n[host]\nlabel = \"{label}\"\n[recipes.long]\npath = \"recipes/long\"\n\
         [environments.env]\ndependencies = [\"long * {label}_*\"]\n"
    );
    let project = Project::new().manifest(&manifest).recipe("long", &recipe);
    project.run(&["all"]).success();
    let name = file_name(&project, "output/linux-64", "long-1.0-");
    let build = name.strip_prefix("long-1.0-").unwrap().strip_suffix(".conda").unwrap();
    assert_eq!(build.len(), 64);
    assert!(build.starts_with(&format!("{label}_sssss")), "{build}");
    let told = project.read(".envbuild/envs/env/share/long.txt");
    assert_eq!(told.trim(), format!("{}0000000000", &build[..54]));
    let index: serde_json::Value = serde_json::from_str(&project.read("output/linux-64/repodata.json")).unwrap();
    assert!(index["packages.conda"][&name]["run_exports"].to_string().contains(build));
}
