//! Ledgers of prefixes that the system's compiler has filled, and of other machines' libraries.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Held, Host, HostLibrary, Ledger, Made, Module, Request, State,
    c_library::{is_newer, newest},
    is_c_library, make,
    make::version,
    of_prefix,
};
use crate::elf::Rule;

/// A host with libraries below `opt`, and a prefix.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["opt/mpi/lib", "opt/fabric/lib", "prefix/bin", "prefix/lib"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A library whose soname ends its path, linked with what `more` says, which sees the root as `@`.
    fn library(&self, path: &str, more: &[&str]) {
        let (out, source) = (self.text(path), self.path("empty.c"));
        fs::write(&source, format!("int unused_{};\n", path.len())).unwrap();
        let soname = format!("-Wl,-soname,{}", path.rsplit('/').next().unwrap());
        let root = self.text("");
        let more = more.iter().map(|it| it.replace('@', root.trim_end_matches('/')));
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", &soname, "-o", &out]);
        let output = command.arg(source).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn make(&self, files: &[&str], library_path: Option<&str>, modules: &[Module<'_>]) -> Made {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        make(&Request { prefix: &self.path("prefix"), files: &files, library_path, modules }).unwrap()
    }

    fn state(&self, library: &HostLibrary, library_path: Option<&str>) -> State {
        Host::new(library_path).state(library).unwrap()
    }
}

fn find<'a>(made: &'a Made, name: &str) -> Option<&'a HostLibrary> {
    made.libraries.iter().find(|it| it.name == name)
}

const RPATH: &str = "-Wl,--disable-new-dtags";
const RUNPATH: &str = "-Wl,--enable-new-dtags";

#[test]
fn libraries_of_the_host_are_found_by_way_of_the_packages_own_and_of_each_other() {
    let place = Place::new();
    place.library("opt/fabric/lib/libfabric.so.1", &[]);
    place.library("opt/mpi/lib/libmpi.so.12.3", &[]);
    place.library("opt/mpi/lib/libmpi.so.12", &["@/opt/fabric/lib/libfabric.so.1"]);
    place.library("prefix/lib/libother.so", &["@/opt/fabric/lib/libfabric.so.1"]);
    // Nothing but the run path of who loads it leads this one to the host's libraries.
    place.library("prefix/lib/libinner.so", &["@/opt/mpi/lib/libmpi.so.12"]);
    place.library(
        "prefix/lib/libouter.so",
        &[
            "@/prefix/lib/libinner.so",
            "@/prefix/lib/libother.so",
            RPATH,
            "-Wl,-rpath,$ORIGIN:@/opt/mpi/lib:@/opt/fabric/lib",
        ],
    );
    let modules = [
        Module { name: "site", folders: &[PathBuf::from("/usr/bin"), place.path("opt")] },
        Module { name: "mpi/4", folders: &[place.path("opt/mpi/bin"), place.path("opt/mpi/share/man")] },
    ];
    let made = place.make(&["lib/libinner.so", "lib/libouter.so", "bin/none"], None, &modules);
    let (mpi, fabric) = (find(&made, "libmpi.so.12").unwrap(), find(&made, "libfabric.so.1").unwrap());
    assert_eq!((mpi.direct, mpi.found, mpi.module.as_deref()), (true, Rule::Rpath, Some("mpi/4")));
    assert_eq!((fabric.direct, fabric.found, fabric.module.as_deref()), (false, Rule::Rpath, Some("site")));
    let needs: Vec<(&str, &str, bool)> = made
        .needs
        .iter()
        .map(|it| (it.file.to_str().unwrap(), it.name.as_str(), it.found.is_some()))
        .filter(|it| !is_c_library(it.1))
        .collect();
    assert_eq!(
        needs,
        [
            ("lib/libinner.so", "libmpi.so.12", true),
            ("lib/libouter.so", "libinner.so", true),
            ("lib/libouter.so", "libother.so", true),
        ]
    );
    let inner = made.needs.iter().find(|it| it.name == "libinner.so").unwrap();
    assert_eq!(inner.found, Some(place.path("prefix/lib/libinner.so")));
    // What another package of the prefix needs is in its own ledger.
    let alone = place.make(&["lib/libouter.so"], None, &[]);
    assert!(find(&alone, "libmpi.so.12").is_none() && find(&alone, "libfabric.so.1").is_none(), "{alone:?}");
}

