//! Every rule of the search, on programs and libraries made by the system's compiler. What we find is held against what
//! the system's loader finds when it runs the program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use super::super::{
    Found, Loader, Machine, Object, Rule, RunPathKind, defined_versions, linkage, needed_versions, set_run_path_kind,
};

fn cc(arguments: &[&str]) {
    let output = Command::new("cc").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A program that needs `libmiddle.so.1`, which needs `libdeep.so.2`, which says from where it is.
struct Built {
    root: tempfile::TempDir,
}

impl Built {
    fn new(run_path_of_main: &[&str], run_path_of_middle: &[&str]) -> Self {
        let built = Self { root: tempfile::tempdir().unwrap() };
        built.write("middle.c", "const char *deep(void); const char *middle(void) { return deep(); }\n");
        built.write(
            "main.c",
            "#include <stdio.h>\nconst char *middle(void);\nint main(void) { return puts(middle()) < 0; }\n",
        );
        built.deep("one");
        built.deep("two");
        let one = built.path("one");
        built.link(
            "middle",
            "libmiddle.so.1",
            "middle.c",
            &[&["-L", &one, "-l:libdeep.so.2"], run_path_of_middle].concat(),
        );
        let arguments = ["-o", &built.path("program"), &built.path("main.c"), &built.path("middle/libmiddle.so.1")];
        cc(&[&arguments[..], &["-Wl,--allow-shlib-undefined"], run_path_of_main].concat());
        built
    }

    fn path(&self, name: &str) -> String {
        self.root.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.root.path().join(name), text).unwrap();
    }

    /// `libdeep.so.2` in a folder, by whose name it is called.
    fn deep(&self, folder: &str) {
        self.write("deep.c", &format!("const char *deep(void) {{ return \"{folder}\"; }}\n"));
        self.link(folder, "libdeep.so.2", "deep.c", &[]);
    }

    fn link(&self, folder: &str, soname: &str, source: &str, more: &[&str]) {
        fs::create_dir_all(self.root.path().join(folder)).unwrap();
        let (out, named) = (self.path(&format!("{folder}/{soname}")), format!("-Wl,-soname,{soname}"));
        cc(&[&["-shared", "-fPIC", "-o", &out, &self.path(source), &named], more].concat());
    }

    /// What we find for the program, and what the program says when it runs: they must agree.
    fn find(&self, library_path: Option<&str>) -> Option<(Found, Found)> {
        let mut loader = Loader::new(library_path);
        let found = load(&mut loader, &self.root.path().join("program"));
        let mut command = Command::new(self.root.path().join("program"));
        command.env_remove("LD_LIBRARY_PATH");
        if let Some(library_path) = library_path {
            command.env("LD_LIBRARY_PATH", library_path);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.success(), found.is_some(), "{}", String::from_utf8_lossy(&output.stderr));
        if let Some((_, deep)) = &found {
            let folder = deep.path.parent().unwrap().file_name().unwrap().to_str().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), folder);
        }
        found
    }

    fn rules(&self, library_path: Option<&str>) -> Option<(Rule, Rule)> {
        self.find(library_path).map(|(middle, deep)| (middle.by, deep.by))
    }
}

/// The two libraries of the program.
fn load(loader: &mut Loader, program: &Path) -> Option<(Found, Found)> {
    let root = Arc::new(Object::root(program, loader.linkage(program).unwrap()));
    let middle = loader.find(&root.linkage.needed[0], &root)?;
    let linkage = loader.linkage(&middle.path).unwrap();
    let object = Object { path: middle.path.clone(), linkage, loader: Some(root) };
    let deep = loader.find("libdeep.so.2", &object)?;
    Some((middle, deep))
}

const RPATH: &str = "-Wl,--disable-new-dtags";
const RUNPATH: &str = "-Wl,--enable-new-dtags";
const TO_MIDDLE: &str = "-Wl,-rpath,$ORIGIN/middle";
const TO_BOTH: &str = "-Wl,-rpath,$ORIGIN/middle:$ORIGIN/one";

