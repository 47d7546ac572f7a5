//! `check --target`: what every file of an environment needs, against a machine that is another one than this.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use envbuild::{tree::NEEDS, unpack};
use serde_json::Value;

use crate::{
    answers::{documented, fields},
    support::{Project, skip, variable},
};

/// A package whose library needs an older or a newer C library, by its version, and says so.
const LIBRARY: &str = r#"package:
  name: copier
  version: ${{ copier_version }}
build:
  script:
    - mkdir -p $PREFIX/lib
    - printf 'void *memcpy(void *, const void *, unsigned long);\n__asm__(".symver memcpy,memcpy@GLIBC_${{ glibc }}");\n' > copy.c
    - printf 'void *copy(void *a, void *b) { return memcpy(a, b, 9); }\n' >> copy.c
    - cc -shared -fPIC -nostdlib -o $PREFIX/lib/libcopier.so copy.c -lc
requirements:
  run:
    - __glibc >=${{ glibc }}
"#;

/// One that needs a library that is nowhere, and another kind of processor.
const ODD: &str = r#"package:
  name: odd
  version: 1.0.0
build:
  dynamic_linking:
    missing_dso_allowlist: ["libnowhere.so.1", "libcuda.so.1"]
  script:
    - mkdir -p $PREFIX/lib
    - printf 'int nothing(void) { return 0; }\n' > odd.c
    - cc -shared -fPIC -nostdlib -Wl,-soname,libnowhere.so.1 -o libnowhere.so.1 odd.c
    - cc -shared -fPIC -nostdlib -Wl,-soname,libcuda.so.1 -o libcuda.so.1 odd.c
    - cc -shared -fPIC -nostdlib -Wl,--no-as-needed -Wl,-z,x86-64-v3 -o $PREFIX/lib/libodd.so odd.c -L. -l:libnowhere.so.1 -l:libcuda.so.1
"#;

/// A channel with two builds of `copier`, and `odd`.
fn channel() -> Project {
    let project = Project::called("channel")
        .manifest(
            "[project]\nname = \"channel\"\nchannels = []\n[matrix]\ncopier_version = [\"1.0.0\", \"2.0.0\"]\nglibc = \
             [\"2.2.5\", \"2.14\"]\nzip = [[\"copier_version\", \"glibc\"]]\n[recipes.copier]\npath = \
             \"recipes/copier\"\n[recipes.odd]\npath = \"recipes/odd\"\n",
        )
        .recipe("copier", LIBRARY)
        .recipe("odd", ODD);
    project.run(&["build"]).success();
    project
}

const MANIFEST: &str = r#"
[project]
name = "sent"
channels = ["@CHANNEL@"]
[environments.env]
dependencies = ["copier", "odd"]
target = "new"
[targets.new]
virtual-packages = { __glibc = "2.28", __cuda = "12.3", __archspec = "1=haswell" }
libraries = ["libnowhere.so*"]
[targets.old]
virtual-packages = { __glibc = "2.12" }
"#;

fn sent(channel: &Project) -> Project {
    let place = format!("file://{}", channel.path("output").display());
    let project = Project::new().manifest(&MANIFEST.replace("@CHANNEL@", &place));
    project.run(&["install"]).success();
    project
}

/// Kinds, files, needs.
fn told(answer: &Value) -> BTreeSet<(String, String, String)> {
    let text = |it: &Value| it.as_str().unwrap_or("-").to_owned();
    let list = answer["violations"].as_array().unwrap();
    list.iter().map(|it| (text(&it["kind"]), text(&it["file"]), text(&it["needs"]))).collect()
}

fn violation<'a>(answer: &'a Value, kind: &str) -> &'a Value {
    let list = answer["violations"].as_array().unwrap();
    list.iter().find(|it| it["kind"] == kind).unwrap_or_else(|| panic!("{kind} is not in {answer:#}"))
}

