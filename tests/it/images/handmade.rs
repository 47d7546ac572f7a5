//! Packages with all that packages can have.

use std::fs;

use super::bench::{Bench, Package, What};

const LONG: &str =
    "/a/place/in/which/somebody/built/the/package/with/a/rather/long/name/that/has/room/for/a/prefix/of/some/length";
const SHORT: &str = "/opt/a/short/placeholder";

/// A string of a program, with room behind it.
fn binary(placeholder: &str) -> Vec<u8> {
    let mut bytes = b"\x7fELF\0\x01".to_vec();
    bytes.extend_from_slice(format!("{placeholder}/lib:{placeholder}/share\0next\0{placeholder}\0").as_bytes());
    bytes.extend_from_slice(&[0; 40]);
    bytes.extend_from_slice(format!("{placeholder}/end").as_bytes());
    bytes
}

#[test]
fn placeholders_of_all_kinds_are_replaced() {
    let bench = Bench::new();
    let (long, short) = (binary(LONG), binary(SHORT));
    let wide: Vec<u8> = format!("{LONG}/wide").encode_utf16().flat_map(u16::to_le_bytes).chain([0, 0, 0]).collect();
    let big = format!("{LONG}/x\n").repeat(9000);
    let script = |rest: &str| format!("#!{LONG}/bin/{rest}\necho {LONG}\n");
    let (perl, python, flags) = (script("perl -w"), script("python3.11"), script("python -E"));
    let one = bench.package(&Package {
        name: "one",
        files: vec![
            ("bin/perl-script", What::Text(LONG, &perl)),
            ("bin/python-script", What::Text(LONG, &python)),
            ("bin/flags", What::Text(LONG, &flags)),
            ("bin/plain", What::Plain(b"#!/bin/sh\necho plain\n")),
            ("bin/tool", What::Binary(LONG, &long)),
            ("etc/text", What::Text(LONG, &format!("first={LONG}\nlast={LONG}"))),
            ("etc/text-with-nul", What::Text(LONG, &format!("{LONG}\0{LONG}\0x"))),
            ("etc/none", What::Text(LONG, "nothing here\n")),
            ("etc/big", What::Text(LONG, &big)),
            ("lib/no-nul", What::Binary(LONG, format!("{LONG}/x:{LONG}/y").as_bytes())),
            ("lib/wide", What::Binary(LONG, &wide)),
            ("lib/none", What::Binary(LONG, b"\0nothing\0")),
            ("lib/module.pyc", What::Binary(LONG, &long)),
            ("share/execute-me", What::Program(b"x")),
            ("share/link", What::Link("../etc/text")),
            ("share/dangling", What::Link("nowhere")),
            ("share/absolute", What::Link("/usr/bin/env")),
            ("share/copy", What::NoLink("../etc/none")),
            ("etc/conda/env_vars.d/one.json", What::Text(LONG, &format!("{{\"ONE_HOME\": \"{LONG}/one\"}}"))),
            ("empty/.keep", What::Plain(b"")),
        ],
        ..Package::default()
    });
    let two = bench.package(&Package {
        name: "two",
        depends: &["one"],
        files: vec![("lib/two", What::Binary(SHORT, &short)), ("etc/two", What::Text(LONG, LONG))],
        ..Package::default()
    });
    let image = bench.image(std::slice::from_ref(&one)).unwrap();
    assert_eq!(image.placeholder.len(), LONG.len());
    let variables = envbuild::image::variables(&image.entries).unwrap();
    assert_eq!(variables["ONE_HOME"], format!("{}/one", image.placeholder));
    bench.assert_same(std::slice::from_ref(&one));

    let bench2 = Bench::new();
    let image = bench2.image(&[one.clone(), two.clone()]).unwrap();
    assert_eq!(image.placeholder.len(), SHORT.len(), "the shortest room counts");
    let made = bench2.assert_same(&[one, two]);
    let text = fs::read_to_string(made.join("etc/text")).unwrap();
    assert_eq!(text, format!("first={0}\nlast={0}", image.placeholder));
}

