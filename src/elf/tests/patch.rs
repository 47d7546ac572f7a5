//! Programs and libraries made by the system's compiler, given a run path, and run.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::super::{ElfError, RunPathKind, edit::edit, image::Image, patchelf, run_path, set_run_path};

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What a file is linked with, beside what every file is linked with.
const LINKINGS: [&[&str]; 8] = [
    &[],
    &["-Wl,--spare-dynamic-tags=1"],
    &["-Wl,--spare-dynamic-tags=0"],
    &["-Wl,--build-id=none", "-Wl,-z,noseparate-code"],
    &["-Wl,-z,max-page-size=0x10000"],
    &["-Wl,--hash-style=sysv"],
    &["-Wl,-z,norelro", "-Wl,-z,now", "-g"],
    &["-fuse-ld=gold"],
];

/// A library, and two programs that need it, as position-independent and as fixed executable.
struct Built {
    root: tempfile::TempDir,
    library: PathBuf,
    programs: Vec<PathBuf>,
}

fn build(linking: &[&str]) -> Option<Built> {
    let root = tempfile::tempdir().unwrap();
    let source = |name: &str, text: &str| {
        let path = root.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    // A large zeroed array lies behind everything else in memory, where the new segment must not come to lie.
    let lower =
        source("lower.c", "static char zeros[300000]; int lower(int x) { zeros[x] += 1; return zeros[x] + 40; }\n");
    let upper =
        source("upper.c", "int lower(int); _Thread_local int t = 1; int upper(int x) { return lower(x) + t; }\n");
    let main = source(
        "main.c",
        "#include <stdio.h>\nint upper(int);\nstatic char zeros[100000];\nint main(int n, char **v) { zeros[n] = 1; \
         printf(\"%d\\n\", upper(n) + zeros[n + 1]); return 0; }\n",
    );
    let folder = root.path().join("the libraries");
    fs::create_dir(&folder).unwrap();
    let deeper = root.path().join("deeper");
    fs::create_dir(&deeper).unwrap();
    let link = |out: &Path, inputs: &[&Path], flags: &[&str]| {
        Command::new("cc").args(linking).args(flags).arg("-o").arg(out).args(inputs).output().unwrap()
    };
    let liblower = deeper.join("liblower.so");
    let library = folder.join("libupper.so");
    let shared = ["-shared", "-fPIC"];
    if !link(&liblower, &[&lower], &shared).status.success() {
        return None;
    }
    // Without a soname the linker would record the path, by which the loader would find it.
    let named = |name: &str| [shared[0].to_owned(), shared[1].to_owned(), format!("-Wl,-soname,{name}")];
    for (out, inputs) in [(&liblower, vec![lower.as_path()]), (&library, vec![upper.as_path(), liblower.as_path()])] {
        let flags = named(out.file_name().unwrap().to_str().unwrap());
        let output = link(out, &inputs, &flags.each_ref().map(String::as_str));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let mut programs = Vec::new();
    for (name, flag) in [("pie", "-pie"), ("fixed", "-no-pie")] {
        let out = root.path().join(name);
        let flags = [flag, "-Wl,--allow-shlib-undefined", "-Wl,--unresolved-symbols=ignore-in-shared-libs"];
        let output = link(&out, &[&main, &library], &flags);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        programs.push(out);
    }
    Some(Built { root, library, programs })
}

fn long(folder: &Path) -> String {
    format!("/nowhere/{}:{}", "long/".repeat(60), folder.display())
}

fn tags(file: &Path) -> Vec<String> {
    let output = run(Command::new("readelf").args(["-W", "-d"]).arg(file));
    let text = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(complaints.is_empty(), "{complaints}");
    text.lines().filter(|line| line.contains("PATH)")).map(|line| line.trim().to_owned()).collect()
}

fn check_runs(program: &Path) {
    let mut command = Command::new(program);
    let output = run(command.env_remove("LD_LIBRARY_PATH"));
    assert_eq!(output.stdout, b"42\n", "{}", program.display());
}

#[test]
fn programs_find_their_libraries_by_the_new_run_path_only() {
    let mut tried = 0;
    for linking in LINKINGS {
        let Some(built) = build(linking) else {
            eprintln!("not tried, as this linker does not take it: {linking:?}");
            continue;
        };
        tried += 1;
        let Built { root, library, programs } = &built;
        let (folder, deeper) = (library.parent().unwrap(), root.path().join("deeper"));
        set_run_path(library, &long(&deeper), RunPathKind::Runpath).unwrap();
        for program in programs {
            assert!(!Command::new(program).output().unwrap().status.success(), "{linking:?}");
            // Once, again the same, another, then the first again.
            set_run_path(program, &long(folder), RunPathKind::Rpath).unwrap();
            check_runs(program);
            let once = fs::read(program).unwrap();
            set_run_path(program, &long(folder), RunPathKind::Rpath).unwrap();
            assert_eq!(fs::read(program).unwrap(), once, "{linking:?}");
            assert_eq!(tags(program).len(), 1);
            assert!(tags(program)[0].contains("(RPATH)") && tags(program)[0].contains(&long(folder)));

            let other = format!("{}:/more", folder.display());
            set_run_path(program, &other, RunPathKind::Runpath).unwrap();
            assert!(tags(program)[0].contains("(RUNPATH)") && tags(program)[0].contains(&other), "{:?}", tags(program));
            check_runs(program);
            assert_eq!(run_path(program).unwrap(), Some((other.clone(), RunPathKind::Runpath)));
            let grown = fs::metadata(program).unwrap().len() - once.len() as u64;
            assert_eq!(grown, other.len() as u64 + 1, "{linking:?}");

            for strip in [&["-S"][..], &["--strip-unneeded"], &[]] {
                run(Command::new("strip").args(strip).arg(program));
                check_runs(program);
            }
            set_run_path(program, &long(folder), RunPathKind::Rpath).unwrap();
            check_runs(program);
            run(Command::new("strip").arg(library));
            check_runs(program);
            set_run_path(program, "", RunPathKind::Rpath).unwrap();
            assert!(tags(program).is_empty());
            assert!(!Command::new(program).output().unwrap().status.success(), "{linking:?}");
        }
    }
    assert!(tried >= 5, "{tried}");
}

#[test]
fn python_loads_a_changed_library() {
    let built = build(&[]).unwrap();
    let deeper = built.root.path().join("deeper");
    set_run_path(&built.library, &long(&deeper), RunPathKind::Rpath).unwrap();
    run(Command::new("python3")
        .args(["-c", "import ctypes, sys; assert ctypes.CDLL(sys.argv[1]).upper(1) == 42"])
        .arg(&built.library));
}

#[test]
fn a_library_of_32_bits() {
    let root = tempfile::tempdir().unwrap();
    let (source, library) = (root.path().join("x.c"), root.path().join("libx.so"));
    fs::write(&source, "int x(void) { return 1; }\n").unwrap();
    let flags = ["-m32", "-nostdlib", "-shared", "-fPIC", "-o"];
    let linked = Command::new("cc").args(flags).arg(&library).arg(&source).output().unwrap();
    if !linked.status.success() {
        eprintln!("not tried, as this compiler makes no 32-bit code");
        return;
    }
    for text in [long(root.path()), "/short".to_owned()] {
        set_run_path(&library, &text, RunPathKind::Rpath).unwrap();
        assert!(tags(&library)[0].contains(&text), "{:?}", tags(&library));
    }
    run(Command::new("strip").arg(&library));
    assert!(tags(&library)[0].contains("/short"));
}

#[test]
fn the_command_line_does_what_is_asked_of_patchelf() {
    let built = build(&[]).unwrap();
    let program = built.programs[0].as_path();
    let call = |arguments: &[&str]| {
        let mut arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        arguments.push(program.into());
        patchelf(&arguments)
    };
    assert!(patchelf(&["--version".into()]).unwrap().starts_with("patchelf "));
    call(&["--force-rpath", "--set-rpath", "$ORIGIN/../lib:/opt/x"]).unwrap();
    assert!(tags(program)[0].contains("(RPATH)"));
    assert_eq!(call(&["--print-rpath"]).unwrap(), "$ORIGIN/../lib:/opt/x\n");
    call(&["--set-rpath", "$ORIGIN/../lib:/opt/x"]).unwrap();
    assert!(tags(program)[0].contains("(RUNPATH)"));
    call(&["--remove-rpath"]).unwrap();
    assert_eq!(call(&["--print-rpath"]).unwrap(), "\n");
    for wrong in [&["--set-interpreter", "x"][..], &[], &["--set-rpath"]] {
        let error = call(wrong).unwrap_err();
        assert!(matches!(error, ElfError::Usage(_)), "{error}");
    }
}

#[test]
fn the_mode_and_other_names_of_the_file_stay() {
    let built = build(&[]).unwrap();
    let program = built.programs[0].as_path();
    let (link, other) = (built.root.path().join("link"), built.root.path().join("other"));
    std::os::unix::fs::symlink(program, &link).unwrap();
    fs::hard_link(program, &other).unwrap();
    let before = fs::read(program).unwrap();
    fs::set_permissions(program, fs::Permissions::from_mode(0o511)).unwrap();
    set_run_path(&link, "/x", RunPathKind::Rpath).unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::metadata(program).unwrap().permissions().mode() & 0o7777, 0o511);
    // A package cache may hold the same file under another name; it keeps its content.
    assert_eq!(fs::read(&other).unwrap(), before);
}

#[test]
fn files_of_other_kinds_and_damaged_ones_are_refused() {
    let built = build(&[]).unwrap();
    let program = built.programs[0].as_path();
    let file = built.root.path().join("file");
    let attempt = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let result = set_run_path(&file, "/x/y", RunPathKind::Rpath);
        if result.is_err() {
            assert_eq!(fs::read(&file).unwrap(), bytes);
        }
        result
    };
    for bytes in [&b""[..], b"\x7fELF", b"#!/bin/sh\n", b"\x7fELF\x02\x01 and so on, but not much further"] {
        assert!(attempt(bytes).is_err());
    }
    run(Command::new("cc")
        .args(["-static", "-o"])
        .arg(&file)
        .arg(built.root.path().join("lower.c"))
        .args(["-nostdlib", "-Wl,-e,lower"]));
    let fixed = fs::read(&file).unwrap();
    assert!(matches!(attempt(&fixed), Err(ElfError::NotDynamic(_))));
    // Cut or changed anywhere it may be refused or not, but never makes us panic or loop.
    let bytes = fs::read(program).unwrap();
    let in_memory =
        |bytes: Vec<u8>| Image::new(bytes).and_then(|mut image| edit(&mut image, "/x/y", RunPathKind::Rpath));
    assert_eq!(in_memory(bytes.clone()), Ok(true));
    for length in (0..bytes.len()).step_by(97) {
        let _ = in_memory(bytes[..length].to_vec());
    }
    for at in (0..2048).chain((2048..bytes.len()).step_by(31)) {
        for value in [0, 0xff, bytes[at] ^ 0x41] {
            let mut changed = bytes.clone();
            changed[at] = value;
            let _ = in_memory(changed);
        }
    }
}
