//! Every format, the whole way: the bytes that are written, the tree that comes out, and what that costs.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Mounts, Project, Ran};

/// A file for each format, and a folder.
const GOALS: [&str; 9] = ["tar.zst", "tar.gz", "tar.bz2", "tar.xz", "tar", "zip", "squashfs", "sh", "folder/"];

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A prefix that names itself in a program, in a text, in a binary file and in a link.
fn handmade(prefix: &Path) {
    for folder in ["bin", "conda-meta", "lib", "share/empty folder", "share/many"] {
        fs::create_dir_all(prefix.join(folder)).unwrap();
    }
    let place = prefix.display();
    fs::write(prefix.join("conda-meta/history"), "").unwrap();
    fs::write(prefix.join("bin/where"), format!("#!/bin/sh\necho {place}/share\n")).unwrap();
    fs::set_permissions(prefix.join("bin/where"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(prefix.join("share/text"), format!("a={place}\nb={place}/lib\n")).unwrap();
    symlink("../bin/where", prefix.join("share/link")).unwrap();
    symlink(prefix.join("lib"), prefix.join("share/absolute")).unwrap();
    let lines: String = (0..4_000).map(|it| format!("line {} of {it}\n", it % 977)).collect();
    fs::write(prefix.join("lib/lines"), lines).unwrap();
    for number in 0..300 {
        fs::write(prefix.join(format!("share/many/{number}")), format!("file {number}\n")).unwrap();
    }
}

/// Every entry with its mode, its content or target, and its time, but for files that name the prefix: theirs is when it was
/// written into them.
fn tree(prefix: &Path) -> BTreeMap<PathBuf, String> {
    let place = text(prefix).as_bytes();
    let mut found = BTreeMap::new();
    let mut folders = vec![prefix.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let what = if metadata.is_symlink() {
                format!("a link to {}", path.read_link().unwrap().display())
            } else if metadata.is_dir() {
                format!("a folder {:o}", metadata.mode())
            } else {
                let content = fs::read(&path).unwrap();
                let time = (!content.windows(place.len()).any(|it| it == place)).then(|| metadata.mtime());
                format!("a file {:o} {time:?} {}", metadata.mode(), envbuild::base::Digest::of(content))
            };
            found.insert(path.strip_prefix(prefix).unwrap().to_owned(), what);
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

#[test]
fn every_format_has_the_same_bytes_for_any_number_of_jobs_and_gives_the_same_tree() {
    let project = Project::new();
    let prefix = project.path("env");
    handmade(&prefix);
    let goal = project.beside("unpacked");
    let mut expected = None;
    for file in GOALS {
        let home = ["--dest-prefix", "/opt/home"];
        let more: &[&str] = if file == "squashfs" { &home } else { &[] };
        let [one, five] = ["1", "5"].map(|jobs| {
            let place = project.path(format!("{jobs}.{file}"));
            let words = ["pack", "-p", text(&prefix), "-o", text(&place), "-j", jobs];
            project.run(&[&words[..], more].concat()).success();
            place
        });
        if one.is_dir() {
            assert_eq!(tree(&one), tree(&five));
        } else {
            assert!(fs::read(&one).unwrap() == fs::read(&five).unwrap(), "{file}: the bytes differ");
        }
        project.run(&["unpack", text(&five), "-p", text(&goal)]).success();
        project.run(&["unpack", "--verify", text(&goal)]).success();
        let mut found = tree(&goal);
        // It tells for which place the image was made.
        found.remove(Path::new("conda-meta/envbuild/relocate.json"));
        fs::remove_dir_all(&goal).unwrap();
        assert_eq!(found, *expected.get_or_insert_with(|| found.clone()), "{file}");
    }
}

#[test]
fn levels_and_a_folder_in_the_archive_are_what_was_asked_for() {
    let project = Project::new();
    let prefix = project.path("env");
    handmade(&prefix);
    let pack = |file: &str, more: &[&str]| {
        let words = ["pack", "-p", text(&prefix), "-o", file, "--force"];
        project.run(&[&words[..], more].concat()).success();
        fs::metadata(project.path(file)).unwrap().len()
    };
    for (file, high) in [("x.tar.zst", "15"), ("x.tar.gz", "9"), ("x.zip", "9")] {
        let sizes = [pack(file, &["--level", "1"]), pack(file, &["--level", high])];
        assert!(sizes[0] > sizes[1], "{file}: {sizes:?}");
    }
    pack("x.tar", &["--arcroot", "some/where"]);
    let listed = Command::new("tar").arg("-tf").arg(project.path("x.tar")).output().unwrap();
    let listed = Ran::new(listed).success().stdout;
    assert!(listed.lines().all(|it| it == "some/" || it.starts_with("some/where/")), "{listed}");
    assert!(listed.contains("\nsome/where/bin/where\n"), "{listed}");
}

#[test]
fn an_image_is_mounted_where_it_was_made_for_and_runs() {
    let project = Project::new();
    let prefix = project.path("env");
    handmade(&prefix);
    let home = project.beside("home of the image");
    project.run(&["pack", "-p", text(&prefix), "-o", "x.squashfs", "--dest-prefix", text(&home)]).success();
    fs::remove_dir_all(&prefix).unwrap();
    let (image, there) = (project.path("x.squashfs"), text(&home));
    let script = format!("mkdir -p '{there}'; mount -t squashfs -o loop,ro '{}' '{there}'", image.display());
    let Some(mounts) = Mounts::new(&script) else { return };
    let says = "unset CDPATH; set -eu; . bin/activate; test \"$CONDA_PREFIX\" = \"$PWD\"";
    mounts.shell(&format!("cd '{there}'; {says}; test \"$(where)\" = '{there}/share'; test -f share/absolute/lines"));
    let read = |name: &str| fs::read_to_string(mounts.path(&home).join(name)).unwrap();
    assert_eq!(read("share/text"), format!("a={there}\nb={there}/lib\n"));
    assert!(
        mounts.run(&project, project.root(), &["unpack", "--verify", there]).success().stderr.contains("0 changed")
    );
}

/// Runs a program and prints the most memory that it held, in KiB, and how much time of processors it took for each second.
const MEASURED: &str = "import resource, subprocess, sys, time
start = time.monotonic()
status = subprocess.run(sys.argv[1:]).returncode
took = time.monotonic() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss, (used.ru_utime + used.ru_stime) / (took + 0.2))
sys.exit(status)
";

#[test]
fn memory_and_processors_stay_within_their_bounds() {
    // Larger than what may be held; without blocks, so that it is quick.
    const SIZE: u64 = 320 << 20;
    let project = Project::new();
    let prefix = project.path("env");
    handmade(&prefix);
    fs::File::create(prefix.join("share/large")).unwrap().set_len(SIZE).unwrap();
    let measured = |words: &[&str], cores: f64| {
        let mut command = Command::new("python3");
        command.args(["-c", MEASURED, env!("CARGO_BIN_EXE_envbuild")]).args(words).current_dir(project.root());
        project.pin(&mut command);
        let ran = Ran::new(command.output().unwrap()).success();
        let (memory, used) = ran.stdout.trim().split_once(' ').unwrap();
        let (memory, used): (u64, f64) = (memory.parse().unwrap(), used.parse().unwrap());
        assert!(memory < 300 << 10, "{words:?} took {memory} KiB");
        assert!(used <= cores, "{words:?} kept {used} processors busy");
    };
    // With one job, one processor more may be busy.
    measured(&["pack", "-p", "env", "-o", "x.tar.zst", "--level", "1", "-j", "1"], 2.0);
    measured(&["pack", "-p", "env", "-o", "x.zip", "--level", "1", "-j", "8"], f64::INFINITY);
    // An update is as large as what changed, and not as what is there.
    fs::write(prefix.join("share/text"), "changed\n").unwrap();
    measured(&["pack", "-p", "env", "-o", "update.tar", "--since", "x.tar.zst", "-j", "1"], 2.0);
    let update = fs::metadata(project.path("update.tar")).unwrap().len();
    assert!(update < 100 << 10, "a changed line is an update of {update} bytes");
    // A disk would be what takes the time.
    let memory = Path::new("/dev/shm");
    let room = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let unpacked = room.path().join("env");
    measured(&["unpack", "x.tar.zst", "-p", text(&unpacked), "-j", "1"], 2.0);
    measured(&["unpack", "--verify", text(&unpacked), "-j", "1"], 2.0);
}

#[test]
fn a_terminal_shows_bytes_rate_and_the_time_that_is_left() {
    let project = Project::new();
    let prefix = project.path("env");
    handmade(&prefix);
    // The bar is drawn some times in a second: at least once before there is much to count.
    fs::File::create(prefix.join("share/large")).unwrap().set_len(80 << 20).unwrap();
    let program = env!("CARGO_BIN_EXE_envbuild");
    for (words, label) in [("pack -p env -o x.tar --force", "packing"), ("unpack x.tar -p unpacked", "unpacking")] {
        let mut command = Command::new("script");
        command.args(["-qec", &format!("{program} {words}"), "/dev/null"]).current_dir(project.root());
        project.pin(&mut command);
        let ran = Ran::new(command.env("TERM", "xterm").env("SHELL", "/bin/sh").output().unwrap()).success();
        let is_bar =
            |it: &&str| it.contains(label) && it.contains("B/8") && it.contains("B/s, ") && it.contains("s left");
        let drawn: Vec<&str> = ran.stdout.split('\r').filter(is_bar).collect();
        assert!(!drawn.is_empty(), "{:?}", ran.stdout);
        // It does not stay.
        let last = ran.stdout.trim_end().rsplit('\n').next().unwrap();
        assert!(!last.rsplit("\x1b[2K").next().unwrap().contains(" left"), "{last:?}");
    }
}
