//! `pack --since`: what an update holds, and on what it depends.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Project, Ran, assert_same_trees, environment, files_below};

/// What every archive begins with, folders aside.
const HEAD: [&str; 7] = ["relocate.json", "needs.json", "files", "places", "binary", "links", "text"];

/// A prefix with one package, whose files name it as an installer would write it.
pub(crate) fn handmade(prefix: &Path) {
    let put = |name: &str, text: &str, mode: u32| {
        let path = prefix.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let place = prefix.to_str().unwrap();
    put("bin/tool", &format!("#!/bin/sh\necho {place}\n"), 0o755);
    put("etc/tool.conf", &format!("home={place}\nshare={place}/share\n"), 0o644);
    put("share/data", "data\n", 0o644);
    put(
        "conda-meta/tool-1-0.json",
        r#"{"name": "tool", "version": "1", "build": "0", "build_number": 0, "subdir": "linux-64", "depends": [],
            "fn": "tool-1-0.conda", "url": "https://example.org/linux-64/tool-1-0.conda",
            "channel": "https://example.org/", "files": ["bin/tool", "etc/tool.conf", "share/data"]}"#,
        0o644,
    );
    put("conda-meta/history", "==> 2026-01-01 00:00:00 <==\n", 0o644);
}

/// The names of the files in a tar archive, whatever it is compressed with.
fn files_in(archive: &Path) -> Vec<String> {
    let listed = Ran::new(Command::new("tar").arg("-tf").arg(archive).output().unwrap()).success().stdout;
    listed.lines().filter(|name| !name.ends_with('/')).map(str::to_owned).collect()
}

fn pack(project: &Project, prefix: &Path, options: &[&str], archive: &str) -> PathBuf {
    let goal = project.beside(archive);
    let words = [&["pack", "-p", prefix.to_str().unwrap(), "-o", goal.to_str().unwrap()], options].concat();
    project.run(&words).success();
    goal
}

#[test]
fn copies_under_other_names_are_the_same_environment() {
    let project = Project::new();
    let names = ["env", "the same one, copied/to-a-longer-path"];
    let archives = names.map(|name| {
        let prefix = project.beside(name);
        handmade(&prefix);
        pack(&project, &prefix, &[], &format!("{}.tar", name.len()))
    });
    let whole = fs::read(&archives[0]).unwrap();
    assert!(whole == fs::read(&archives[1]).unwrap(), "the folder's name is in the archive");

    // Copies that came from the archive are that environment too.
    for name in ["deployed", "elsewhere/again"] {
        let prefix = project.beside(name);
        fs::create_dir_all(prefix.parent().unwrap()).unwrap();
        let words = ["unpack", archives[0].to_str().unwrap(), "-p", prefix.to_str().unwrap()];
        project.run(&words).success();
        let again = pack(&project, &prefix, &[], &format!("again-{}.tar", name.len()));
        assert!(whole == fs::read(again).unwrap(), "{name} is another environment");
        let since = ["--since", archives[1].to_str().unwrap()];
        let update = pack(&project, &prefix, &since, &format!("update-{}.tar", name.len()));
        assert_eq!(files_in(&update), HEAD.map(|it| format!("conda-meta/envbuild/{it}")));

        let sourced = "set -eu; . bin/activate; echo \"$CONDA_DEFAULT_ENV\"; bin/tool";
        let shell = Command::new("sh").args(["-c", sourced]).current_dir(&prefix).output().unwrap();
        let folder = prefix.file_name().unwrap().to_str().unwrap();
        assert_eq!(Ran::new(shell).success().stdout, format!("{folder}\n{}\n", prefix.display()));
    }
}

/// A package with a file that names the prefix.
fn recipe(name: &str, text: &str) -> String {
    format!(
        "package: {{name: {name}, version: '1'}}\nbuild:\n  noarch: generic\n  script:\n    - mkdir -p $PREFIX/share/{name} \
         $PREFIX/bin\n    - echo '{text}' > $PREFIX/share/{name}/text\n    - printf '#!/bin/sh\\ncat %s/share/{name}/text\\n' \
         \"$PREFIX\" > $PREFIX/bin/{name}\n    - chmod 755 $PREFIX/bin/{name}\n"
    )
}

fn two_packages() -> Project {
    let manifest = "[project]\nname = \"two\"\nchannels = []\n[recipes.one]\npath = \"recipes/one\"\n[recipes.two]\npath = \
                    \"recipes/two\"\n[environments.both]\ndependencies = [\"one\", \"two\"]\npack = [\"tar.zst\"]\n\
                    [environments.one]\ndependencies = [\"one\"]\npack = []\n";
    Project::new().manifest(manifest).recipe("one", &recipe("one", "first")).recipe("two", &recipe("two", "second"))
}

