//! Small prefixes with every kind of file.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{AdoptOptions, Adopted, Compiled, Editables, adopt};
use crate::tree::{Entry, placeholder};

/// A prefix whose packages are written as an installer writes them.
struct Prefix {
    room: tempfile::TempDir,
    packages: Vec<(String, Vec<Value>)>,
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(rattler_digest::compute_bytes_digest::<rattler_digest::Sha256>(bytes))
}

/// What an installer makes of a file: in binary ones strings keep their length.
fn installed(original: &[u8], placeholder: &str, prefix: &str, binary: bool) -> Vec<u8> {
    let text = |bytes: &[u8]| {
        let mut out = Vec::new();
        let mut rest = bytes;
        while let Some(at) = memchr::memmem::find(rest, placeholder.as_bytes()) {
            out.extend_from_slice(&rest[..at]);
            out.extend_from_slice(prefix.as_bytes());
            rest = &rest[at + placeholder.len()..];
        }
        out.extend_from_slice(rest);
        out
    };
    if !binary {
        return text(original);
    }
    let one = |string: &[u8]| {
        let mut out = text(string);
        out.resize(string.len(), 0);
        out
    };
    original.split(|byte| *byte == 0).map(one).collect::<Vec<_>>().join(&0)
}

impl Prefix {
    fn new() -> Self {
        let room = tempfile::Builder::new().prefix("e").rand_bytes(4).tempdir_in("/tmp").unwrap();
        fs::create_dir(room.path().join("e")).unwrap();
        Self { room, packages: Vec::new() }
    }

    fn path(&self) -> PathBuf {
        self.room.path().canonicalize().unwrap().join("e")
    }

    fn text(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// A file of a package, with the placeholder of that length or without one.
    fn file(&mut self, package: &str, name: &str, original: &[u8], how: Option<(&str, bool)>) {
        let mut entry = json!({ "_path": name, "path_type": "hardlink", "sha256": sha256(original) });
        let bytes = match how {
            None => original.to_vec(),
            Some((placeholder, binary)) => {
                let bytes = installed(original, placeholder, &self.text(), binary);
                entry["prefix_placeholder"] = placeholder.into();
                entry["file_mode"] = if binary { "binary" } else { "text" }.into();
                entry["sha256_in_prefix"] = sha256(&bytes).into();
                bytes
            }
        };
        self.write(name, bytes);
        match self.packages.iter_mut().find(|(it, _)| it == package) {
            Some((_, entries)) => entries.push(entry),
            None => self.packages.push((package.to_owned(), vec![entry])),
        }
    }

    fn adopt(&self, options: &AdoptOptions) -> Adopted {
        fs::create_dir_all(self.path().join("conda-meta")).unwrap();
        for (name, entries) in &self.packages {
            let record = json!({
                "name": name, "version": "1", "build": "0", "build_number": 0, "subdir": "linux-aarch64", "depends": [],
                "fn": format!("{name}-1-0.conda"), "url": format!("file:///c/{name}-1-0.conda"), "channel": "c",
                "files": entries.iter().map(|it| it["_path"].clone()).collect::<Vec<_>>(),
                "paths_data": { "paths_version": 1, "paths": entries },
            });
            self.write(&format!("conda-meta/{name}-1-0.json"), record.to_string());
        }
        adopt(&self.path(), options).unwrap()
    }
}

fn content(adopted: &Adopted, name: &str) -> Vec<u8> {
    let Some(Entry::File(file)) = adopted.entries.get(name.as_bytes()) else { panic!("{name} is not there") };
    let mut bytes = Vec::new();
    file.content.open().unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, file.content.size(), "{name}");
    bytes
}

