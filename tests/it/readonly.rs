//! Projects and channels that cannot be written to, and disks that are full.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, lchown},
    path::Path,
    process::Command,
};

use crate::support::{Mounts, Project, Ran, contents_below, files_below};

fn finished() -> Project {
    let project = Project::example("quickstart");
    project.run(&["all"]).success();
    project
}

/// What everybody may do with a project that is up to date, also who may not write to it.
fn assert_can_be_used(run: impl Fn(&[&str]) -> Ran) {
    for look in [&["list", "minimal-libgreet1.0.0"][..], &["status"], &["plan"], &["why", "hello"], &["gc", "-n"]] {
        run(look).success();
    }
    let ran = run(&["run", "minimal-libgreet1.0.0", "--", "hello", "world"]).success();
    assert_eq!(ran.stdout, "Hello, world!\n");
    run(&["all"]).success().says("nothing to do: 27 nodes fresh");
    let report = run(&["all", "--format", "json"]).success().report();
    assert_eq!(report.count("fresh"), 27);
}

#[test]
fn a_project_on_a_read_only_file_system_can_be_used() {
    let project = finished();
    let Some(mounts) = Mounts::read_only(project.root()) else { return };
    let run = |arguments: &[&str]| mounts.run(&project, project.root(), arguments);
    assert_can_be_used(run);

    project.edit("recipes/hello/src/hello.c", "#include <stdio.h>", "#include <stdio.h>\n");
    let before = contents_below(project.root());
    run(&["run", "minimal-libgreet1.0.0", "--", "hello"]).failure(1).says("build:hello[libgreet_version=1.0.0] has to");
    let said = run(&["all"]).failure(1).says("Read-only file system").stderr;
    assert!(
        said.replace(['\n', ' ', '│'], "").contains(&format!("{}/.envbuild/lock", project.root().display())),
        "{said}"
    );
    run(&["gc"]).failure(1).says("Read-only file system");
    run(&["clean"]).failure(1).says("Read-only file system");
    assert!(contents_below(project.root()) == before);
    drop(mounts);
    project.run(&["all"]).success();
    project.assert_fresh();
}

#[test]
fn another_users_project_can_be_used() {
    let project = finished();
    // Who looks must get as far as the project, and root may write anywhere.
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let home = project.beside("home");
    let program = project.beside("envbuild");
    fs::copy(env!("CARGO_BIN_EXE_envbuild"), &program).unwrap();
    open(&project.beside(""), 0o755);
    if is_root {
        lchown(&home, Some(65534), Some(65534)).unwrap();
    } else {
        for folder in [".", ".envbuild", "output", "dist"] {
            open(&project.path(folder), 0o555);
        }
        open(&project.path(".envbuild/lock"), 0o444);
    }
    let run = |arguments: &[&str]| {
        let mut command = Command::new(if is_root { "setpriv" } else { "env" });
        if is_root {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        }
        command.arg(&program).args(arguments);
        project.pin(&mut command);
        command.env("ENVBUILD_CACHE_DIR", home.join("cache")).env("TMPDIR", "/tmp");
        Ran::new(command.output().unwrap())
    };
    assert_can_be_used(run);
    project.edit("recipes/hello/src/hello.c", "#include <stdio.h>", "#include <stdio.h>\n");
    run(&["all"]).failure(1).says("Permission denied").says("build:hello[libgreet_version=1.0.0] has to run");
    if !is_root {
        for folder in [".", ".envbuild", "output", "dist"] {
            open(&project.path(folder), 0o755);
        }
        open(&project.path(".envbuild/lock"), 0o644);
    }
    project.run(&["all"]).success();
}

/// What a project holds for others.
fn made(root: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for folder in ["output/noarch", "output/linux-64", "dist"] {
        all.extend(contents_below(&root.join(folder)).into_iter().map(|(path, it)| (Path::new(folder).join(path), it)));
    }
    all.push(("envbuild.lock".into(), fs::read(root.join("envbuild.lock")).unwrap()));
    all
}