#[test]
fn each_offender_is_told_with_its_package_and_the_newest_build_that_would_fit() {
    let channel = channel();
    let project = sent(&channel);
    project.run(&["check", "env", "--target", "new"]).success().says("nothing is missing");

    let old = project.run(&["check", "env", "--target", "old", "--format", "json"]).failure(1).json();
    let expected = [
        ("virtual-package", "-", "__glibc >=2.14"),
        ("glibc", "lib/libcopier.so", "GLIBC_2.14"),
        ("cpu", "lib/libodd.so", "x86-64-v3"),
        ("library", "lib/libodd.so", "libnowhere.so.1"),
        ("driver", "lib/libodd.so", "libcuda.so.1"),
    ];
    let text = |it: (&str, &str, &str)| (it.0.to_owned(), it.1.to_owned(), it.2.to_owned());
    assert_eq!(told(&old), expected.map(text).into());
    for kind in ["virtual-package", "glibc"] {
        let found = violation(&old, kind);
        assert!(found["package"].as_str().unwrap().starts_with("copier-2.0.0-"), "{found}");
        assert!(found["newest"].as_str().is_some_and(|it| it.starts_with("copier-1.0.0-")), "{found}");
    }
    let library = violation(&old, "library");
    assert!(library["package"].as_str().unwrap().starts_with("odd-1.0.0-") && library["newest"].is_null(), "{library}");
    assert_eq!(violation(&old, "cpu")["has"], "x86-64");

    // The target of the manifest is met, and one that is named instead, for one archive, is not.
    project.run(&["pack", "env", "-o", "new.tar"]).success();
    let words = ["pack", "env", "-o", "old.tar", "--target"];
    let old = project.run(&[&words[..], &["old"]].concat()).failure(1).says("the target `old` lacks");
    old.says("lib/libcopier.so of copier-2.0.0-").says("GLIBC_2.14").says("copier-1.0.0-");
    project.run(&[&words[..], &["this-machine"]].concat()).failure(1).says("libnowhere.so.1");
    project.run(&["pack", "env", "-o", "old.bundle", "--target", "old"]).failure(1).says("GLIBC_2.14");
    assert!(!project.path("old.tar").exists() && !project.path("old.bundle").exists());
    project.run(&[&words[..], &["new"]].concat()).success();

    // For people: a line for each, and every line names file and package.
    let text = project.run(&["check", "env", "--target", "old"]).failure(1);
    assert_eq!(text.stdout.lines().count(), 5, "{}", text.stdout);
    let line = text.stdout.lines().find(|it| it.starts_with("lib/libcopier.so of copier-2.0.0-")).unwrap();
    let words = " needs GLIBC_2.14, and there is GLIBC_2.12; the newest that would fit is copier-1.0.0-";
    assert!(line.contains(words), "{line}");

    // What the environment asks for holds for other builds, too.
    project.edit("project.toml", "[\"copier\", ", "[\"copier 2.*\", ");
    let old = project.run(&["check", "env", "--target", "old", "--format", "json"]).failure(1).json();
    assert!(violation(&old, "glibc")["newest"].is_null(), "{old:#}");
}

#[test]
fn a_prefix_and_an_archive_say_the_same_without_a_project() {
    let channel = channel();
    let project = sent(&channel);
    project.edit("project.toml", "target = \"new\"\n", "");
    project.run(&["pack"]).success();
    let prefix = project.beside("moved");
    let archive = project.path("dist/env-linux-64.tar.zst");
    let archive = archive.to_str().unwrap();
    project.run(&["unpack", archive, "-p", prefix.to_str().unwrap()]).success();
    let target = "__glibc=2.12,__archspec=1=x86_64,libnowhere.so.*,__cuda=12";
    let ask = |what: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_envbuild"));
        project.pin(&mut command);
        command.current_dir("/").args(["check", what, "--offline", "--target", target, "--format", "json"]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let of_prefix = ask(prefix.to_str().unwrap());
    // The records know the shared channel, and so where another build is.
    let newest = violation(&of_prefix, "glibc")["newest"].as_str();
    assert!(newest.is_some_and(|it| it.starts_with("copier-1.0.0-")), "{of_prefix:#}");
    let of_archive = ask(archive);
    assert_eq!(of_prefix["violations"], of_archive["violations"]);
    // In any format, and whoever has packed it.
    let others = project.beside("others");
    fs::create_dir(&others).unwrap();
    for (name, folder, around) in [("plain.tar", "moved", ""), ("around.tar.gz", ".", "moved/")] {
        let archive = others.join(name);
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(project.beside(folder)).arg("--exclude=needs.json").arg("-caf").arg(&archive);
        tar.args(["conda-meta", "bin", "lib"].map(|it| format!("{around}{it}")));
        assert!(tar.status().unwrap().success());
        assert_eq!(told(&of_prefix), told(&ask(archive.to_str().unwrap())), "{name}");
    }
    // A bare installation without any package of conda is looked at, too.
    fs::remove_dir_all(prefix.join("conda-meta")).unwrap();
    fs::create_dir(prefix.join("conda-meta")).unwrap();
    let bare = ask(prefix.to_str().unwrap());
    assert_eq!(violation(&bare, "glibc")["package"], Value::Null);
}

#[test]
fn the_answer_has_the_fields_of_the_book() {
    let channel = channel();
    let project = sent(&channel);
    // A C++ library outside of the tree, and one of the host.
    let prefix = project.path(".envbuild/envs/env");
    fs::write(
        project.path("words.cc"),
        "#include <string>\nint words(const char *v) { return std::string(v).size(); }\n",
    )
    .unwrap();
    let mut compiler = Command::new("c++");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(prefix.join("lib/libwords.so")).arg(project.path("words.cc"));
    assert!(compiler.status().unwrap().success());
    fs::create_dir_all(prefix.join("share/envbuild/host")).unwrap();
    let ledger = r#"{"form": 1, "package": "bound", "version": "1", "libraries": [{"name": "libouter.so.2",
        "path": "/opt/libouter.so.2", "version": "2.5", "build_id": "ab", "module": "outer/2", "direct": true,
        "c_library": false, "found": "rpath"}]}"#;
    fs::write(prefix.join("share/envbuild/host/bound.json"), ledger).unwrap();
    let answer = project.run(&["check", "env", "--target", "old", "--format", "json"]).failure(1).json();
    assert_eq!(fields(&answer), documented("`envbuild check --target`"));
    assert!(told(&answer).contains(&("library".into(), "lib/libwords.so".into(), "libstdc++.so.6".into())));
}