#[test]
fn what_packages_brought_gets_the_placeholder_where_theirs_was() {
    let (short, long) =
        ("/opt/placeholder/of/a/package/with/forty/x", "/home/builder/placeholder/of/sixty/bytes/xxxxxxxxxxxxxxxxxxx");
    let mut prefix = Prefix::new();
    let old = prefix.text();
    let binary = |it: &str| format!("ELF\0{it}/lib:{it}/share/x:{it}\0\0tail\0{it}/bin").into_bytes();
    prefix.file("one", "lib/short.so", &binary(short), Some((short, true)));
    prefix.file("one", "lib/long.so", &binary(long), Some((long, true)));
    // Installers replace whatever follows, and a package may name a path that looks like this prefix.
    let glued = format!("{short}2 {short}.bak /x{short}\n");
    prefix.file("one", "etc/glued", glued.as_bytes(), Some((short, false)));
    let own = format!("this is about {old}/bin\n");
    prefix.file("two", "share/doc", own.as_bytes(), None);
    let both = format!("{short}/a and {old}/b\n");
    prefix.file("two", "etc/both", both.as_bytes(), Some((short, false)));
    // Some installers replace wide characters, too.
    let wide = |it: &str| it.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let with_wide = |it: &str| [&b"\x7fELF\0"[..], &wide(it), &[0; 300]].concat();
    prefix.file("two", "lib/wide.so", &with_wide(short), Some((short, true)));
    prefix.write("lib/wide.so", with_wide(&old));
    prefix.packages[1].1.last_mut().unwrap()["sha256_in_prefix"] = sha256(&with_wide(&old)).into();
    let adopted = prefix.adopt(&AdoptOptions::default());
    let new = placeholder(short.len());
    assert_eq!(adopted.placeholder, new);
    assert_eq!(adopted.platform, "linux-aarch64");
    let expected = |it: &str, from: &str, binary| installed(it.as_bytes(), from, &new, binary);
    for (name, from) in [("lib/short.so", short), ("lib/long.so", long)] {
        assert_eq!(content(&adopted, name), installed(&binary(from), from, &new, true), "{name}");
    }
    assert_eq!(content(&adopted, "etc/glued"), expected(&glued, short, false));
    assert_eq!(content(&adopted, "share/doc"), own.as_bytes(), "it is not a prefix there");
    assert!(adopted.report.conda.iter().all(super::Package::is_whole), "{:?}", adopted.report);
    let unfixable: Vec<_> = adopted.report.unfixable.iter().map(|it| (it.file.as_str(), it.room)).collect();
    assert_eq!(unfixable, [("lib/wide.so", 0)], "it is told that this one cannot be understood");
}

#[test]
fn changed_files_and_files_of_nobody_keep_what_they_have() {
    let long = "/home/builder/placeholder/of/sixty/bytes/xxxxxxxxxxxxxxxxxxx";
    let mut prefix = Prefix::new();
    let old = prefix.text();
    let original = format!("\0{long}/lib\0code code\0").into_bytes();
    prefix.file("one", "lib/patched.so", &original, Some((long, true)));
    let mut patched = installed(&original, long, &old, true);
    let at = patched.len() - 3;
    patched[at] = b'!';
    prefix.write("lib/patched.so", &patched);
    prefix.file("one", "lib/replaced.so", &original, Some((long, true)));
    prefix.write("lib/replaced.so", format!("\x7fELF\0{old}/own\0more"));
    prefix.file("one", "lib/deleted.so", &original, Some((long, true)));
    fs::remove_file(prefix.path().join("lib/deleted.so")).unwrap();
    prefix.write("lib/own.so", format!("\x7fELF\0{old}/a:{old}\0\0\0\0x{old}2\0"));
    let pickle = [b"\x80\x04\x95\0\0\x8c\x0f", old.as_bytes(), b"\x94."].concat();
    prefix.write("share/pickle", &pickle);
    prefix.write("bin/script", format!("#!{old}/bin/python3 -E\nimport x # {old}\n"));
    prefix.file("two", "share/both", b"of two", None);
    prefix.file("three", "share/both", b"of three", None);

    let adopted = prefix.adopt(&AdoptOptions::default());
    let new = placeholder(long.len());
    assert_eq!(adopted.placeholder, new);
    let mut expected = installed(&original, long, &new, true);
    expected[at] = b'!';
    assert_eq!(content(&adopted, "lib/patched.so"), expected, "there is still the package's room");
    assert_eq!(content(&adopted, "lib/replaced.so"), format!("\x7fELF\0{old}/own\0more").as_bytes());
    let script = format!("#!{new}/bin/python3 -E\nimport x # {new}\n");
    assert_eq!(String::from_utf8(content(&adopted, "bin/script")).unwrap(), script);
    let report = &adopted.report;
    let unfixable: Vec<_> = report.unfixable.iter().map(|it| (it.file.as_str(), it.room)).collect();
    assert_eq!(unfixable, [("lib/own.so", old.len()), ("lib/replaced.so", old.len()), ("share/pickle", 0)]);
    let one = report.conda.iter().find(|it| it.name == "one").unwrap();
    assert_eq!(
        one.changed.iter().map(|it| it.file.as_str()).collect::<Vec<_>>(),
        ["lib/patched.so", "lib/replaced.so"]
    );
    assert_eq!(one.missing, ["lib/deleted.so"]);
    assert_eq!(report.clobbered[0].packages, ["three", "two"]);
    assert_eq!(report.clobbered[0].is_of.as_deref(), Some("three"));
    let two = report.conda.iter().find(|it| it.name == "two").unwrap();
    assert_eq!(two.changed[0].by.as_deref(), Some("three"));

    let limited = prefix.adopt(&AdoptOptions { compiled: Compiled::Limit, ..AdoptOptions::default() });
    let new = placeholder(old.len());
    assert_eq!(limited.placeholder, new);
    assert_eq!(content(&limited, "lib/own.so"), format!("\x7fELF\0{new}/a:{new}\0\0\0\0x{old}2\0").as_bytes());
    assert_eq!(content(&limited, "share/pickle"), pickle, "its strings have lengths of their own");
    assert_eq!(limited.report.unfixable.len(), 1);
}

