//! Sources by URL that were fetched before.

use std::{fs, path::Path, process::Command};

use rattler_digest::{Sha256, compute_file_digest};

use super::bench::Bench;
use crate::build::{BuildError, BuildJob, FetchedSource};

const RECIPE: &str = r#"
package: {name: sourced, version: "1.0"}
source:
  - url: https://sources.invalid/thing-1.0.tar.gz
    sha256: TARBALL
    target_directory: thing
    patches: [fix.patch]
  - url:
      - https://sources.invalid/single.txt
      - https://mirror.invalid/single.txt
    sha256: SINGLE
    patches: [single.patch]
build:
  noarch: generic
  script:
    - mkdir -p $PREFIX/share
    - cp thing/hello.txt single.txt $PREFIX/share/
"#;

const PATCH: &str = "--- a/FILE\n+++ b/FILE\n@@ -1 +1 @@\n-wrong\n+right\n";

fn sha256(path: &Path) -> String {
    hex::encode(compute_file_digest::<Sha256>(path).unwrap())
}

fn prepare(bench: &Bench) -> BuildJob {
    bench.write("thing-1.0/hello.txt", "wrong\n");
    let single = bench.write("store/b/single.txt", "wrong\n");
    let tarball = bench.path("store/a/thing-1.0.tar.gz");
    fs::create_dir_all(tarball.parent().unwrap()).unwrap();
    let folder = bench.folder.path();
    let packed = Command::new("tar").arg("-C").arg(folder).arg("-czf").arg(&tarball).arg("thing-1.0").status();
    assert!(packed.unwrap().success());
    let recipe = RECIPE.replace("TARBALL", &sha256(&tarball)).replace("SINGLE", &sha256(&single));
    let mut job = bench.job("sourced", &recipe);
    bench.write("recipes/sourced/fix.patch", &PATCH.replace("FILE", "hello.txt"));
    bench.write("recipes/sourced/single.patch", &PATCH.replace("FILE", "single.txt"));
    let fetched = |url: &str, file| FetchedSource { url: url.to_owned(), file };
    job.sources = vec![
        fetched("https://sources.invalid/thing-1.0.tar.gz", tarball),
        fetched("https://mirror.invalid/single.txt", single),
    ];
    job
}

#[test]
fn fetched_sources_are_unpacked_and_patched() {
    let bench = Bench::new();
    let job = prepare(&bench);
    let package = bench.unpack(&bench.build(&job).unwrap().archive);
    assert_eq!(fs::read_to_string(package.join("share/hello.txt")).unwrap(), "right\n");
    assert_eq!(fs::read_to_string(package.join("share/single.txt")).unwrap(), "right\n");
}

#[test]
fn a_changed_file_is_refused() {
    let bench = Bench::new();
    let job = prepare(&bench);
    fs::write(&job.sources[1].file, "other\n").unwrap();
    let error = bench.build(&job).unwrap_err();
    assert!(matches!(error, BuildError::Source { .. }), "{error:?}");
    assert!(error.to_string().contains("sha256") || error.to_string().contains("SHA256"), "{error}");
}

#[test]
fn a_source_that_was_not_fetched_is_an_error() {
    let bench = Bench::new();
    let mut job = prepare(&bench);
    job.sources.remove(0);
    let error = bench.build(&job).unwrap_err();
    let expected =
        "the source `https://sources.invalid/thing-1.0.tar.gz` of `sourced` was not fetched before the build";
    assert_eq!(error.to_string(), expected);
    let left = crate::base::fs::list(&bench.path("s")).unwrap();
    assert!(left.iter().all(|path| path.is_file()), "{left:?}");
}

#[test]
fn a_source_beside_the_recipe_is_found_through_the_link() {
    let bench = Bench::new();
    let recipe = "package: {name: beside, version: '1'}\nsource: {path: ../../code}\nbuild:\n  noarch: generic\n  script: [\"cp here.txt $PREFIX/\"]\n";
    bench.write("code/here.txt", "here\n");
    let package = bench.unpack(&bench.build(&bench.job("beside", recipe)).unwrap().archive);
    assert!(package.join("here.txt").exists());
}