#[test]
fn the_package_that_comes_last_keeps_the_name() {
    let bench = Bench::new();
    let make = |name: &'static str, depends: &'static [&'static str], old: bool| {
        let text = format!("{name} {LONG}\n");
        let files = vec![
            ("share/shared", What::Text(LONG, &text)),
            ("share/plain", What::Plain(name.as_bytes())),
            (if name == "base" { "thing" } else { "thing/inside" }, What::Plain(name.as_bytes())),
            ("share/link", What::Link(if name == "base" { "plain" } else { "shared" })),
        ];
        bench.package(&Package { name, depends, files, old, ..Package::default() })
    };
    let records = [make("base", &[], false), make("upper", &["base"], false), make("zz", &["upper"], true)];
    let made = bench.assert_same(&records);
    assert_eq!(fs::read_to_string(made.join("share/plain")).unwrap(), "zz");
    assert_eq!(fs::read_to_string(made.join("__clobbers__/base/share/plain")).unwrap(), "base");
}

#[test]
fn old_packages_say_less_of_themselves() {
    let bench = Bench::new();
    let short = binary(SHORT);
    let record = bench.package(&Package {
        name: "old",
        old: true,
        files: vec![
            ("bin/tool", What::Binary(SHORT, &short)),
            ("bin/script", What::Text(SHORT, &format!("#!{SHORT}/bin/sh\n"))),
            ("etc/none", What::Text(SHORT, "nothing\n")),
            ("share/plain", What::Plain(b"plain\n")),
            ("share/link", What::Link("plain")),
        ],
        ..Package::default()
    });
    bench.assert_same(&[record]);
}

#[test]
fn pure_packages_follow_the_python() {
    let Some(mut records) = super::bench::real(&["python-3.11", "python_abi-3.11"]) else { return };
    let bench = Bench::new();
    let source = format!("HOME = '{LONG}'\n");
    records.push(bench.package(&Package {
        name: "pure",
        noarch: Some("python"),
        depends: &["python"],
        files: vec![
            ("site-packages/pure/__init__.py", What::Plain(b"def main():\n    return 3\n")),
            ("site-packages/pure/where.py", What::Text(LONG, &source)),
            ("site-packages/pure/broken.py", What::Plain(b"this is { no Python\n")),
            ("site-packages/pure/old.py", What::Plain(b"x = 1\n")),
            ("site-packages/pure/__pycache__/old.cpython-311.pyc", What::Plain(b"brought")),
            ("site-packages/shared.py", What::Plain(b"who = 'pure'\n")),
            ("python-scripts/pure-script", What::Text(LONG, &format!("#!{LONG}/bin/python\nprint(1)\n"))),
            ("share/pure.txt", What::Plain(b"data")),
        ],
        entry_points: &["pure = pure:main", "pure-sub = pure.sub:Class.method"],
        ..Package::default()
    }));
    records.push(bench.package(&Package {
        name: "other",
        noarch: Some("python"),
        depends: &["python", "pure"],
        files: vec![("site-packages/shared.py", What::Plain(b"who = 'other'\n"))],
        ..Package::default()
    }));
    let made = bench.assert_same(&records);
    let site = made.join("lib/python3.11/site-packages");
    assert_eq!(fs::read(site.join("pure/__pycache__/old.cpython-311.pyc")).unwrap(), b"brought");
    assert!(site.join("pure/__pycache__/__init__.cpython-311.pyc").exists());
    assert!(!site.join("pure/__pycache__/where.cpython-311.pyc").exists(), "it would name the placeholder");
    assert!(site.join("__pycache__/shared.cpython-311.pyc").exists());
    assert!(made.join("bin/pure-sub").exists() && made.join("bin/pure-script").exists());
}

#[test]
fn packages_that_cannot_be_laid_out_are_told() {
    let bench = Bench::new();
    let tight = bench.package(&Package {
        name: "tight",
        files: vec![("lib/x", What::Binary("/ab", b"\0/ab/lib\0"))],
        ..Package::default()
    });
    let error = bench.image(&[tight]).unwrap_err().to_string();
    assert!(error.contains("tight-1.0-0.conda") && error.contains("3 bytes"), "{error}");
    let gone = bench.package(&Package { name: "gone", ..Package::default() });
    fs::remove_file(gone.url.to_file_path().unwrap()).unwrap();
    let error = bench.image(&[gone]).unwrap_err().to_string();
    assert!(error.contains("gone-1.0-0.conda"), "{error}");
}