#[test]
fn conda_names_files_of_pure_python_packages_as_the_package_has_them() {
    let placeholder = "/opt/placeholder/of/a/package/with/forty/x";
    let mut prefix = Prefix::new();
    prefix.file("pure", "lib/python3.13t/site-packages/pure/a.py", b"import pure\n", None);
    prefix.file("pure", "lib/python3.13t/site-packages/pure/b.py", b"import b\n", None);
    prefix.file("pure", "bin/tool", format!("#!{placeholder}/bin/python\n").as_bytes(), Some((placeholder, false)));
    prefix.adopt(&AdoptOptions::default());
    let record = prefix.path().join("conda-meta/pure-1-0.json");
    let mut value: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    value["noarch"] = "python".into();
    for (entry, name) in
        ["site-packages/pure/a.py", "site-packages/pure/b.py", "python-scripts/tool"].iter().enumerate()
    {
        value["paths_data"]["paths"][entry]["_path"] = (*name).into();
    }
    fs::write(&record, value.to_string()).unwrap();
    prefix.write("lib/python3.13t/site-packages/pure/b.py", "import changed\n");

    let options = AdoptOptions {
        filters: super::Filters::new(&[super::Filter::Exclude("*/a.py".to_owned())]).unwrap(),
        ..AdoptOptions::default()
    };
    for options in [AdoptOptions::default(), options] {
        let adopted = adopt(&prefix.path(), &options).unwrap();
        let pure = &adopted.report.conda[0];
        assert_eq!((pure.missing.len(), adopted.report.unmanaged), (0, 0), "{:?}", adopted.report);
        let changed: Vec<_> = pure.changed.iter().map(|it| it.file.as_str()).collect();
        assert_eq!(changed, ["lib/python3.13t/site-packages/pure/b.py"]);
        assert!(!String::from_utf8(content(&adopted, "bin/tool")).unwrap().contains(&prefix.text()));
        let record = String::from_utf8(content(&adopted, "conda-meta/pure-1-0.json")).unwrap();
        assert_eq!(
            record.contains("a.py"),
            adopted.entries.contains_key(&b"lib/python3.13t/site-packages/pure/a.py"[..])
        );
    }
}

