//! `pack --since`: what an update holds, and on what it depends.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Project, Ran};

/// What every archive begins with, folders aside.
const HEAD: [&str; 7] = ["relocate.json", "needs.json", "files", "places", "binary", "links", "text"];

/// A prefix with one package, whose files name it as an installer would write it.
fn handmade(prefix: &Path) {
    let put = |name: &str, text: &str, mode: u32| {
        let path = prefix.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let place = prefix.to_str().unwrap();
    put("bin/tool", &format!("#!/bin/sh\necho {place}\n"), 0o755);
    put("etc/tool.conf", &format!("home={place}\nshare={place}/share\n"), 0o644);
    put("share/data", "data\n", 0o644);
    put(
        "conda-meta/tool-1-0.json",
        r#"{"name": "tool", "version": "1", "build": "0", "build_number": 0, "subdir": "linux-64", "depends": [],
            "fn": "tool-1-0.conda", "url": "https://example.org/linux-64/tool-1-0.conda",
            "channel": "https://example.org/", "files": ["bin/tool", "etc/tool.conf", "share/data"]}"#,
        0o644,
    );
    put("conda-meta/history", "==> 2026-01-01 00:00:00 <==\n", 0o644);
}

/// The names of the files in a tar archive, whatever it is compressed with.
fn files_in(archive: &Path) -> Vec<String> {
    let listed = Ran::new(Command::new("tar").arg("-tf").arg(archive).output().unwrap()).success().stdout;
    listed.lines().filter(|name| !name.ends_with('/')).map(str::to_owned).collect()
}

fn pack(project: &Project, prefix: &Path, options: &[&str], archive: &str) -> PathBuf {
    let goal = project.beside(archive);
    let words = [&["pack", "-p", prefix.to_str().unwrap(), "-o", goal.to_str().unwrap()], options].concat();
    project.run(&words).success();
    goal
}

#[test]
fn copies_under_other_names_are_the_same_environment() {
    let project = Project::new();
    let names = ["env", "the same one, copied/to-a-longer-path"];
    let archives = names.map(|name| {
        let prefix = project.beside(name);
        handmade(&prefix);
        pack(&project, &prefix, &[], &format!("{}.tar", name.len()))
    });
    let whole = fs::read(&archives[0]).unwrap();
    assert!(whole == fs::read(&archives[1]).unwrap(), "the folder's name is in the archive");

    // Copies that came from the archive are that environment too.
    for name in ["deployed", "elsewhere/again"] {
        let prefix = project.beside(name);
        fs::create_dir_all(prefix.parent().unwrap()).unwrap();
        let words = ["unpack", archives[0].to_str().unwrap(), "-p", prefix.to_str().unwrap()];
        project.run(&words).success();
        let again = pack(&project, &prefix, &[], &format!("again-{}.tar", name.len()));
        assert!(whole == fs::read(again).unwrap(), "{name} is another environment");
        let since = ["--since", archives[1].to_str().unwrap()];
        let update = pack(&project, &prefix, &since, &format!("update-{}.tar", name.len()));
        assert_eq!(files_in(&update), HEAD.map(|it| format!("conda-meta/envbuild/{it}")));

        let sourced = "set -eu; . bin/activate; echo \"$CONDA_DEFAULT_ENV\"; bin/tool";
        let shell = Command::new("sh").args(["-c", sourced]).current_dir(&prefix).output().unwrap();
        let folder = prefix.file_name().unwrap().to_str().unwrap();
        assert_eq!(Ran::new(shell).success().stdout, format!("{folder}\n{}\n", prefix.display()));
    }
}