#[test]
fn a_link_of_the_prefix_leads_to_the_host() {
    let place = Place::new();
    place.library("opt/mpi/lib/libmpi.so.12.3", &[]);
    fs::rename(place.path("opt/mpi/lib/libmpi.so.12.3"), place.path("opt/mpi/lib/libmpi-4.0.so")).unwrap();
    std::os::unix::fs::symlink(place.path("opt/mpi/lib/libmpi-4.0.so"), place.path("prefix/lib/libmpi.so.12.3"))
        .unwrap();
    place.library("prefix/lib/libown.so", &["@/prefix/lib/libmpi.so.12.3", RPATH, "-Wl,-rpath,$ORIGIN/../lib"]);
    let made = place.make(&["lib/libown.so"], None, &[]);
    let mpi = find(&made, "libmpi.so.12.3").unwrap();
    assert_eq!(mpi.path, place.path("opt/mpi/lib/libmpi-4.0.so"));
    assert_eq!(mpi.version.as_deref(), Some("4.0"));
}

#[test]
fn a_machine_has_the_same_or_another_or_none() {
    let place = Place::new();
    place.library("opt/mpi/lib/libmpi.so.12", &[]);
    place.library("prefix/lib/libown.so", &["@/opt/mpi/lib/libmpi.so.12", RPATH, "-Wl,-rpath,@/opt/mpi/lib"]);
    let made = place.make(&["lib/libown.so"], None, &[]);
    let by_rpath = find(&made, "libmpi.so.12").unwrap().clone();
    let at = |rule: Rule| HostLibrary { found: rule, ..by_rpath.clone() };
    let there = place.path("opt/mpi/lib/libmpi.so.12");
    let same = State::Same { path: there.clone() };
    assert_eq!(place.state(&by_rpath, None), same);
    // The loader looks there only when it is told to.
    assert_eq!(place.state(&at(Rule::LibraryPath), None), State::Missing { is_there: true });
    assert_eq!(place.state(&at(Rule::LibraryPath), Some(&place.text("opt/mpi/lib"))), same);

    let other = place.path("opt/fabric/lib/libmpi.so.12");
    place.library("opt/fabric/lib/libmpi.so.12", &["-Wl,--build-id=0x0102", RUNPATH]);
    let folders = place.text("opt/fabric/lib");
    assert_eq!(place.state(&by_rpath, Some(&folders)), same);
    let state = place.state(&at(Rule::Runpath), Some(&folders));
    let different = |path: PathBuf| State::Different {
        path,
        version: Some("12".to_owned()),
        build_id: Some("0102".to_owned()),
        content: None,
    };
    assert_eq!(state, different(other.clone()));
    assert_eq!(place.state(&at(Rule::Runpath), None), same);

    // It has moved to where the loader finds it anyway, and then there is none.
    fs::remove_file(&there).unwrap();
    assert_eq!(place.state(&by_rpath, Some(&folders)), different(other.clone()));
    fs::remove_file(&other).unwrap();
    assert_eq!(place.state(&by_rpath, Some(&folders)), State::Missing { is_there: false });
}

#[test]
fn a_library_without_a_build_id_is_known_by_its_bytes() {
    let place = Place::new();
    place.library("opt/mpi/lib/libmpi.so.12", &["-Wl,--build-id=none"]);
    place.library("prefix/lib/libown.so", &["@/opt/mpi/lib/libmpi.so.12", RPATH, "-Wl,-rpath,@/opt/mpi/lib"]);
    let made = place.make(&["lib/libown.so"], None, &[]);
    let library = find(&made, "libmpi.so.12").unwrap();
    assert!(library.build_id.is_none() && library.content.is_some());
    assert!(place.state(library, None).is_same());
    let mut bytes = fs::read(&library.path).unwrap();
    bytes.push(0);
    fs::write(&library.path, bytes).unwrap();
    assert!(matches!(place.state(library, None), State::Different { build_id: None, content: Some(_), .. }));
}

