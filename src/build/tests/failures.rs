//! Builds that fail, what they say, and what they leave.

use std::fs;

use miette::Diagnostic as _;

use super::bench::Bench;
use crate::build::BuildError;

fn recipe(script: &str, tests: &str) -> String {
    format!(
        "package: {{name: bad, version: '1'}}\nbuild:\n  noarch: generic\n  script:\n    - {script}\ntests: {tests}\n"
    )
}

#[test]
fn a_failing_script_names_the_package_the_status_and_the_folder() {
    let bench = Bench::new();
    let error = bench.build(&bench.job("bad", &recipe("echo on the way && exit 7", "[]"))).unwrap_err();
    let BuildError::Script { status, folder, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*status, 7);
    assert_eq!(error.to_string(), "the build script of `bad` failed with exit status 7");
    assert!(fs::read_to_string(folder.join("work/conda_build.log")).unwrap().contains("on the way"));
    assert!(error.help().unwrap().to_string().contains(&folder.display().to_string()));
    assert!(!bench.path("out").exists());
    // What is left is no obstacle to the next build.
    bench.build(&bench.job("bad", &recipe("mkdir -p $PREFIX/share && touch $PREFIX/share/x", "[]"))).unwrap();
}

#[test]
fn a_failing_test_fails_the_build() {
    let bench = Bench::new();
    let tests =
        "[{script: ['test -e $PREFIX/x']}, {package_contents: {files: [x]}}, {script: ['echo so it ends', 'exit 3']}]";
    let error = bench.build(&bench.job("bad", &recipe("touch $PREFIX/x", tests))).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, BuildError::Test { .. }), "{error:?}");
    assert_eq!(text, "test 3 of 3 (commands) of `bad` failed: its script ended with exit status 3");
    assert!(!bench.path("out").exists());
}

#[test]
fn a_missing_file_fails_the_build() {
    let bench = Bench::new();
    let tests = "[{package_contents: {files: [share/absent]}}]";
    let error = bench.build(&bench.job("bad", &recipe("touch $PREFIX/x", tests))).unwrap_err();
    assert!(error.to_string().starts_with("test 1 of 1 (package contents) of `bad` failed"), "{error}");
}

#[test]
fn a_test_that_cannot_be_installed_fails_the_build() {
    let bench = Bench::new();
    let tests = "[{script: ['true'], requirements: {run: [no-such-tool]}}]";
    let error = bench.build(&bench.job("bad", &recipe("touch $PREFIX/x", tests))).unwrap_err();
    assert!(error.to_string().contains("no-such-tool"), "{error}");
}

#[test]
fn a_scratch_folder_with_a_long_path_is_refused() {
    let bench = Bench::new();
    let mut job = bench.job("bad", &recipe("true", "[]"));
    job.scratch = bench.path(&"long".repeat(60));
    let error = bench.build(&job).unwrap_err();
    assert!(matches!(error, BuildError::PathTooLong { .. }), "{error:?}");
    assert!(error.help().unwrap().to_string().contains("shorter scratch folder"));
}

#[test]
fn everybody_may_use_the_scratch_folder_and_its_locks() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    bench.build(&bench.job("bad", &recipe("touch $PREFIX/x", "[]"))).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&bench.path("s")), 0o1777);
    let left = crate::base::fs::list(&bench.path("s")).unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(mode(&left[0]), 0o666);
}

#[test]
fn values_that_cannot_be_used_are_named() {
    let bench = Bench::new();
    let mut job = bench.job("bad", &recipe("true", "[]"));
    job.platform = "linux-65".to_owned();
    assert!(bench.build(&job).unwrap_err().to_string().contains("the platform `linux-65` cannot be used"));
    let mut job = bench.job("bad", &recipe("true", "[]"));
    job.channels = vec!["conda forge".to_owned()];
    assert!(bench.build(&job).unwrap_err().to_string().contains("the channel URL `conda forge` cannot be used"));
}