#[test]
fn what_a_file_is_linked_with_is_read_as_readelf_reads_it() {
    let built = Built::new(&[RUNPATH, TO_MIDDLE], &[RPATH, "-Wl,-rpath,/opt/x:$ORIGIN", "-Wl,--build-id=0xabcdef12"]);
    let program = linkage(&built.root.path().join("program")).unwrap();
    assert_eq!(program.needed, ["libmiddle.so.1", "libc.so.6"]);
    assert_eq!(program.run_path, Some(("$ORIGIN/middle".to_owned(), RunPathKind::Runpath)));
    assert!(program.interpreter.is_some() && program.soname.is_none());
    assert_eq!(Some(program.machine), Machine::this());
    let middle = linkage(&built.root.path().join("middle/libmiddle.so.1")).unwrap();
    assert_eq!(middle.needed[0], "libdeep.so.2");
    assert_eq!(middle.soname.as_deref(), Some("libmiddle.so.1"));
    assert_eq!(middle.run_path, Some(("/opt/x:$ORIGIN".to_owned(), RunPathKind::Rpath)));
    assert_eq!(middle.build_id.as_deref(), Some("abcdef12"));
    assert!(middle.interpreter.is_none());
    built.link("bare", "libbare.so", "deep.c", &["-Wl,--build-id=none", "-nostdlib"]);
    let bare = linkage(&built.root.path().join("bare/libbare.so")).unwrap();
    assert_eq!((bare.build_id, bare.needed), (None, Vec::new()));
    assert!(linkage(&built.root.path().join("main.c")).is_err());
}

#[test]
fn a_damaged_file_is_refused_or_read_and_nothing_worse() {
    let built = Built::new(&[RPATH, TO_BOTH], &[]);
    let bytes = fs::read(built.path("program")).unwrap();
    let file = built.root.path().join("damaged");
    let attempt = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let _ = (linkage(&file), needed_versions(&file), defined_versions(&file));
    };
    for length in (0..bytes.len()).step_by(501) {
        attempt(&bytes[..length]);
    }
    for at in (0..1600).step_by(3) {
        for value in [0xff, bytes[at] ^ 0x41] {
            let mut changed = bytes.clone();
            changed[at] = value;
            attempt(&changed);
        }
    }
}

#[test]
fn versions_of_symbols_are_read() {
    let built = Built::new(&[], &[]);
    let needed = needed_versions(&built.root.path().join("program")).unwrap();
    assert!(needed.iter().any(|it| it.library == "libc.so.6" && it.version.starts_with("GLIBC_2.")), "{needed:?}");
    let libc = Loader::new(None).find_anywhere("libc.so.6", Machine::this().unwrap()).unwrap();
    let defined = defined_versions(&libc.path).unwrap();
    for one in needed.iter().filter(|it| it.library == "libc.so.6") {
        assert!(defined.iter().any(|it| it.version == one.version), "{one:?}");
    }
    built.write("map", "MINE_1.0 { global: deep; local: *; };\nMINE_2.5 { } MINE_1.0;\n");
    built.link("v", "libv.so", "deep.c", &[&format!("-Wl,--version-script={}", built.path("map"))]);
    let defined: Vec<String> =
        defined_versions(&built.root.path().join("v/libv.so")).unwrap().into_iter().map(|it| it.version).collect();
    assert_eq!(defined, ["libv.so", "MINE_1.0", "MINE_2.5"]);
}