#[test]
fn of_the_c_library_only_the_version_counts() {
    let place = Place::new();
    place.library("prefix/lib/libown.so", &["-lm"]);
    let made = place.make(&["lib/libown.so"], None, &[]);
    let libc = find(&made, "libc.so.6").unwrap();
    assert!(libc.c_library && libc.direct && libc.build_id.is_none() && libc.content.is_none());
    let needing = |version: &str| HostLibrary {
        version: Some(version.to_owned()),
        path: PathBuf::from("/another/distribution/libc.so.6"),
        ..libc.clone()
    };
    assert!(place.state(&needing("2.2.5"), None).is_same());
    assert!(place.state(&HostLibrary { version: None, ..libc.clone() }, None).is_same());
    assert!(matches!(place.state(&needing("9.9"), None), State::Different { .. }));
    for name in ["libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libmvec.so.1", "libnsl.so.1", "/lib64/libdl.so.2"] {
        assert!(is_c_library(name), "{name}");
    }
    for name in ["libstdc++.so.6", "libgcc_s.so.1", "libcxi.so.1", "libmpi.so.12", "libcrypt.so.1", "libcom.so.1"] {
        assert!(!is_c_library(name), "{name}");
    }
    let versions = ["GLIBC_2.2.5", "GLIBC_PRIVATE", "GLIBC_2.34", "GLIBC_2.9", "libc.so.6"].map(str::to_owned);
    assert_eq!(newest(versions.into_iter()).as_deref(), Some("2.34"));
    assert!(
        is_newer("2.34", "2.31") && is_newer("2.10", "2.9") && !is_newer("2.2.5", "2.3") && !is_newer("2.3", "2.3")
    );
}

#[test]
fn a_ledger_is_read_as_it_was_written_and_no_other_file_is_one() {
    let place = Place::new();
    let (one, two) = ("prefix/share/envbuild/host/one.json", place.path("prefix/share/envbuild/host/two.json"));
    let ledger = Ledger { package: "one".to_owned(), version: "1.0".to_owned(), libraries: Vec::new() };
    assert_eq!(of_prefix(&place.path("prefix")).unwrap(), []);
    fs::create_dir_all(two.parent().unwrap()).unwrap();
    fs::write(place.path(one), ledger.to_bytes()).unwrap();
    assert_eq!(Ledger::path_of("one"), "share/envbuild/host/one.json");
    assert_eq!(of_prefix(&place.path("prefix")).unwrap(), std::slice::from_ref(&ledger));
    for (text, why) in [
        ("{", "EOF while parsing"),
        ("[]", "its format is null"),
        ("{\"form\": 2}", "its format is 2, and 1 is known"),
        ("{\"form\": 1}", "missing field `package`"),
    ] {
        fs::write(&two, text).unwrap();
        let error = of_prefix(&place.path("prefix")).unwrap_err().to_string();
        assert!(error.contains("two.json") && error.contains(why), "{error}");
    }
    let held: Vec<Held> = Host::new(None).hold(&[ledger]).unwrap();
    assert_eq!(held, []);
}

#[test]
fn versions_are_told_by_the_names_of_files() {
    for (name, expected) in [
        ("libmpi.so.12.2.1", Some("12.2.1")),
        ("libhdf5-1.10.8.so", Some("1.10.8")),
        ("libbfd-multi.so", None),
        ("libplain.so", None),
        ("strange", None),
    ] {
        assert_eq!(version(Path::new("/x").join(name).as_path()).as_deref(), expected, "{name}");
    }
}

#[test]
fn a_run_path_of_its_own_counts_where_a_module_leads_to_the_same_library() {
    let place = Place::new();
    place.library("opt/mpi/lib/libmpi.so.12", &[]);
    place.library("prefix/lib/libours.so", &["@/opt/mpi/lib/libmpi.so.12", RUNPATH, "-Wl,-rpath,@/opt/mpi/lib"]);
    let folder = place.text("opt/mpi/lib");
    let by = |library_path: &str| {
        let made = place.make(&["lib/libours.so"], Some(library_path), &[]);
        find(&made, "libmpi.so.12").unwrap().clone()
    };
    // What a module says does not have to be there when the package is used.
    let library = by(&folder);
    assert_eq!((library.found, &library.path), (Rule::Runpath, &place.path("opt/mpi/lib/libmpi.so.12")));
    assert!(place.state(&library, None).is_same());
    // Another file is that of the module.
    place.library("opt/fabric/lib/libmpi.so.12", &[]);
    let library = by(&place.text("opt/fabric/lib"));
    assert_eq!((library.found, &library.path), (Rule::LibraryPath, &place.path("opt/fabric/lib/libmpi.so.12")));
}
