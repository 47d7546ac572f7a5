//! Trees of real programs and libraries, made by the system's compiler.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use rattler_conda_types::{GenericVirtualPackage, Subdir};

use super::{
    FileNeeds, Kind, Lacking, Needs, Source, Stream, Target, Unfixable, Violation, of_files, of_folder, unsaid,
    violations,
};
use crate::elf::Level;

/// A prefix in a folder of its own.
struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join("prefix").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// Compiles a file of the tree, and gives back its name.
    fn compile(&self, name: &str, source: &str, more: &[&str]) {
        let text = self.folder.path().join("source.cc");
        fs::write(&text, source).unwrap();
        let output = Command::new("c++").arg("-o").arg(self.path(name)).arg(&text).args(more).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A shared library that needs no newer C library than the first for its processor.
    fn library(&self, name: &str, soname: &str, source: &str, more: &[&str]) {
        let soname = format!("-Wl,-soname,{soname}");
        self.compile(name, source, &[&["-shared", "-fPIC", "-nostdlib", soname.as_str()], more].concat());
    }

    fn record(&self, name: &str, files: &[&str], depends: &[&str], constrains: &[&str]) {
        let record = serde_json::json!({
            "name": name, "version": "1.0", "build": "h1_0", "build_number": 0, "subdir": "linux-64",
            "channel": "https://example.org/channel", "depends": depends, "constrains": constrains, "files": files,
        });
        fs::write(self.path(&format!("conda-meta/{name}-1.0-h1_0.json")), record.to_string()).unwrap();
    }

    fn needs(&self) -> Needs {
        of_folder(&self.folder.path().join("prefix")).unwrap()
    }
}

fn of<'a>(needs: &'a Needs, file: &str) -> &'a FileNeeds {
    needs.files.iter().find(|it| it.file == file).unwrap_or_else(|| panic!("{file} is not in {needs:#?}"))
}

fn package(name: &str, version: &str, build: &str) -> GenericVirtualPackage {
    GenericVirtualPackage {
        name: name.parse().unwrap(),
        version: version.parse().unwrap(),
        build_string: build.parse().unwrap(),
    }
}

fn target(packages: &[(&str, &str, &str)], libraries: &[&str], symbols: &[(&str, &str)]) -> Target {
    let packages = packages.iter().map(|it| package(it.0, it.1, it.2)).collect();
    let libraries: Vec<String> = libraries.iter().map(|it| (*it).to_owned()).collect();
    let symbols: Vec<(String, String)> = symbols.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect();
    Target::new("there", Subdir::Linux64, packages, &libraries, &symbols).unwrap()
}

/// Kinds, files and needs.
fn told(found: &[Violation]) -> Vec<(Kind, &str, &str)> {
    found.iter().map(|it| (it.kind, it.file.as_deref().unwrap_or("-"), it.needs.as_str())).collect()
}

const FIRST: &str = "extern \"C\" void *memcpy(void *, const void *, unsigned long);\n__asm__(\".symver \
                     memcpy,memcpy@GLIBC_2.2.5\");\nextern \"C\" void *copy(void *a, void *b) { return memcpy(a, b, 9); }\n";
const LATER: &str = "extern \"C\" void *memcpy(void *, const void *, unsigned long);\n__asm__(\".symver \
                     memcpy,memcpy@GLIBC_2.14\");\nextern \"C\" void *copy(void *a, void *b) { return memcpy(a, b, 9); }\n";
const NOTHING: &str = "extern \"C\" int nothing() { return 0; }\n";

