//! Environments of real packages.

use std::{fs, os::unix::fs::MetadataExt as _};

use envbuild::{
    base::{Cancel, Progress},
    exec::{self, UnbundleRequest},
    image::{self, BundleRequest},
    unpack::Machine,
};

use super::bench::{Bench, real};
use crate::support::{assert_same_trees, tree_below};

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
    assert_same_trees(&tree_below(&bench.path("made")), &tree_below(&bench.by_image("again", &records)));
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
    assert_same_trees(&tree_below(&bench.path("made")), &tree_below(&bench.by_image("repaired", &records)));
}

#[test]
fn bytecode_of_a_bundle_is_kept_where_there_is_a_cache() {
    let Some(mut records) = real(&["python-3.13", "python_abi-3.13", "packaging-"]) else { return };
    records.sort_by(|one, other| one.package_record.name.cmp(&other.package_record.name));
    let folder = tempfile::tempdir().unwrap();
    let (bundle, cache) = (folder.path().join("env.bundle"), folder.path().join("cache"));
    let packages: Vec<_> = records.iter().map(|it| (it.clone(), it.url.to_file_path().unwrap())).collect();
    let cancel = Cancel::new();
    image::bundle(&BundleRequest {
        packages: &packages,
        specs: &[],
        name: "env",
        platform: rattler_conda_types::Subdir::Linux64,
        lock: b"",
        own: &[],
        lists: &[],
        goal: &bundle,
        folder: false,
        cancel: &cancel,
    })
    .unwrap();
    let unbundle = |name: &str| {
        let prefix = folder.path().join(name);
        let (machine, progress) = (&Machine::default(), Progress::none());
        let request = UnbundleRequest {
            bundle: &bundle,
            prefix: &prefix,
            machine,
            cache: Some(&cache),
            progress,
            cancel: &cancel,
        };
        exec::unbundle(&request).unwrap();
        prefix.join("lib/python3.13/site-packages/packaging/__pycache__/tags.cpython-313.pyc")
    };
    // Nobody makes caches where none is.
    let without = fs::read(unbundle("one")).unwrap();
    assert!(!cache.exists());
    fs::create_dir(&cache).unwrap();
    let kept = || -> Vec<(std::path::PathBuf, u64)> {
        let kept = fs::read_dir(cache.join("bytecode")).unwrap().map(|it| it.unwrap());
        kept.map(|it| (it.path(), it.metadata().unwrap().ino())).collect()
    };
    assert!(fs::read(unbundle("two")).unwrap() == without, "the bytecode differs");
    let before = kept();
    assert_eq!(before.len(), 1, "{before:?}");
    assert!(fs::read(unbundle("six")).unwrap() == without, "the bytecode differs");
    assert_eq!(kept(), before, "nothing is compiled twice");
}

#[test]
fn without_a_python_there_are_no_pure_packages() {
    let Some(records) = real(&["packaging-"]) else { return };
    let error = Bench::new().image(&records).unwrap_err().to_string();
    assert!(error.contains("packaging-") && error.contains("needs a Python"), "{error}");
}