#[test]
fn an_rpath_counts_for_all_that_is_loaded_and_a_runpath_for_itself_only() {
    let built = Built::new(&[RPATH, TO_BOTH], &[]);
    assert_eq!(built.rules(None), Some((Rule::Rpath, Rule::Rpath)));
    let built = Built::new(&[RUNPATH, TO_BOTH], &[]);
    assert_eq!(built.rules(None), None);
    // A library with a run path of the new kind does not look at that of the program.
    let built = Built::new(&[RPATH, TO_BOTH], &[RUNPATH, "-Wl,-rpath,$ORIGIN/nowhere"]);
    assert_eq!(built.rules(None), None);
    let built = Built::new(&[RPATH, TO_BOTH], &[RPATH, "-Wl,-rpath,$ORIGIN/nowhere"]);
    assert_eq!(built.rules(None), Some((Rule::Rpath, Rule::Rpath)));
    let built = Built::new(&[RPATH, TO_BOTH], &[RUNPATH, "-Wl,-rpath,${ORIGIN}/../two"]);
    assert_eq!(built.rules(None), Some((Rule::Rpath, Rule::Runpath)));
}

#[test]
fn the_users_folders_come_between_the_two_kinds_of_run_path() {
    let built = Built::new(&[RPATH, TO_MIDDLE], &[RPATH, "-Wl,-rpath,$ORIGIN/../one"]);
    let two = built.path("two");
    let deep = |built: &Built, folders: Option<&str>| {
        let (_, deep) = built.find(folders).unwrap();
        (deep.by, deep.path.parent().unwrap().file_name().unwrap().to_owned())
    };
    assert_eq!(deep(&built, Some(&two)), (Rule::Rpath, "one".into()));
    let middle = built.root.path().join("middle/libmiddle.so.1");
    let (before, bytes) = (fs::metadata(&middle).unwrap().len(), fs::read(&middle).unwrap());
    assert!(set_run_path_kind(&middle, RunPathKind::Runpath).unwrap());
    assert!(!set_run_path_kind(&middle, RunPathKind::Runpath).unwrap());
    assert_eq!(fs::metadata(&middle).unwrap().len(), before);
    assert_eq!(deep(&built, Some(&two)), (Rule::LibraryPath, "two".into()));
    assert_eq!(deep(&built, Some(&format!("/nowhere;{two}"))), (Rule::LibraryPath, "two".into()));
    assert_eq!(deep(&built, None), (Rule::Runpath, "one".into()));
    assert!(set_run_path_kind(&middle, RunPathKind::Rpath).unwrap());
    assert_eq!(fs::read(&middle).unwrap(), bytes);
    assert_eq!(deep(&built, Some(&two)), (Rule::Rpath, "one".into()));
}

#[test]
fn a_need_with_a_slash_is_a_path() {
    let built = Built::new(&[], &[]);
    // Without a soname the linker notes the path that it was given.
    let (out, source) = (built.path("noname.so"), built.path("deep.c"));
    cc(&["-shared", "-fPIC", "-o", &out, &source]);
    built.write("main.c", "const char *deep(void);\nint main(void) { return !deep(); }\n");
    cc(&["-o", &built.path("program"), &built.path("main.c"), &out]);
    let mut loader = Loader::new(None);
    let program = built.root.path().join("program");
    let root = Object::root(&program, loader.linkage(&program).unwrap());
    let found = loader.find(&root.linkage.needed[0], &root);
    assert_eq!(found, Some(Found { path: PathBuf::from(&out), by: Rule::Path }));
    fs::remove_file(&out).unwrap();
    assert_eq!(Loader::new(None).find(&root.linkage.needed[0], &root), None);
}

#[test]
fn files_for_other_machines_and_no_libraries_at_all_are_passed_over() {
    let built = Built::new(&[RPATH, "-Wl,-rpath,$ORIGIN/middle:$ORIGIN/narrow:$ORIGIN/one"], &[]);
    fs::create_dir(built.root.path().join("narrow")).unwrap();
    let narrow = built.path("narrow/libdeep.so.2");
    let mut command = Command::new("cc");
    command.args(["-m32", "-shared", "-fPIC", "-nostdlib", "-o", &narrow, &built.path("deep.c")]);
    if cfg!(target_arch = "x86_64") && command.output().unwrap().status.success() {
        assert!(!linkage(Path::new(&narrow)).unwrap().machine.wide);
    } else {
        // The same in the eyes of the loader: a processor that this one is not.
        let mut bytes = fs::read(built.path("one/libdeep.so.2")).unwrap();
        bytes[18] ^= 0xff;
        fs::write(&narrow, bytes).unwrap();
    }
    assert!(built.find(None).unwrap().1.path.ends_with("one/libdeep.so.2"));
}