#[test]
fn a_channel_is_known_where_a_record_says_where_it_is() {
    let tree = Tree::new();
    for (name, url, channel) in [
        ("conda", "https://conda.example/forge/linux-64/conda-1-0.conda", "https://conda.example/forge/linux-64"),
        ("named", "https://conda.example/forge/noarch/named-1-0.conda", "forge"),
        ("site", "file:///site/channel/noarch/site-1-0.conda", "file:///site/channel"),
        ("own", "file:///output/noarch/own-1-0.conda", "output"),
    ] {
        let record = serde_json::json!({"name": name, "version": "1", "build": "0", "url": url, "channel": channel});
        fs::write(tree.path(&format!("conda-meta/{name}-1-0.json")), record.to_string()).unwrap();
    }
    let needs = tree.needs();
    let channel = |name: &str| needs.owners[&format!("{name}-1-0")].channel.as_deref();
    for name in ["conda", "named"] {
        assert_eq!(channel(name), Some("https://conda.example/forge"));
    }
    assert_eq!(channel("site"), Some("file:///site/channel"));
    assert_eq!(channel("own"), None);
}

#[test]
fn the_newest_c_library_is_found_with_file_and_package() {
    let tree = Tree::new();
    tree.library("lib/libfirst.so", "libfirst.so", FIRST, &["-lc"]);
    tree.library("lib/liblater.so", "liblater.so", LATER, &["-lc"]);
    tree.record("later", &["lib/liblater.so", "share/text"], &["__glibc >=2.14,<3.0.a0", "first"], &["__cuda >=12"]);
    let needs = tree.needs();
    assert_eq!((needs.platform.as_deref(), needs.elf_files), (Some("linux-64"), 2));
    let highest = needs.glibc.clone().unwrap();
    assert_eq!((highest.version.as_str(), highest.file.as_str()), ("2.14", "lib/liblater.so"));
    assert_eq!(highest.package.as_deref(), Some("later-1.0-h1_0"));
    assert_eq!(needs.owners["later-1.0-h1_0"].channel.as_deref(), Some("https://example.org/channel"));
    assert_eq!(of(&needs, "lib/libfirst.so").glibc.as_deref(), Some("2.2.5"));
    assert_eq!(of(&needs, "lib/libfirst.so").package, None);
    assert!(needs.libraries.is_empty(), "{:?}", needs.libraries);

    let old = target(&[("__glibc", "2.12", "0"), ("__cuda", "11.8", "0")], &[], &[]);
    let found = violations(&needs, &old);
    let expected = [
        (Kind::VirtualPackage, "-", "__cuda >=12"),
        (Kind::VirtualPackage, "-", "__glibc >=2.14,<3.0.a0"),
        (Kind::Glibc, "lib/liblater.so", "GLIBC_2.14"),
    ];
    assert_eq!(told(&found), expected);
    assert_eq!(found[1].has.as_deref(), Some("__glibc 2.12"));
    assert_eq!((found[2].has.as_deref(), found[2].package.as_deref()), (Some("GLIBC_2.12"), Some("later-1.0-h1_0")));
    let same = target(&[("__glibc", "2.14", "0")], &[], &[]);
    assert_eq!(violations(&needs, &same), []);
    let silent = target(&[], &[], &[]);
    assert_eq!(unsaid(&needs, &silent), ["__glibc"]);
    assert_eq!(told(&violations(&needs, &silent)), [(Kind::VirtualPackage, "-", "__glibc >=2.14,<3.0.a0")]);
}

