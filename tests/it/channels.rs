//! Channels that a project names by relative paths: how they are told, and that what is locked and cached needs none of
//! them any more.

use std::{collections::BTreeSet, fs, os::unix::fs::symlink, path::Path, process::Command};

use serde_json::Value;

use crate::support::Project;

const RECIPE: &str = "package:\n  name: @NAME@\n  version: 1.0.0\nbuild:\n  noarch: generic\n  script:\n    \
                      - mkdir -p $PREFIX/share/@NAME@\n    - echo $PREFIX > $PREFIX/share/@NAME@/place\n    \
                      - echo @NAME@ > $PREFIX/share/@NAME@/name.txt\n";

/// A project with a package of its own.
fn with(project: Project, channels: &str, name: &str) -> Project {
    project
        .manifest(&format!(
            "[project]\nname = \"p\"\nchannels = {channels}\n[recipes.{name}]\npath = \"recipes/{name}\"\n"
        ))
        .recipe(name, &RECIPE.replace("@NAME@", name))
}

/// A project whose environment `env` has `own` of the project, `near` of a channel in it and `beside` of one beside it.
fn project() -> Project {
    let project = with(Project::new(), "[\"./local\", \"../shared\"]", "own");
    let manifest = project.read("project.toml");
    project.write(
        "project.toml",
        &format!("{manifest}[environments.env]\ndependencies = [\"own\", \"near\", \"beside\"]\n"),
    );
    for (name, channel) in [("near", project.path("local")), ("beside", project.beside("shared"))] {
        let other = with(Project::new(), "[]", name);
        other.run(&["build"]).success();
        assert!(Command::new("cp").arg("-a").args([other.path("output"), channel]).status().unwrap().success());
    }
    project.run(&["lock"]).success();
    project
}

fn url(folder: &Path) -> String {
    format!("file://{}", folder.display())
}