#[test]
fn an_archive_is_written_only_when_the_target_has_all_that_it_needs() {
    let channel = channel();
    let project = sent(&channel);
    project.run(&["pack"]).success();
    let archive = project.path("dist/env-linux-64.tar.zst");
    let (_, needs) = unpack::files_that(&archive, &|name| name == NEEDS).unwrap().remove(0);
    let needs: Value = serde_json::from_slice(&needs).unwrap();
    assert_eq!((&needs["platform"], &needs["glibc"]["version"]), (&"linux-64".into(), &"2.14".into()));
    assert_eq!((&needs["cpu"]["level"], &needs["cpu"]["file"]), (&"x86-64-v3".into(), &"lib/libodd.so".into()));
    let libraries: Vec<_> =
        needs["libraries"].as_array().unwrap().iter().map(|it| (&it["name"], &it["driver"])).collect();
    let expected = [("libcuda.so.1".into(), true.into()), ("libnowhere.so.1".into(), false.into())];
    assert_eq!(libraries, expected.each_ref().map(|(name, driver)| (name, driver)));

    // Older than what a package says it needs is refused by the solver; a processor is seen in the files.
    project.edit("project.toml", "__archspec = \"1=haswell\"", "__archspec = \"1=nehalem\"");
    project.edit("project.toml", "libraries = [\"libnowhere.so*\"]", "libraries = []");
    fs::remove_file(&archive).unwrap();
    let refused = |words: &[&str]| {
        let ran = project.run(words).failure(1).says("lib/libodd.so of odd-1.0.0-").says("needs x86-64-v3");
        ran.says("needs libnowhere.so.1, and there is none");
    };
    refused(&["pack"]);
    refused(&["pack", "env", "-o", "one.tar"]);
    assert!(!archive.exists() && !project.path("one.tar").exists());
    let prefix = project.path(".envbuild/envs/env");
    refused(&["pack", "-p", prefix.to_str().unwrap(), "-o", "one.tar", "--target", "new"]);
    assert!(!project.path("one.tar").exists());
}