#[test]
fn an_update_of_an_environment_of_the_project_holds_what_changed() {
    let project = two_packages();
    project.run(&["pack", "both"]).success();
    let dist = project.path("dist/both-linux-64.tar.zst");
    let old = project.beside("old.tar.zst");
    fs::copy(&dist, &old).unwrap();
    let prefixes = ["deployed", "modified"].map(|name| project.beside(name));
    for prefix in &prefixes {
        project.run(&["unpack", old.to_str().unwrap(), "-p", prefix.to_str().unwrap()]).success();
    }
    let [deployed, modified] = &prefixes;

    project.edit("recipes/two/recipe.yaml", "second", "another");
    let ran = project.run(&["pack", "both", "--since", old.to_str().unwrap(), "--format", "json"]).success();
    let report = ran.json();
    assert!(report["nodes"].as_array().unwrap().iter().all(|it| it["kind"] != "pack"), "{report}");
    assert!(fs::read(&old).unwrap() == fs::read(&dist).unwrap(), "the archive in dist/ is the node's");
    let update = PathBuf::from(report["archive"].as_str().unwrap());
    assert_eq!(update.parent().unwrap(), project.path("dist"));
    let name = update.file_name().unwrap().to_str().unwrap().to_owned();
    let ends = name.strip_prefix("both-linux-64.").and_then(|it| it.strip_suffix(".tar.zst")).unwrap();
    let (from, to) = ends.split_once("-to-").unwrap();
    assert!(from.len() == 10 && report["tree"].as_str().unwrap().starts_with(to), "{name}");
    assert_eq!(report["pieces"][0]["file"], update.to_str().unwrap());
    let bytes = fs::read(&update).unwrap();
    project.run(&["pack", "both", "--since", old.to_str().unwrap()]).success().says(&name);
    assert!(bytes == fs::read(&update).unwrap(), "a second time gives other bytes");

    let files = files_in(&update);
    assert!(HEAD.iter().all(|it| files.contains(&format!("conda-meta/envbuild/{it}"))), "{files:?}");
    let strange = |it: &&String| {
        let rest = it.strip_prefix("conda-meta/").unwrap_or(it);
        !["envbuild/", "two-1-", "share/two/"].iter().any(|allowed| rest.starts_with(allowed))
    };
    assert_eq!(files.iter().filter(strange).collect::<Vec<_>>(), [""; 0]);
    assert!(files.contains(&"share/two/text".to_owned()), "{files:?}");

    fs::write(modified.join("share/one/text"), "mine\n").unwrap();
    let before = environment(modified);
    let apply = |prefix: &Path| project.run(&["unpack", update.to_str().unwrap(), "-p", prefix.to_str().unwrap()]);
    apply(modified).failure(1).says("share/one/text");
    assert_eq!(environment(modified), before);
    apply(deployed).success();
    let whole = project.beside("the new one");
    project.run(&["pack", "both"]).success();
    project.run(&["unpack", dist.to_str().unwrap(), "-p", whole.to_str().unwrap()]).success();
    assert_same_trees(&environment(deployed), &environment(&whole));
    let said = Command::new(deployed.join("bin/two")).output().unwrap();
    assert_eq!(Ran::new(said).success().stdout, "another\n");
    apply(&whole).success();
    // A copy that somebody packs again keeps the name that the manifest has given, and is the same tree.
    let again = pack(&project, &whole, &["--since", dist.to_str().unwrap()], "again.tar");
    assert_eq!(files_in(&again), HEAD.map(|it| format!("conda-meta/envbuild/{it}")));
}

