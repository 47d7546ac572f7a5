//! Environments of real packages.

use std::{fs, os::unix::fs::MetadataExt as _};

use super::bench::{Bench, real};

const PURE: [&str; 6] = ["cython-", "packaging-", "pip-", "pkgconfig-", "setuptools-", "wheel-"];

fn with_python(version: &str) -> Option<Vec<rattler_conda_types::RepoDataRecord>> {
    let numpy = format!("numpy-2.2.6-py{}", version.replace('.', ""));
    let (python, abi) = (format!("python-{version}"), format!("python_abi-{version}"));
    real(&[&[python.as_str(), &abi, &numpy], &PURE[..]].concat())
}

#[test]
fn an_old_python_is_the_same() {
    let Some(records) = with_python("3.10") else { return };
    Bench::new().assert_same(&records);
}

#[test]
fn a_new_python_is_the_same_and_its_bytecode_is_kept() {
    let Some(mut records) = with_python("3.13") else { return };
    let bench = Bench::new();
    bench.assert_same(&records);
    let kept = |bench: &Bench| -> Vec<(std::path::PathBuf, u64)> {
        let mut kept: Vec<_> = fs::read_dir(bench.path("kept")).unwrap().map(|it| it.unwrap().path()).collect();
        kept.sort();
        kept.into_iter().map(|path| (path.clone(), path.metadata().unwrap().ino())).collect()
    };
    let before = kept(&bench);
    assert_eq!(before.len(), PURE.len());
    // In another order, and from what is kept.
    records.reverse();
    super::bench::assert_same_trees(&bench.path("made"), &bench.by_image("again", &records));
    assert_eq!(kept(&bench), before, "nothing is compiled twice");
    // What somebody changed there is not believed.
    let mut folders = vec![before[0].0.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "pyc") {
                fs::write(path, b"changed").unwrap();
            }
        }
    }
    super::bench::assert_same_trees(&bench.path("made"), &bench.by_image("repaired", &records));
}

#[test]
fn without_a_python_there_are_no_pure_packages() {
    let Some(records) = real(&["packaging-"]) else { return };
    let error = Bench::new().image(&records).unwrap_err().to_string();
    assert!(error.contains("packaging-") && error.contains("needs a Python"), "{error}");
}