#[test]
fn files_that_cannot_be_moved_are_told_of_a_prefix_and_of_what_came_from_it() {
    let channel = channel();
    let project = sent(&channel);
    let prefix = project.path(".envbuild/envs/env");
    let name = prefix.join("lib/libcompiled.so");
    fs::write(project.path("place.c"), format!("const char *place(void) {{ return \"{}\"; }}\n", prefix.display()))
        .unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-nostdlib", "-o"]).arg(&name).arg(project.path("place.c"));
    assert!(compiler.status().unwrap().success());
    let prefix = prefix.to_str().unwrap();
    let ask = |what: &str| {
        let answer = project.run(&["check", what, "--target", "new", "--format", "json"]).failure(1).json();
        assert_eq!(answer["violations"].as_array().unwrap().len(), 1, "{answer:#}");
        let found = violation(&answer, "prefix");
        (found["file"].as_str().unwrap().to_owned(), found["needs"].as_str().unwrap().to_owned())
    };
    let expected = ("lib/libcompiled.so".to_owned(), format!("with room for {} bytes", prefix.len()));
    assert_eq!(ask(prefix), expected);
    assert_eq!(ask("env"), expected);
    // Here it may stay.
    let here = project.run(&["check", prefix, "--target", "this-machine", "--format", "json"]).json();
    assert!(!told(&here).iter().any(|(kind, ..)| kind == "prefix"), "{here}");
    let refused = project.run(&["pack", "-p", prefix, "-o", "env.tar", "--target", "new"]).failure(1);
    refused.says("lib/libcompiled.so, which is not of a package").says("cannot be changed");
    project.run(&["pack", "-p", prefix, "-o", "env.tar"]).success();
    assert_eq!(ask("./env.tar"), expected);
    let moved = project.beside("moved");
    project.run(&["unpack", "env.tar", "-p", moved.to_str().unwrap()]).success();
    assert_eq!(ask(moved.to_str().unwrap()), expected);
    // So a copy is still the same tree.
    project.run(&["pack", "-p", moved.to_str().unwrap(), "-o", "again.tar"]).success();
    assert!(fs::read(project.path("again.tar")).unwrap() == fs::read(project.path("env.tar")).unwrap());
}

#[test]
fn words_that_are_no_target_are_refused_before_anything_is_read() {
    let project = Project::new().manifest("[project]\nname = \"a\"\nchannels = []\n[targets.cluster]\n");
    project.run(&["check", "nothing", "--target", "clutser"]).failure(2).says("did you mean `cluster`?");
    project.run(&["check", "nothing", "--target", "glibc=2.17"]).failure(2).says("no machine is described by");
    project.run(&["check", "nothing", "--offline"]).failure(2).says("--target");
    project.run(&["check", "nothing", "--target", "cluster"]).failure(2).says("no environment is called");
}

#[test]
fn python_and_numpy_run_here_and_not_on_a_machine_of_2010() {
    let Some(base) = variable("ENVBUILD_TEST_CHANNEL") else {
        skip("conda channel with CPython (ENVBUILD_TEST_CHANNEL)");
        return;
    };
    let manifest = "[project]\nname = \"base\"\nchannels = [\"conda-forge\"]\n[environments.science]\ndependencies = \
                    [\"python 3.12.*\", \"numpy\"]\n";
    let project = Project::new().manifest(manifest).env("ENVBUILD_CHANNELS", base);
    project.run(&["install"]).success();
    project.run(&["check", "science", "--target", "this-machine"]).success().says("nothing is missing");
    let target = "__glibc=2.12,lib*.so*";
    let answer = project.run(&["check", "science", "--target", target, "--format", "json"]).failure(1).json();
    let found = answer["violations"].as_array().unwrap();
    let prefix = project.path(".envbuild/envs/science");
    let named: BTreeSet<&str> = found.iter().map(|it| it["file"].as_str().unwrap()).collect();
    // The same files, and of each the same version, as binutils finds.
    let mut expected = BTreeSet::new();
    for file in crate::support::files_below(&prefix) {
        if let Some(version) = readelf(&prefix.join(&file)).filter(|it| it.as_slice() > &[2, 12][..]) {
            let file = file.to_str().unwrap().to_owned();
            let it = found.iter().find(|it| it["file"] == *file).unwrap_or_else(|| panic!("{file} is not told"));
            let version = version.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
            assert_eq!(it["needs"], format!("GLIBC_{version}"), "{file}");
            assert!(
                it["package"].as_str().is_some_and(|it| it.starts_with("python-") || it.starts_with("numpy-")),
                "{it}"
            );
            expected.insert(file);
        }
    }
    assert!(expected.len() > 20, "{expected:?}");
    assert_eq!(named, expected.iter().map(String::as_str).collect());
}

/// The newest version of the GNU C library that binutils says a file needs.
fn readelf(file: &Path) -> Option<Vec<u64>> {
    if file.is_symlink() || !fs::read(file).ok()?.starts_with(b"\x7fELF") {
        return None;
    }
    let output = Command::new("readelf").args(["-W", "-V"]).arg(file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, needs) = text.split_once("Version needs section")?;
    let versions = needs.split("Name: GLIBC_").skip(1).map(|it| it.split_whitespace().next().unwrap().to_owned());
    versions.filter_map(|it| it.split('.').map(|it| it.parse().ok()).collect()).max()
}