#[test]
fn what_the_tree_provides_is_not_needed_of_the_machine() {
    let tree = Tree::new();
    tree.library("lib/libinner.so.1.2", "libinner.so.1", NOTHING, &[]);
    tree.library("lib/libouter.so.2", "libouter.so.2", NOTHING, &[]);
    tree.library("lib/libcuda.so.1", "libcuda.so.1", NOTHING, &[]);
    tree.library("lib/libplain.so.7.1", "", NOTHING, &[]);
    symlink("libplain.so.7.1", tree.path("lib/libplain.so.7.0")).unwrap();
    symlink("../lib/libplain.so.7.0", tree.path("lib/libplain.so")).unwrap();
    let with = ["-Wl,--no-as-needed", "-L", tree.path("lib").to_str().unwrap()].map(str::to_owned);
    let with: Vec<&str> = with.iter().map(String::as_str).collect();
    let all = [&with[..], &["-l:libinner.so.1.2", "-l:libouter.so.2", "-l:libcuda.so.1", "-l:libplain.so"]].concat();
    tree.library("lib/libuser.so", "libuser.so", NOTHING, &all);
    for gone in ["lib/libouter.so.2", "lib/libcuda.so.1"] {
        fs::remove_file(tree.path(gone)).unwrap();
    }
    let needs = tree.needs();
    let names: Vec<_> = needs.libraries.iter().map(|it| (it.name.as_str(), it.driver, it.files)).collect();
    assert_eq!(names, [("libcuda.so.1", true, 1), ("libouter.so.2", false, 1)]);
    let kinds = |target: &Target| told(&violations(&needs, target)).iter().map(|it| it.0).collect::<Vec<_>>();
    assert_eq!(kinds(&target(&[], &[], &[])), [Kind::Library, Kind::Driver]);
    assert_eq!(kinds(&target(&[("__cuda", "12.3", "0")], &["libout*.so.*"], &[])), []);

    // The host's libraries that a package was built with are the ledger's business.
    let ledger = r#"{"form": 1, "package": "bound", "version": "1", "libraries": [{"name": "libouter.so.2",
        "path": "/opt/libouter.so.2", "version": "2.5", "build_id": "ab", "module": "outer/2", "direct": true,
        "c_library": false, "found": "rpath"}]}"#;
    fs::write(tree.path("share/envbuild/host/bound.json"), ledger).unwrap();
    let needs = tree.needs();
    assert_eq!((needs.host[0].name.as_str(), needs.host[0].package.as_str()), ("libouter.so.2", "bound"));
    assert_eq!(told(&violations(&needs, &target(&[], &[], &[]))), [(Kind::Driver, "lib/libuser.so", "libcuda.so.1")]);
}

const WORDS: &str = "#include <string>\n#include <stdexcept>\nint words(const char *v) { std::string s(v); s += s; if \
                     (s.size() > 9) throw std::runtime_error(s); return s.size(); }\n";

#[test]
fn the_cxx_library_of_the_tree_counts_before_that_of_the_machine() {
    let tree = Tree::new();
    tree.compile("lib/libwords.so", WORDS, &["-shared", "-fPIC", "-Wl,-soname,libwords.so"]);
    let needs = tree.needs();
    let kinds: Vec<_> = needs.symbols.iter().map(|it| (it.library.as_str(), it.name.as_str())).collect();
    assert!(
        kinds.contains(&("libstdc++.so.6", "GLIBCXX")) && kinds.contains(&("libstdc++.so.6", "CXXABI")),
        "{kinds:?}"
    );
    let glibcxx = needs.symbols.iter().find(|it| it.name == "GLIBCXX").unwrap().version.clone();
    let symbols =
        |version: &str| target(&[("__glibc", "99", "0")], &["libgcc_s.so.1"], &[("GLIBCXX", version), ("CXXABI", "9")]);
    let older = violations(&needs, &symbols("3.4.0"));
    assert_eq!(
        told(&older),
        [(Kind::Symbols, "lib/libwords.so", format!("GLIBCXX_{glibcxx} of libstdc++.so.6").as_str())]
    );
    assert_eq!(violations(&needs, &symbols(&glibcxx)), []);
    let bare = violations(&needs, &target(&[("__glibc", "99", "0")], &["libgcc*"], &[]));
    assert_eq!(told(&bare), [(Kind::Library, "lib/libwords.so", "libstdc++.so.6")]);
    let unknown = target(&[("__glibc", "99", "0")], &["lib*"], &[]);
    assert!(violations(&needs, &unknown).is_empty() && unsaid(&needs, &unknown).contains(&"GLIBCXX".to_owned()));

    // One in the tree that is too old for it is missing on every machine.
    let map = tree.folder.path().join("map");
    fs::write(&map, "GLIBCXX_3.4 { global: nothing; local: *; };\nCXXABI_1.3 { };\n").unwrap();
    let map = format!("-Wl,--version-script={}", map.display());
    tree.library("lib/libstdc++.so.6", "libstdc++.so.6", NOTHING, &[&map]);
    let needs = tree.needs();
    let wanted = Lacking { library: "libstdc++.so.6".to_owned(), version: format!("GLIBCXX_{glibcxx}") };
    assert!(of(&needs, "lib/libwords.so").lacking.contains(&wanted), "{needs:#?}");
    assert!(needs.symbols.iter().all(|it| it.library != "libstdc++.so.6"));
    assert!(violations(&needs, &symbols("3.4.99")).iter().any(|it| it.kind == Kind::Lacking));

    // The real one satisfies it.
    let output = Command::new("c++").arg("-print-file-name=libstdc++.so.6").output().unwrap();
    fs::copy(String::from_utf8(output.stdout).unwrap().trim(), tree.path("lib/libstdc++.so.6")).unwrap();
    assert_eq!(of(&tree.needs(), "lib/libwords.so").lacking, []);
}

