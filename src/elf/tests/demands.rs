//! What files need of a machine, on files of the system's compiler, held against `readelf`.

use std::{fs, path::Path, process::Command};

use super::super::{Demands, Level, demands, demands_of};

fn cc(arguments: &[&str]) {
    let output = Command::new("c++").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Compiles a C program, with these arguments of the compiler.
fn compiled(folder: &Path, name: &str, source: &str, more: &[&str]) -> Demands {
    let text = folder.join(format!("{name}.cc"));
    fs::write(&text, source).unwrap();
    let file = folder.join(name);
    cc(&[&["-o", file.to_str().unwrap(), text.to_str().unwrap()], more].concat());
    demands(&file).unwrap().unwrap()
}

const MAIN: &str = "int main() { return 0; }\n";

/// What `readelf -V` says a file needs, as pairs of library and version.
fn readelf(file: &Path) -> Vec<(String, String)> {
    let output = Command::new("readelf").args(["-W", "-V"]).arg(file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (mut library, mut found) = (String::new(), Vec::new());
    let word =
        |line: &str, key: &str| line.split_once(key).map(|it| it.1.split_whitespace().next().unwrap().to_owned());
    for line in text.lines().skip_while(|it| !it.starts_with("Version needs section")) {
        library = word(line, "File: ").unwrap_or(library);
        found.extend(word(line, "Name: ").map(|version| (library.clone(), version)));
    }
    found
}

#[test]
fn versions_are_those_that_readelf_prints() {
    let mut seen = 0;
    for file in ["/bin/sh", "/bin/bash", "/usr/bin/c++", "/usr/bin/readelf", "/usr/bin/git", "/usr/bin/cmake"] {
        let file = Path::new(file);
        let Some(found) = file.is_file().then(|| demands(file).unwrap()).flatten() else { continue };
        let found: Vec<_> = found.needed.into_iter().map(|it| (it.library, it.version)).collect();
        assert_eq!(found, readelf(file), "{}", file.display());
        seen += found.len();
    }
    assert!(seen > 5, "only {seen} versions");
}

#[test]
fn the_level_of_the_processor_is_read_from_the_notes() {
    let folder = tempfile::tempdir().unwrap();
    let level = |name: &str, more: &[&str]| compiled(folder.path(), name, MAIN, more).level;
    if cfg!(target_arch = "x86_64") {
        assert_eq!(level("plain", &[]).unwrap_or_default(), Level::Baseline);
        for (option, expected) in [("v2", Level::V2), ("v3", Level::V3), ("v4", Level::V4)] {
            assert_eq!(level(option, &[&format!("-Wl,-z,x86-64-{option}")]), Some(expected));
            assert_eq!(expected.to_string(), format!("x86-64-{option}"));
        }
    }
}

#[test]
fn versions_of_cxx_libraries_and_weak_ones_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let source = "#include <string>\n#include <stdexcept>\nint main(int n, char **v) { std::string s(v[0]); s += s; if (n > \
                  9) throw std::runtime_error(s); return s.size() == 1; }\n";
    let found = compiled(folder.path(), "words", source, &[]);
    for beginning in ["GLIBCXX_3.4", "CXXABI_1.3"] {
        let fits = |it: &&super::super::SymbolVersion| it.version.starts_with(beginning);
        let version = found.needed.iter().find(fits).unwrap_or_else(|| panic!("{beginning} is not in {found:?}"));
        assert_eq!((version.library.as_str(), version.weak), ("libstdc++.so.6", false));
    }
    assert!(found.defined.is_empty());
}

#[test]
fn a_file_in_memory_gives_what_it_gives_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let found = compiled(folder.path(), "program", MAIN, &[]);
    let bytes = fs::read(folder.path().join("program")).unwrap();
    assert_eq!(demands_of(&bytes[..], Path::new("program")).unwrap(), Some(found));
    assert_eq!(demands_of(&b"#!/bin/sh\n"[..], Path::new("script")).unwrap(), None);
    assert_eq!(demands(&folder.path().join("program.cc")).unwrap(), None);
}

#[test]
fn damage_is_an_error_or_nothing_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    compiled(folder.path(), "program", MAIN, &["-Wl,--build-id"]);
    let bytes = fs::read(folder.path().join("program")).unwrap();
    let mut errors = 0;
    let mut attempt = |bytes: &[u8]| errors += usize::from(demands_of(bytes, Path::new("it")).is_err());
    for length in 0..bytes.len().min(6000) {
        attempt(&bytes[..length]);
    }
    for at in 0..bytes.len() {
        for value in [0, 0xff, bytes[at] ^ 0x41, bytes[at] ^ 0x80] {
            let mut changed = bytes.clone();
            changed[at] = value;
            attempt(&changed);
        }
    }
    assert!(errors > 100, "only {errors} were found to be damaged");
}