#[test]
fn a_long_placeholder_gives_scripts_their_long_form() {
    let long = format!("/{}", "h".repeat(200));
    let mut prefix = Prefix::new();
    let old = prefix.text();
    let script = format!("#!{long}/bin/python3.11 -s\nprint('{long}')\n");
    prefix.file("one", "bin/tool", script.as_bytes(), Some((&long, false)));
    prefix.write("bin/perl-tool", format!("#!{old}/bin/perl\n"));
    let adopted = prefix.adopt(&AdoptOptions::default());
    let new = &adopted.placeholder;
    let expected = format!("#!/bin/sh\n'''exec' \"{new}/bin/python3.11\" -s \"$0\" \"$@\" #'''\nprint('{new}')\n");
    assert_eq!(String::from_utf8(content(&adopted, "bin/tool")).unwrap(), expected);
    assert_eq!(content(&adopted, "bin/perl-tool"), b"#!/usr/bin/env perl\n");

    // And one that an installer has given that form is still the package's.
    let mut other = Prefix::new();
    other.file("one", "bin/tool", script.as_bytes(), Some((&long, false)));
    let there = expected.replace(new.as_str(), &other.text());
    other.write("bin/tool", &there);
    other.packages[0].1[0].as_object_mut().unwrap().remove("sha256_in_prefix");
    let adopted = other.adopt(&AdoptOptions::default());
    assert!(adopted.report.conda[0].is_whole(), "{:?}", adopted.report.conda);
    assert_eq!(String::from_utf8(content(&adopted, "bin/tool")).unwrap(), expected);
}