#[test]
fn the_processor_is_held_against_archspec_and_other_builds_do_not_count() {
    let tree = Tree::new();
    let v3 = ["-march=x86-64-v3", "-Wl,-z,x86-64-v3"];
    tree.library("lib/libfast.so", "libfast.so", NOTHING, &v3);
    tree.library("lib/glibc-hwcaps/x86-64-v4/libfast.so", "libfast.so", NOTHING, &["-Wl,-z,x86-64-v4"]);
    let needs = tree.needs();
    let cpu = needs.cpu.clone().unwrap();
    assert_eq!((cpu.level, cpu.file.as_str()), (Level::V3, "lib/libfast.so"));
    for (name, expected) in [("x86_64", 1), ("nehalem", 1), ("haswell", 0), ("x86_64_v4", 0)] {
        let found = violations(&needs, &target(&[("__archspec", "1", name)], &[], &[]));
        assert_eq!(found.len(), expected, "{name}: {found:?}");
    }
    assert_eq!(unsaid(&needs, &target(&[("__archspec", "1", "strange")], &[], &[])), ["__archspec"]);
}

#[test]
fn other_platforms_sysroots_and_damaged_files_are_told_apart() {
    let tree = Tree::new();
    tree.library("x86_64-conda-linux-gnu/sysroot/lib64/liblater.so", "liblater.so", LATER, &["-lc"]);
    tree.library("lib/libfirst.so", "libfirst.so", FIRST, &["-lc", "-L", tree.path("lib").to_str().unwrap()]);
    let bytes = fs::read(tree.path("lib/libfirst.so")).unwrap();
    fs::write(tree.path("share/half.so"), &bytes[..300]).unwrap();
    let mut other = bytes;
    // The number of the processor's kind: 183 is that of aarch64.
    other[18] = 183;
    fs::write(tree.path("share/arm.so"), other).unwrap();
    let needs = tree.needs();
    assert_eq!((needs.elf_files, needs.glibc.clone().unwrap().version.as_str()), (1, "2.2.5"));
    assert_eq!(needs.damaged, ["share/half.so"]);
    let there = Target::new("arm", Subdir::LinuxAarch64, vec![package("__glibc", "2.28", "0")], &[], &[]).unwrap();
    assert_eq!(told(&violations(&needs, &there)), [(Kind::Platform, "-", "linux-64")]);
    let unfixable = Unfixable { file: "lib/odd".to_owned(), package: None, why: "in UTF-16".to_owned() };
    let needs = Needs { unfixable: vec![unfixable], ..needs };
    let found = violations(&needs, &target(&[("__glibc", "2.28", "0")], &[], &[]));
    assert_eq!(told(&found), [(Kind::Prefix, "lib/odd", "in UTF-16")]);
}