fn assert_nothing_temporary(root: &Path) {
    let left: Vec<_> =
        files_below(root).into_iter().filter(|it| it.to_string_lossy().contains("envbuild-tmp")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_read_only_channel_fails_the_run_and_is_whole_afterwards() {
    let project = finished();
    let change = |project: &Project| project.edit("recipes/greet-data/src/names.txt", "Barbara", "Betty");
    change(&project);
    let before = contents_below(&project.path("output"));
    {
        let Some(mounts) = Mounts::read_only(&project.path("output")) else { return };
        let ran = mounts.run(&project, project.root(), &["build"]).failure(1);
        ran.says("failed build:greet-data").says("output/.lock").says("Read-only file system");
        assert!(contents_below(&project.path("output")) == before);
        assert_nothing_temporary(project.root());
    }
    project.run(&["build"]).success();
    let clean = Project::called("clean").copy(project.root()).scratch_of(&project);
    clean.run(&["build"]).success();
    // The old archive stays beside the new one, for lock files that name it; the index names the new one alone.
    for subdir in ["noarch", "linux-64"] {
        let index = format!("output/{subdir}/repodata.json");
        assert_eq!(project.read(&index), clean.read(&index));
    }
}

/// Two small packages, an environment of them and its archive.
fn small() -> Project {
    let recipe = |name: &str, host: &str| {
        format!(
            "package:\n  name: {name}\n  version: 1.0.0\nbuild:\n  noarch: generic\n  script:\n    - mkdir -p $PREFIX/share\n    \
             - seq 4000 > $PREFIX/share/{name}\n    - head -c 30000 $RECIPE_DIR/noise > $PREFIX/share/{name}.noise\n\
             requirements:\n  host: [{host}]\n"
        )
    };
    // Bytes that do not compress, the same every time.
    let mut state = 1_u32;
    let mut noise = Vec::new();
    for _ in 0..30_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.push((state >> 24) as u8);
    }
    let project = Project::new()
        .manifest(
            "[project]\nname = \"small\"\nchannels = []\n[recipes.first]\npath = \"recipes/first\"\n[recipes.second]\npath = \
             \"recipes/second\"\n[environments.both]\ndependencies = [\"first\", \"second\"]\npack = [\"tar.zst\"]\n",
        )
        .recipe("first", &recipe("first", ""))
        .recipe("second", &recipe("second", "first"));
    for name in ["first", "second"] {
        fs::write(project.path(format!("recipes/{name}/noise")), &noise).unwrap();
    }
    project
}

/// Runs on file systems of these sizes, each larger than the one before, until one is large enough. After each failure
/// the same file system gets room, and one more run has to end as if nothing had happened.
fn grow(option: &str, sizes: impl Iterator<Item = u32>) {
    let project = small();
    project.run(&["all"]).success();
    let expected = made(project.root());
    let place = project.beside("full");
    fs::create_dir(&place).unwrap();
    let (shown, from) = (place.display(), project.root().display());
    let Some(mounts) = Mounts::new(&format!("mount -t tmpfs small '{shown}'")) else { return };
    let folder = place.join("p");
    let run = || mounts.run(&project, &folder, &["all"]);
    let remount = |option: &str| mounts.shell(&format!("mount -o remount,{option} '{shown}'"));
    let mut failures = 0;
    for size in sizes {
        remount("size=64m,nr_inodes=10000");
        // The source of the copy holds what the first run has made: only what is written by hand is taken.
        mounts.shell(&format!(
            "rm -rf '{shown}/p'; mkdir '{shown}/p'; cp -r '{from}/project.toml' '{from}/recipes' '{shown}/p'"
        ));
        remount(&format!("{option}={size}"));
        let ran = run();
        if ran.status == Some(0) {
            break;
        }
        failures += 1;
        let ran = ran.failure(1).says("No space left on device");
        assert!(ran.stderr.contains(&format!("{shown}/p/")), "no path is named in {}", ran.stderr);
        remount("size=64m,nr_inodes=10000");
        run().success();
        let seen = mounts.path(&folder);
        let found = made(&seen);
        let differs = found.iter().zip(&expected).find(|(a, b)| a != b).map(|(a, b)| (&a.0, &b.0));
        assert!(found == expected, "after {option}={size} {differs:?} differ from a clean run's");
        assert_nothing_temporary(&seen);
        run().success().says("nothing to do");
    }
    assert!(failures > 3, "it was full only {failures} times");
}

#[test]
fn a_disk_without_room_fails_the_run_and_the_next_one_with_room_completes() {
    grow("size", (0..60).map(|it| (100 + it * 48) * 1024));
}

#[test]
fn a_disk_without_inodes_fails_the_run_and_the_next_one_with_inodes_completes() {
    grow("nr_inodes", (0..60).map(|it| 14 + it * 8));
}

#[test]
fn a_full_disk_can_be_cleaned() {
    let project = small();
    project.run(&["all"]).success();
    let place = project.beside("full");
    fs::create_dir(&place).unwrap();
    let (shown, from) = (place.display(), project.root().display());
    let fill = format!("(cat /dev/zero > '{shown}/zeros' || true) 2>/dev/null");
    let script = format!("mount -t tmpfs -o size=4m small '{shown}'; cp -r '{from}' '{shown}/p'; {fill}");
    let Some(mounts) = Mounts::new(&script) else { return };
    let folder = place.join("p");
    mounts.run(&project, &folder, &["gc"]).success();
    mounts.run(&project, &folder, &["clean", "--packs"]).success();
    assert!(!mounts.path(&folder).join("dist").exists());
    mounts.shell(&fill);
    mounts.run(&project, &folder, &["clean"]).success();
    assert!(!mounts.path(&folder).join("output").exists());
}