#[test]
fn one_more_archive_of_the_project_is_in_any_format() {
    let project = two_packages();
    let place = |name: &str| project.beside(name).to_str().unwrap().to_owned();
    let pack = |words: &[&str]| project.run(&[&["pack"], words].concat());
    // It is not packed by itself, and has no archive in `dist`.
    pack(&["one", "-o", &place("one.tar")]).success().says("one.tar");
    assert!(!project.path("dist").exists());
    let bytes = fs::read(project.beside("one.tar")).unwrap();
    pack(&["one", "-o", &place("one.tar")]).failure(2).says("--force");
    pack(&["one", "-o", &place("one.tar"), "--force", "-j", "1"]).success();
    assert!(bytes == fs::read(project.beside("one.tar")).unwrap(), "the bytes differ");
    for (number, file) in ["one.tar", "one.zip", "one.bundle", "folder.bundle/", "folder/"].into_iter().enumerate() {
        if number > 0 {
            pack(&["one", "-o", &place(file)]).success();
        }
        let prefix = project.beside(format!("prefix-{number}"));
        project.run(&["unpack", &place(file), "-p", prefix.to_str().unwrap()]).success();
        assert_same_trees(&environment(&prefix), &environment(&project.beside("prefix-0")));
    }
    pack(&["one", "-o", &place("again.bundle"), "-j", "5"]).success();
    let bundles = ["one.bundle", "again.bundle"].map(|it| fs::read(project.beside(it)).unwrap());
    assert!(bundles[0] == bundles[1], "the bytes differ");
    pack(&["one", "-o", &place("one.squashfs")]).failure(2).says("--dest-prefix");
    pack(&["one", "-o", &place("one.squashfs"), "--dest-prefix", "/opt/one"]).success();
    pack(&["one", "-o", &place("parts.tar"), "--split", "4K"]).success();
    assert!(project.beside("parts.tar.001").is_file());

    pack(&["-o", &place("all.tar")]).failure(2).says("name one of both, one");
    pack(&["one", "both", "-o", &place("all.tar")]).failure(2).says("one archive holds one environment");
    pack(&["on", "-o", &place("all.tar")]).failure(2).says("did you mean `one`?");
    pack(&["one", "-o", &place("one.rar")]).failure(2).says(".bundle");
    pack(&["one", "-o", &place("two.bundle"), "--since", &place("one.tar")]).failure(2).says("--since");
    pack(&["-p", &place("prefix-0"), "-o", &place("two.bundle")]).failure(2).says("locked");
    pack(&["one", "--level", "3"]).failure(2);
    pack(&["one", "--since", &place("none.tar")]).failure(2).says("none.tar");
    assert!(!project.path("dist").exists() && !project.beside("all.tar").exists());
}

#[test]
fn what_can_be_asked_for_by_hand_can_be_asked_for_in_the_manifest() {
    let project = two_packages();
    project.edit("project.toml", "pack = []", "pack = [\"tar\", \"folder\", \"bundle-folder\"]");
    project.run(&["pack", "one"]).success();
    project.run(&["pack", "one"]).success().says("nothing to do");
    let [archive, folder, bundle] =
        ["tar", "folder", "bundle-folder"].map(|format| project.path(format!("dist/one-linux-64.{format}")));
    let trees = [&archive, &folder, &bundle].map(|from| {
        let prefix = project.beside(format!("from-{}", from.extension().unwrap().display()));
        project.run(&["unpack", from.to_str().unwrap(), "-p", prefix.to_str().unwrap()]).success();
        environment(&prefix)
    });
    assert!(trees[0] == trees[1] && trees[0] == trees[2]);

    // What was never ours stays.
    let other = project.path("dist/both-linux-64.folder");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("mine"), "mine").unwrap();
    project.edit("project.toml", "\"tar.zst\"", "\"folder\"");
    project.run(&["pack", "both"]).failure(1).says("is there already");
    assert_eq!(files_below(&other), [Path::new("mine")]);
    fs::remove_dir_all(&other).unwrap();
    project.edit("project.toml", "pack = [\"folder\"]", "pack = [\"tar.zst\"]");

    // What is damaged or old is replaced.
    for list in ["bundle-folder/bundle.json", "folder/conda-meta/envbuild/files"] {
        fs::remove_file(project.path(format!("dist/one-linux-64.{list}"))).unwrap();
    }
    fs::remove_file(folder.join("conda-meta/envbuild/relocate.json")).unwrap();
    project.run(&["pack", "one"]).success();
    assert!(folder.join("bin/activate").is_file() && bundle.join("bundle.json").is_file());
    project.edit("recipes/one/recipe.yaml", "first", "changed");
    project.run(&["pack", "one"]).success();
    assert_eq!(fs::read_to_string(folder.join("share/one/text")).unwrap(), "changed\n");
    let packages = files_below(&bundle.join("noarch"));
    assert_eq!(packages.len(), 2, "{packages:?}");
    assert_eq!(fs::read_dir(project.path("dist")).unwrap().count(), 4);

    project.run(&["gc"]).success();
    assert!(folder.is_dir() && bundle.is_dir());
    project.edit("project.toml", "\"tar\", \"folder\", \"bundle-folder\"", "\"tar\"");
    project.run(&["gc"]).success();
    assert!(!folder.exists() && !bundle.exists() && archive.exists());
}