#[test]
fn a_stream_and_a_file_of_needs_say_the_same_as_the_folder() {
    let tree = Tree::new();
    tree.library("lib/liblater.so", "liblater.so", LATER, &["-lc"]);
    tree.record("later", &["lib/liblater.so"], &["__glibc >=2.14"], &[]);
    symlink("liblater.so", tree.path("lib/libother.so")).unwrap();
    fs::write(tree.path("share/text"), "text").unwrap();
    // Larger than what is kept in memory.
    let mut large = fs::read(tree.path("lib/liblater.so")).unwrap();
    large.resize(9 << 20, 7);
    fs::write(tree.path("lib/liblarge.so"), large).unwrap();
    let needs = tree.needs();
    assert_eq!(Needs { owners: needs.owners.clone(), ..Needs::parse(&needs.to_bytes()).unwrap() }, needs);
    assert!(Needs::parse(b"{\"format\": 9}").is_err() && Needs::parse(b"[]").is_err());

    let names = ["lib/liblarge.so", "share/text", "conda-meta/later-1.0-h1_0.json", "lib/liblater.so"];
    let mut stream = Stream::new();
    stream.link(b"lib/libother.so", b"liblater.so");
    let mut files = Vec::new();
    for name in names {
        let bytes = fs::read(tree.path(name)).unwrap();
        stream.file(name.as_bytes(), bytes.len() as u64, &mut bytes.as_slice()).unwrap();
        files.push((name.as_bytes().to_vec(), Source::Made(bytes)));
    }
    assert_eq!(stream.finish(), needs);
    assert_eq!(of_files(&files, vec![(b"lib/libother.so".to_vec(), b"liblater.so".to_vec())]).unwrap(), needs);
}

#[test]
fn what_pip_has_installed_is_named_and_what_conda_has_comes_first() {
    let tree = Tree::new();
    let site = "lib/python3.12/site-packages";
    for name in ["fast", "both", "nobody"] {
        let soname = format!("{name}.so");
        tree.library(&format!("{site}/{name}/{name}.so"), &soname, LATER, &["-lc"]);
        let list = format!("{name}/{name}.so,sha256=x,1\n{name}-1.5.dist-info/RECORD,,\n");
        if name != "nobody" {
            fs::write(tree.path(&format!("{site}/{name}-1.5.dist-info/RECORD")), list).unwrap();
        }
    }
    tree.record("both", &[&format!("{site}/both/both.so")], &[], &[]);
    let needs = tree.needs();
    let owner = |name: &str| of(&needs, &format!("{site}/{name}/{name}.so")).package.clone();
    assert_eq!(owner("fast").as_deref(), Some("pypi:fast-1.5"));
    assert_eq!(owner("both").as_deref(), Some("both-1.0-h1_0"));
    assert_eq!(owner("nobody"), None);
}

#[test]
fn a_damaged_record_is_an_error_and_so_is_a_wrong_target() {
    let tree = Tree::new();
    fs::write(tree.path("conda-meta/a-1-0.json"), "{").unwrap();
    let error = of_folder(&tree.folder.path().join("prefix")).unwrap_err();
    assert!(error.to_string().contains("conda-meta/a-1-0.json"), "{error}");
    let words = |text: &str| vec![text.to_owned()];
    assert!(Target::new("x", Subdir::Linux64, Vec::new(), &words("lib[.so"), &[]).is_err());
    let symbols = vec![("GLIBCXX".to_owned(), "new".to_owned())];
    assert!(Target::new("x", Subdir::Linux64, Vec::new(), &[], &symbols).is_err());
}

#[test]
fn this_machine_has_what_its_own_programs_need() {
    let tree = Tree::new();
    tree.compile("lib/libwords.so", WORDS, &["-shared", "-fPIC", "-Wl,-soname,libwords.so"]);
    let needs = tree.needs();
    let host = Target::this_machine(Subdir::Linux64, vec![package("__glibc", "2.99", "0")], None, &needs).unwrap();
    assert_eq!(violations(&needs, &host), []);
    assert_eq!(unsaid(&needs, &host), Vec::<String>::new());
    assert!(!host.has_library(Path::new("libnowhere.so.1").to_str().unwrap()));
}
