//! A staging prefix for the tests, with everything that an environment may hold.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, symlink},
    },
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A staging prefix with everything that an environment may hold.
pub(crate) fn stage(root: &Path, old: &str) -> PathBuf {
    let staging = root.join("staging-prefix");
    let source = root.join("hello.c");
    write(
        &source,
        format!(
            "#include <stdio.h>\nstatic const char *volatile one = \"{old}/share\";\nstatic const char *volatile two = \
             \"{old}/a:{old}/b\\nend\";\nint main(void) {{ printf(\"%s\\n%s\\n\", one, two); return 0; }}\n"
        ),
    );
    fs::create_dir_all(staging.join("bin")).unwrap();
    run(Command::new("cc").arg("-o").arg(staging.join("bin/hello")).arg(&source));
    symlink(python(), staging.join("bin/python3")).unwrap();
    for (name, line) in [("plain", format!("{old}/bin/python3")), ("quoted", format!("\"{old}/bin/python3\""))] {
        let script = staging.join("bin").join(name);
        let text = format!(
            "#!/bin/sh\n'''exec' {line} \"$0\" \"$@\" #'''\n# -*- coding: utf-8 -*-\nimport sys\nprint('ran', \
             sys.argv[1:])\n"
        );
        write(&script, text);
        set_mode(&script, 0o755);
    }
    write(&staging.join("etc/no-line-end"), format!("prefix={old}/x {old}\nlast={old}"));
    write(&staging.join("etc/read-only"), format!("{old}\n"));
    set_mode(&staging.join("etc/read-only"), 0o444);
    write(
        &staging.join("lib/binary"),
        [b"\0\n", old.as_bytes(), b"/x\ny:", old.as_bytes(), b"\0z", old.as_bytes()].concat(),
    );
    let mut large = vec![7; 3 << 20];
    for at in [0, 300_000, (1 << 20) - 9, 3_000_000] {
        large[at..at + old.len()].copy_from_slice(old.as_bytes());
        large[at + old.len() + 5] = 0;
    }
    write(&staging.join("lib/large"), large);
    for name in ["-dash", "with space", "line\nbreak", "quote\"'\\", "Großmutter"] {
        write(&staging.join("share").join(name), format!("{old}/{name}"));
    }
    write(&staging.join("share").join(OsStr::from_bytes(b"latin\xe9")), format!("{old}\n"));
    let deep = "d".repeat(90);
    write(&staging.join(format!("share/{deep}/{deep}/{deep}/file")), format!("{old}\n"));
    symlink(format!("{deep}/{deep}/{deep}/file"), staging.join("share/long-target")).unwrap();
    fs::create_dir_all(staging.join("var/empty/deeper")).unwrap();
    symlink("../lib/binary", staging.join("bin/relative")).unwrap();
    symlink(format!("{old}/lib/{old}/binary"), staging.join("lib/absolute link")).unwrap();
    symlink("/nowhere/at/all", staging.join("lib/dangling")).unwrap();
    write(&root.join("cache"), "shared with the cache\n");
    fs::hard_link(root.join("cache"), staging.join("lib/hard-one")).unwrap();
    fs::hard_link(root.join("cache"), staging.join("lib/hard-two")).unwrap();
    stage_python(&staging, old);
    stage_records(&staging, root);
    staging
}

/// Two modules with bytecode; one holds the placeholder.
fn stage_python(staging: &Path, old: &str) {
    for (name, source) in [("kept", "VALUE = 1\n".to_owned()), ("stale", format!("VALUE = '{old}'\n"))] {
        let path = staging.join(format!("lib/py/{name}.py"));
        write(&path, &source);
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        let compile = "import py_compile, sys; py_compile.compile(sys.argv[1], dfile=sys.argv[2])";
        run(Command::new(python()).args(["-c", compile]).arg(&path).arg(format!("{old}/lib/py/{name}.py")));
    }
}

fn stage_records(staging: &Path, root: &Path) {
    let root = root.display();
    let record = format!(
        r#"{{"name": "x", "version": "1", "build": "0", "fn": "x-1-0.conda",
            "url": "file://{root}/output/linux-64/x-1-0.conda", "channel": "file://{root}/output/",
            "extracted_package_dir": "{root}/pkgs/x-1-0", "link": {{"source": "{root}/pkgs/x-1-0", "type": 1}},
            "files": ["lib/py/stale.py", "etc/no-line-end"], "paths_data": {{"paths_version": 1, "paths": [
            {{"_path": "etc/no-line-end", "path_type": "hardlink", "sha256_in_prefix": "00"}}]}}}}"#
    );
    write(&staging.join("conda-meta/x-1-0.json"), record);
    write(&staging.join("conda-meta/history"), "==> 2026-01-01 <==\n");
    write(&staging.join("conda-meta/.guard"), "1");
    write(&staging.join("CACHEDIR.TAG"), "Signature");
    write(&staging.join("etc/conda/activate.d/a.sh"), "LEVEL=$(( ${LEVEL:-0} + 1 )); : \"$UNSET_ANYWHERE\"\n");
    write(&staging.join("etc/conda/deactivate.d/a.sh"), "unset LEVEL\n");
}

pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn python() -> PathBuf {
    let output = run(Command::new("python3").args(["-c", "import sys; print(sys.executable)"]));
    text(&output).trim().into()
}
