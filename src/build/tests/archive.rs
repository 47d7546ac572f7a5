//! What is in an archive, and that it is the same wherever it was built.

use std::{fs, path::Path};

use serde_json::Value;

use super::bench::Bench;

const HELLO: &str = r#"
package: {name: hello-data, version: "1.0"}
build:
  noarch: generic
  script:
    - mkdir -p $PREFIX/share
    - cp $RECIPE_DIR/hello.txt $PREFIX/share/
    - test "$SOURCE_DATE_EPOCH $CPU_COUNT" = "1577836800 2"
tests:
  - package_contents: {files: [share/hello.txt]}
  - script: ["grep hello $PREFIX/share/hello.txt"]
"#;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_noarch_package_is_built_and_tested() {
    let bench = Bench::new();
    bench.write("recipes/hello-data/hello.txt", "hello\n");
    let built = bench.build(&bench.job("hello-data", HELLO)).unwrap();
    assert_eq!(built.subdir, "noarch");
    assert_eq!(built.build, format!("site_1_{}", built.content.short(10)));
    assert_eq!(built.archive, bench.path(&format!("out/hello-data-1.0-{}.conda", built.build)));
    assert_eq!((built.name.as_str(), built.version.as_str()), ("hello-data", "1.0"));
    assert!(built.resolved.is_empty());
    let package = bench.unpack(&built.archive);
    let index = json(&package.join("info/index.json"));
    assert_eq!(index["build"], *built.build);
    assert_eq!(index["timestamp"], super::super::TIMESTAMP * 1000);
    assert!(!package.join("info/recipe").exists());
    let left: Vec<_> = crate::base::fs::list(&bench.path("s")).unwrap();
    assert!(left.iter().all(|path| path.extension().is_some_and(|it| it == "lock")), "{left:?}");
}

/// A program with debug information and the name of its own source in it: both would tell where the recipe lay.
const HERE: &str = r#"
package: {name: here, version: "2.0"}
build:
  script:
    - mkdir -p $PREFIX/bin $PREFIX/share
    - cc -g -o $PREFIX/bin/here $RECIPE_DIR/here.c
    - echo "installed in $PREFIX" > $PREFIX/share/where.txt
tests:
  - script: ["here | grep here.c"]
about: {license: BSD-3-Clause, license_file: LICENSE}
"#;

fn here(bench: &Bench, checkout: &str) -> std::path::PathBuf {
    let mut job = bench.job("here", HERE);
    job.recipe = bench.write(&format!("{checkout}/recipes/here/recipe.yaml"), HERE);
    bench.write(
        &format!("{checkout}/recipes/here/here.c"),
        "#include <stdio.h>\nint main(void) { return puts(__FILE__) < 0; }\n",
    );
    bench.write(&format!("{checkout}/recipes/here/LICENSE"), "do what you like\n");
    job.out = bench.path(checkout).join("out");
    bench.build(&job).unwrap().archive
}

#[test]
fn two_checkouts_give_the_same_bytes() {
    let bench = Bench::new();
    let one = here(&bench, "one");
    let two = here(&bench, "another/checkout");
    assert_eq!(fs::read(one).unwrap(), fs::read(two).unwrap());
}

#[test]
fn two_builds_of_one_cell_wait_for_each_other() {
    let bench = Bench::new();
    let bench = &bench;
    let one = std::thread::scope(|scope| {
        let checkouts = ["a", "b", "c"].map(|checkout| scope.spawn(move || fs::read(here(bench, checkout)).unwrap()));
        checkouts.map(|build| build.join().unwrap())
    });
    assert!(one[0] == one[1] && one[1] == one[2]);
}

#[test]
fn an_archive_names_no_machine_user_or_checkout() {
    let bench = Bench::new();
    let package = bench.unpack(&here(&bench, "checkout"));
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let checkout = bench.path("checkout").display().to_string();
    let cache = bench.path("cache").display().to_string();
    #[expect(clippy::disallowed_methods, reason = "a test is started by the operating system, as main is")]
    let user = std::env::var("USER").unwrap_or_default();
    let scratch = bench.path("s").canonicalize().unwrap().display().to_string();
    // What a conda client replaces at installation is the padded prefix, which does begin with the scratch folder.
    let prefix = format!("{scratch}/here_");
    let mut files = 0;
    for entry in walk(&package) {
        files += 1;
        let bytes = fs::read(&entry).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in [host.trim(), &checkout, &cache] {
            assert!(!text.contains(secret), "{} tells {secret}", entry.display());
        }
        if user.len() > 4 {
            assert!(!text.contains(&user), "{} tells the user", entry.display());
        }
        if entry.starts_with(package.join("info")) && !entry.ends_with("paths.json") {
            assert!(!text.contains(&scratch), "{} tells the scratch folder", entry.display());
        }
        assert_eq!(text.matches(&scratch).count(), text.matches(&prefix).count(), "{}", entry.display());
    }
    assert!(files > 6, "{files} files");
    assert_eq!(json(&package.join("info/about.json"))["channels"], Value::Null);
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for path in crate::base::fs::list(folder).unwrap() {
        if path.is_dir() {
            files.extend(walk(&path));
        } else if path.is_file() {
            files.push(path);
        }
    }
    files
}