#[test]
fn packages_in_editable_mode_are_refused_left_out_or_brought_along() {
    let prefix = Prefix::new();
    let sources = prefix.room.path().canonicalize().unwrap().join("sources");
    let source = |name: &str| sources.join(name);
    for (file, text) in [
        ("old/oldie/__init__.py", "import oldie.sub"),
        ("old/oldie/sub.py", ""),
        ("old/setup.py", ""),
        ("old/oldie.egg-info/PKG-INFO", "Name: oldie\nVersion: 3\n"),
        ("dev/developed.py", ""),
        ("new/src/newer/__init__.py", ""),
        ("new/src/newer/__pycache__/x.pyc", ""),
    ] {
        let path = source(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let site = "lib/python3.11/site-packages";
    let (old, dev, new) = (source("old"), source("dev"), source("new"));
    prefix.write(&format!("{site}/oldie.egg-link"), format!("{}\n.", old.display()));
    prefix.write(&format!("{site}/easy-install.pth"), format!("{}\n./inside.egg\n", old.display()));
    prefix.write(&format!("{site}/conda.pth"), format!("{}\n", dev.display()));
    prefix.write(&format!("{site}/_newer.pth"), format!("{}/src\n", new.display()));
    let dist = format!("{site}/newer-1.dist-info");
    prefix.write(&format!("{dist}/METADATA"), "Metadata-Version: 2.1\nName: newer\nVersion: 1\n\nName: no\n");
    let url = format!("{{\"url\": \"file://{}\", \"dir_info\": {{\"editable\": true}}}}", new.display());
    prefix.write(&format!("{dist}/direct_url.json"), url);
    let record =
        "_newer.pth,,\nnewer-1.dist-info/METADATA,,\nnewer-1.dist-info/direct_url.json,,\n../../../bin/newer,,\n";
    prefix.write(&format!("{dist}/RECORD"), format!("{record}newer-1.dist-info/RECORD,,\n"));
    prefix.write("bin/newer", "#!/bin/sh\n");
    prefix.write("conda-meta/history", "");

    let refused = adopt(&prefix.path(), &AdoptOptions::default()).unwrap_err();
    let told: Vec<String> = refused.problems().iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for (name, folder) in [("newer", &new), ("oldie", &old), ("dev", &dev)] {
        let beginning =
            format!("`{name}` is installed in editable mode: Python imports it from `{}`", folder.display());
        assert!(told.iter().any(|it| it.starts_with(&beginning)), "{told:?}");
    }
    let names = |adopted: &Adopted| {
        let below =
            adopted.entries.iter().filter(|(name, entry)| name.starts_with(b"lib/") && **entry != Entry::Folder);
        let site = format!("{site}/");
        below.map(|(name, _)| String::from_utf8(name.clone()).unwrap().replace(&site, "")).collect::<Vec<_>>()
    };
    let left = prefix.adopt(&AdoptOptions { editables: Editables::LeaveOut, ..AdoptOptions::default() });
    assert_eq!(names(&left), ["conda.pth", "easy-install.pth"]);
    assert!(!left.entries.contains_key(&b"bin/newer"[..]));
    assert_eq!(content(&left, &format!("{site}/easy-install.pth")), b"./inside.egg\n");
    assert_eq!(content(&left, &format!("{site}/conda.pth")), b"");

    let brought = prefix.adopt(&AdoptOptions { editables: Editables::Include, ..AdoptOptions::default() });
    let dist = ["newer-1.dist-info/METADATA", "newer-1.dist-info/RECORD", "newer/__init__.py"];
    let rest = ["oldie.egg-info/PKG-INFO", "oldie/__init__.py", "oldie/sub.py"];
    let expected = [&["conda.pth", "developed.py", "easy-install.pth"][..], &dist, &rest].concat();
    assert_eq!(names(&brought), expected);
    let record = String::from_utf8(content(&brought, &format!("{site}/newer-1.dist-info/RECORD"))).unwrap();
    let lines =
        ["../../../bin/newer,,", "newer-1.dist-info/METADATA,,", "newer-1.dist-info/RECORD,,", "newer/__init__.py,,"];
    assert_eq!(record.lines().collect::<Vec<_>>(), lines);
    assert!(brought.report.editable.iter().all(|it| it.included));

    fs::rename(&dev, source("moved")).unwrap();
    let options = AdoptOptions { editables: Editables::Include, ..AdoptOptions::default() };
    let gone = adopt(&prefix.path(), &options).unwrap_err();
    assert!(gone.problems()[0].to_string().contains("is not there"), "{gone:?}");
}

#[test]
fn scripts_that_pip_has_made_are_whole_wherever_the_environment_has_been_moved() {
    let prefix = Prefix::new();
    let dist = "lib/python3.11/site-packages/tool-1.dist-info";
    prefix.write(&format!("{dist}/METADATA"), "Metadata-Version: 2.1\nName: tool\nVersion: 1\n");
    prefix.write("bin/tool", format!("#!{}/bin/python\nimport tool\n", prefix.text()));
    prefix.write("bin/data", format!("{}\n", prefix.text()));
    let lines = ["../../../bin/tool", "../../../bin/data"].map(|it| format!("{it},sha256=of_another_prefix,9\n"));
    prefix.write(&format!("{dist}/RECORD"), lines.concat());
    prefix.write("conda-meta/history", "");
    let report = prefix.adopt(&AdoptOptions::default()).report;
    let changed: Vec<_> = report.pip[0].changed.iter().map(|it| it.file.as_str()).collect();
    assert_eq!(changed, ["bin/data"]);
}

#[test]
fn interpreters_may_have_spaces_where_they_are_in_quotes() {
    let is = |text: &str, expected: &str| {
        assert_eq!(super::prefix::interpreter(text.as_bytes()), Some(Path::new(expected)), "{text}");
    };
    is("#! /opt/e/bin/python -s\n", "/opt/e/bin/python");
    is("#!/bin/sh\n'''exec' \"/opt/an e/bin/python\" -s \"$0\" \"$@\" #'''\n", "/opt/an e/bin/python");
    is("#!/bin/sh\n'''exec' '/opt/an e/bin/python' \"$0\" \"$@\"\n' '''\n", "/opt/an e/bin/python");
}

#[test]
fn what_belongs_to_the_machine_stays_behind() {
    let prefix = Prefix::new();
    for name in [
        "pkgs/urls.txt",
        "envs/x/conda-meta/history",
        ".cache/x",
        ".trash/x",
        "lib/x.so.c~",
        "conda-meta/pixi",
        "conda-meta/created_at",
    ] {
        prefix.write(name, "x");
    }
    prefix.write("conda-meta/history", "==> 2026-01-01 <==\n");
    prefix.write("bin/activate", "_ENVBUILD_PREFIX=x");
    prefix.write("lib/envs/kept", "x");
    let adopted = prefix.adopt(&AdoptOptions::default());
    let files = adopted.entries.iter().filter(|(_, it)| **it != Entry::Folder).map(|(name, _)| name.as_slice());
    assert_eq!(files.collect::<Vec<_>>(), [&b"lib/envs/kept"[..]]);
    assert_eq!(adopted.report.left_behind, [".cache", "envs", "pkgs"]);
    let variables = [("A".to_owned(), format!("{0}/x:{0}2", prefix.text()))].into();
    let expected = format!("{}/x:{}2", adopted.placeholder, prefix.text());
    assert_eq!(adopted.variables(variables)["A"], expected);
    assert!(adopt(Path::new("/"), &AdoptOptions::default()).is_err());
}