#[test]
fn what_ldconfig_knows_is_found_and_the_default_folders_after_it() {
    let machine = Machine::this().unwrap();
    let mut loader = Loader::new(None);
    let listed = Command::new("/sbin/ldconfig").arg("-p").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut first = std::collections::BTreeMap::new();
    for line in listed.lines() {
        let Some((name, path)) = line.trim().split_once(" => ") else { continue };
        if linkage(Path::new(path)).is_ok_and(|it| it.machine == machine) && !line.contains("hwcap") {
            first.entry(name.split_once(' ').unwrap().0).or_insert(path);
        }
    }
    assert!(first.len() > 20);
    for (name, path) in first {
        let found = loader.find_anywhere(name, machine);
        assert_eq!(found, Some(Found { path: PathBuf::from(path), by: Rule::Cache }), "{name}");
    }
    // A machine without a cache.
    let mut loader = Loader::with_cache(None, Path::new("/nowhere"));
    let found = loader.find_anywhere("libc.so.6", machine).unwrap();
    assert_eq!(found.by, Rule::Default);
    assert_eq!(loader.find_anywhere("libnothing.so.1", machine), None);
}

#[test]
fn a_cache_of_the_older_format_and_a_damaged_one_are_read() {
    let bytes = fs::read("/etc/ld.so.cache").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::this().unwrap();
    let file = folder.path().join("cache");
    let look = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        Loader::with_cache(None, &file).find_anywhere("libc.so.6", machine).unwrap().by
    };
    if bytes.starts_with(b"glibc-ld.so.cache1.1") {
        // Two entries of 12 bytes after a header of 16, and then the new one: at a multiple of 8.
        let old = [&b"ld.so-1.7.0\0"[..], &2_u32.to_ne_bytes(), &[0; 24]].concat();
        assert_eq!(look(&[old, bytes.clone()].concat()), Rule::Cache);
    }
    assert_eq!(look(&bytes), Rule::Cache);
    for damaged in [&b""[..], b"ld.so-1.7.0", &bytes[..60], &bytes[..bytes.len() / 2]] {
        assert_eq!(look(damaged), Rule::Default);
    }
}

#[test]
fn the_library_folder_and_the_platform_are_tokens_too() {
    let built = Built::new(&[RPATH, "-Wl,-rpath,$ORIGIN/middle:$ORIGIN/${LIB}:$ORIGIN/$LIBX"], &[]);
    fs::rename(built.path("one"), built.path("kept")).unwrap();
    // Where the system's loader says that it looks is where we look.
    let output = Command::new(built.path("program")).env("LD_DEBUG", "libs").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let root = built.root.path().to_str().unwrap();
    let tried = told.lines().filter_map(|it| it.split_once("trying file=")).map(|it| it.1);
    let mut folder = tried.filter(|it| it.ends_with("libdeep.so.2") && it.starts_with(root) && it.contains("/lib"));
    let folder = Path::new(folder.next_back().unwrap()).parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::rename(built.path("kept/libdeep.so.2"), folder.join("libdeep.so.2")).unwrap();
    let mut loader = Loader::new(None);
    let (_, deep) = load(&mut loader, &built.root.path().join("program")).unwrap();
    assert_eq!(deep.path, folder.join("libdeep.so.2"));
}

#[test]
fn nobody_waits_for_what_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("libpipe.so.1");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(linkage(&pipe).is_err());
    let mut loader = Loader::new(folder.path().to_str());
    assert_eq!(loader.find_anywhere("libpipe.so.1", Machine::this().unwrap()), None);
}