/// The names of what an archive holds below `share`.
fn shared(archive: &Path) -> Vec<String> {
    let output = Command::new("tar").arg("-tf").arg(archive).output().unwrap();
    assert!(output.status.success());
    let names = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<&str> = names.lines().filter(|it| it.starts_with("share/") && !it.ends_with('/')).collect();
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn what_is_locked_and_cached_is_packed_without_its_channels() {
    let project = project();
    let lock = project.read("envbuild.lock");
    for path in ["./local/noarch/near-", "../shared/noarch/beside-", "output/noarch/own-"] {
        assert!(lock.contains(&format!("- conda: {path}")), "{lock}");
    }
    let export = |what: &str, format: &str| project.run(&["export", what, "--format", format]).success().stdout;
    let (explicit, environment) = (export("env", "explicit"), export("env", "environment"));
    let channels = ["output", "local", "../shared"].map(|it| match it {
        "../shared" => url(&project.beside("shared")),
        it => url(&project.path(it)),
    });
    assert_eq!(channels_of(&environment), channels);
    for channel in &channels {
        assert!(explicit.contains(&format!("\n{channel}/noarch/")), "{explicit}");
    }
    project.run(&["pack", "env", "-o", "before.tar"]).success();
    project.run(&["pack", "env", "-o", "before.bundle"]).success();

    // The channels go: all is told and packed as before, but for bundles, which hold the packages' archives.
    fs::rename(project.path("local"), project.path("elsewhere")).unwrap();
    fs::rename(project.beside("shared"), project.beside("real")).unwrap();
    for more in [&[][..], &["--offline", "--locked"]] {
        project.run(&[&["pack", "env", "-o", "after.tar", "--force"], more].concat()).success();
        assert!(fs::read(project.path("before.tar")).unwrap() == fs::read(project.path("after.tar")).unwrap());
    }
    project.run(&["install", "env"]).success();
    let bundle = project.run(&["pack", "env", "-o", "after.bundle"]).failure(1).says("shared/noarch/beside-1.0.0-");
    bundle.says("local/noarch/near-1.0.0-").says("package cache is enough");
    assert!(!project.path("after.bundle").exists());
    assert_eq!((export("env", "explicit"), export("env", "environment")), (explicit.clone(), environment.clone()));
    project.run(&["export", "env"]).success().says("does not hold these packages on this machine: beside");

    // With a link in its place the channel is called as it was, also in a new lock.
    symlink("real", project.beside("shared")).unwrap();
    fs::rename(project.path("elsewhere"), project.path("local")).unwrap();
    assert_eq!((export("env", "explicit"), export("env", "environment")), (explicit, environment));
    fs::remove_file(project.path("envbuild.lock")).unwrap();
    project.run(&["lock"]).success();
    assert_eq!(project.read("envbuild.lock"), lock);
    project.run(&["pack", "env", "-o", "linked.bundle"]).success();
    assert!(fs::read(project.path("before.bundle")).unwrap() == fs::read(project.path("linked.bundle")).unwrap());
    // Without the packages in the cache it has to be there.
    fs::remove_file(project.beside("shared")).unwrap();
    let mut uncached = project.command(&["pack", "env", "-o", "uncached.tar"]);
    let output = uncached.env("ENVBUILD_CACHE_DIR", project.beside("empty")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && told.contains("install::gone"), "{told}");
}

/// The channels that an `environment.yml` names.
fn channels_of(environment: &str) -> Vec<&str> {
    let list = environment.lines().skip_while(|it| *it != "channels:").skip(1);
    list.map_while(|it| it.strip_prefix("  - ")).collect()
}

#[test]
fn no_place_is_made_up_for_packages_whose_channel_has_none() {
    let project = project();
    let ending = "which has near";
    // Whatever the file is called, it knows its name.
    for file in ["some.tar", "some.bundle"] {
        project.run(&["pack", "env", "-o", file]).success();
        let file = format!("./{file}");
        let told = |format: &str| {
            let ran = project.run(&["export", &file, "--format", format]).success();
            assert!(!ran.stdout.contains("file:"), "{format}: {}", ran.stdout);
            ran
        };
        let list = told("list").says("the channel `local`").says(ending).stdout;
        assert_eq!(list.lines().filter(|it| it.ends_with(" <unknown>")).count(), 3, "{list}");
        let explicit = told("explicit").says("left out: beside 1.0.0, near 1.0.0, own 1.0.0").stdout;
        assert_eq!(explicit.lines().filter(|it| it.starts_with("# no URL for: ")).count(), 3, "{explicit}");
        assert!(explicit.contains("\n# a bundle (`envbuild pack ENV -o FILE.bundle`) holds"), "{explicit}");
        for format in ["environment", "environment-no-builds"] {
            let text = told(format).stdout;
            assert!(text.starts_with("name: env\nchannels: []\ndependencies:\n  - beside=1.0.0"), "{text}");
            assert!(text.contains("\n# nothing says where the channel `shared` of a project is, which has beside\n"));
        }
        for format in ["conda-lock", "pixi"] {
            let ran = project.run(&["export", &file, "--format", format]).failure(1);
            ran.says("which is not known of beside, near, own").says("envbuild pack ENV");
        }
        let bill: Value = serde_json::from_str(&told("sbom").stdout).unwrap();
        let near = bill["components"].as_array().unwrap().iter().find(|it| it["name"] == "near").unwrap();
        assert!(near["purl"].as_str().unwrap().contains("&channel=local&"), "{near}");
        let properties = near["properties"].as_array().unwrap();
        let origin = properties.iter().find(|it| it["name"] == "envbuild:origin").unwrap();
        assert_eq!(origin["value"], "local channel");
    }
    // Nothing of the project is asked for where the lock has nothing of it, and its channel may not even be there.
    project.edit("project.toml", "[\"own\", \"near\", \"beside\"]", "[\"near\"]");
    project.run(&["lock"]).success();
    let environment = project.run(&["export", "env"]).success().stdout;
    assert_eq!(channels_of(&environment), [url(&project.path("local")), url(&project.beside("shared"))]);
    let pixi = project.run(&["export", "env", "--format", "pixi"]).success().stdout;
    assert!(!pixi.contains("conda.anaconda.org"), "{pixi}");
}

#[test]
fn one_archive_holds_what_is_asked_for() {
    let project = project();
    let words = ["--exclude", "*.txt", "--include", "share/own/*"];
    project.run(&[&["pack", "pack:env", "-o", "thin.tar"], &words[..]].concat()).success();
    let kept = ["share/beside/place", "share/near/place", "share/own/name.txt", "share/own/place"];
    assert_eq!(shared(&project.path("thin.tar")), kept);
    // The records say what is there, and whoever unpacks finds it so.
    let prefix = project.beside("thin");
    project.run(&["unpack", "thin.tar", "-p", prefix.to_str().unwrap()]).success();
    project.run(&["unpack", "--verify", prefix.to_str().unwrap()]).success();
    let record = fs::read_dir(prefix.join("conda-meta")).unwrap().map(|it| it.unwrap().path());
    let record = record.into_iter().find(|it| it.to_string_lossy().contains("/near-")).unwrap();
    let record: Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    assert_eq!(record["files"], serde_json::json!(["share/near/place"]));
    assert_eq!(record["paths_data"]["paths"].as_array().unwrap().len(), 1);
    // The same of the installed one.
    project.run(&["install", "env"]).success();
    let installed = [&["pack", "-p", ".envbuild/envs/env", "-o", "installed.tar"], &words[..]].concat();
    project.run(&installed).success();
    assert_eq!(shared(&project.path("installed.tar")), kept);
    // Neither says where the channels of this checkout are.
    for archive in ["thin.tar", "installed.tar"] {
        let list = project.run(&["export", archive, "--format", "list"]).success().stdout;
        assert_eq!(list.lines().filter(|it| it.ends_with(" <unknown>")).count(), 3, "{archive}: {list}");
    }
    // What the manifest asks for is whole, and packed by its node.
    project.run(&["pack", "pack:env"]).success().says("pack:env");
    project.run(&["pack", "env", "--exclude", "*.txt"]).failure(2).says("--output <FILE>");
}
