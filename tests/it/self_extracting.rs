//! Archives that unpack themselves give the tree that `envbuild unpack` gives, on machines that have nothing.

use std::{
    fs,
    io::{self, ErrorKind},
    iter,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::support::{Mounts, Node, Project, Ran, Tree, assert_same_trees, files_below, skip, tree_below, variable};

/// A prefix whose files name it in every way, and its archive `x.sh`.
struct Bench {
    project: Project,
}

/// What the script needs, and nothing else.
const TOOLS: [&str; 10] = ["cat", "chmod", "cksum", "dd", "dirname", "getconf", "mkdir", "rm", "sh", "uname"];

impl Bench {
    fn new() -> Self {
        Self::with(1000)
    }

    fn with(noise: usize) -> Self {
        let project = Project::new();
        let prefix = project.path("e");
        let path = prefix.to_str().unwrap().to_owned();
        for folder in ["bin", "conda-meta", "lib/empty folder", "share/many"] {
            fs::create_dir_all(prefix.join(folder)).unwrap();
        }
        fs::write(prefix.join("conda-meta/history"), "").unwrap();
        fs::write(prefix.join("bin/where"), format!("#!/bin/sh\necho \"{path}/share\"\n")).unwrap();
        fs::set_permissions(prefix.join("bin/where"), fs::Permissions::from_mode(0o755)).unwrap();
        let binary = format!("\0{path}/lib:{path}/share\0tail\0{path}\0");
        fs::write(prefix.join("lib/binary"), binary.as_bytes()).unwrap();
        for number in 0..600 {
            fs::write(prefix.join(format!("share/many/{number}")), format!("file {number}\n")).unwrap();
        }
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        };
        let noise: Vec<u8> = (0..noise).map(|_| next()).collect();
        fs::write(prefix.join("lib/noise"), noise).unwrap();
        symlink(format!("{path}/lib"), prefix.join("share/absolute link")).unwrap();
        symlink("../lib/nothing", prefix.join("share/broken")).unwrap();
        let bench = Self { project };
        bench.pack(&prefix);
        bench
    }

    fn pack(&self, prefix: &Path) {
        for archive in ["x.sh", "x.tar.zst"] {
            self.project.run(&["pack", "-p", prefix.to_str().unwrap(), "-o", archive]).success();
        }
        let tools = self.project.beside("tools");
        fs::create_dir(&tools).unwrap();
        for tool in TOOLS {
            symlink(Path::new("/usr/bin").join(tool), tools.join(tool)).unwrap();
        }
    }

    fn archive(&self) -> PathBuf {
        self.project.path("x.sh")
    }

    /// `sh ARCHIVE …`, with nothing else on the path.
    fn command(&self, archive: &Path) -> Command {
        let mut command = Command::new("/bin/sh");
        command.arg(archive).env_clear().env("PATH", self.project.beside("tools"));
        command.env("TMPDIR", self.project.beside("tmp")).current_dir(self.project.root()).stdin(Stdio::null());
        command
    }

    fn run(&self, archive: &Path, prefix: &Path) -> Ran {
        Ran::new(self.command(archive).arg("-p").arg(prefix).output().unwrap())
    }

    /// Runs a changed copy of the archive, which must fail and leave nothing.
    #[track_caller]
    fn refused(&self, name: &str, change: impl Fn(&mut Vec<u8>)) -> Ran {
        let mut bytes = fs::read(self.archive()).unwrap();
        change(&mut bytes);
        let archive = self.project.beside(name);
        fs::write(&archive, bytes).unwrap();
        let room = self.project.beside(format!("room of {name}"));
        fs::create_dir(&room).unwrap();
        let ran = self.run(&archive, &room.join("e")).failure(1);
        assert!(is_empty(&room), "{name} left {:?}", files_below(&room));
        assert!(is_empty(&self.project.beside("tmp")), "{name}");
        ran
    }

    /// What `envbuild unpack` makes of the `tar.zst` at a path; the path is free again.
    fn expected(&self, prefix: &Path) -> Tree {
        let archive = self.project.path("x.tar.zst");
        self.project.run(&["unpack", archive.to_str().unwrap(), "-p", prefix.to_str().unwrap()]).success();
        let tree = tree(prefix);
        fs::remove_dir_all(prefix).unwrap();
        tree
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

/// Every entry as it is. The time at which the prefix is written into a file is nobody's business.
fn tree(prefix: &Path) -> Tree {
    let places = fs::read(prefix.join("conda-meta/envbuild/places")).unwrap();
    let named: Vec<&[u8]> =
        places.split(|it| *it == 0).filter_map(|it| it.splitn(2, |it| *it == b' ').nth(1)).collect();
    let mut found = tree_below(prefix);
    for (name, node) in &mut found {
        let held = named.contains(&name.as_os_str().as_encoded_bytes()) || name.ends_with("envbuild/prefix");
        if let (Node::File(_, modified, _), true) = (node, held) {
            *modified = 0;
        }
    }
    found
}

#[test]
fn it_makes_the_same_tree_as_envbuild() {
    let bench = Bench::new();
    assert_eq!(fs::metadata(bench.archive()).unwrap().mode() & 0o111, 0o111);
    let goal = bench.project.beside("a place with spaces & more/deep/e");
    let expected = bench.expected(&goal);
    bench.run(&bench.archive(), &goal).success().says("unpacked ");
    assert_same_trees(&tree(&goal), &expected);
    bench.run(&bench.archive(), &goal).failure(1).says("is there already");
    let says = Ran::new(Command::new(goal.join("bin/where")).output().unwrap()).success();
    assert_eq!(says.stdout, format!("{}/share\n", goal.display()));
    let goal = goal.to_str().unwrap();
    bench.project.run(&["unpack", "--verify", goal]).success();
    fs::remove_dir_all(goal).unwrap();

    // Started as a program, from a copy with another name, at a relative path.
    let copy = bench.project.path("other name");
    fs::copy(bench.archive(), &copy).unwrap();
    for (words, name) in
        [(&["-j2", "here"][..], "here"), (&["--prefix=./there", "--jobs", "1"], "there"), (&["e2", "-j", "3"], "e2")]
    {
        let mut command = Command::new(&copy);
        command.args(words).env_clear().env("PATH", bench.project.beside("tools")).current_dir(bench.project.root());
        // For a moment, what another test starts may hold the copy open for writing.
        let is_busy = |it: &io::Result<_>| matches!(it, Err(error) if error.kind() == ErrorKind::ExecutableFileBusy);
        let ran = iter::repeat_with(|| command.output()).take(10_000).find(|it| !is_busy(it)).unwrap();
        Ran::new(ran.unwrap()).success();
        let goal = bench.project.path(name);
        let found = tree(&goal);
        fs::remove_dir_all(&goal).unwrap();
        assert_same_trees(&found, &bench.expected(&goal));
    }
    assert!(is_empty(&bench.project.beside("tmp")));

    // envbuild reads it too, and what it made can be moved by the script inside.
    let by_us = bench.project.beside("by us");
    bench.project.run(&["unpack", "x.sh", "-p", by_us.to_str().unwrap()]).success();
    let moved = bench.project.beside("moved");
    bench.run(&bench.archive(), &moved).success();
    let again = bench.project.beside("moved again");
    fs::rename(&moved, &again).unwrap();
    Ran::new(Command::new(again.join("bin/conda-unpack")).env_clear().env("PATH", "/usr/bin:/bin").output().unwrap())
        .success();
    let found = tree(&again);
    fs::remove_dir_all(&again).unwrap();
    assert_same_trees(&found, &bench.expected(&again));
    assert_eq!(tree(&by_us).len(), found.len());
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let bench = Bench::with(300_000);
    let prefix = bench.project.path("e");
    for (name, jobs) in [("1.sh", "1"), ("2.sh", "3")] {
        bench.project.run(&["pack", "-p", prefix.to_str().unwrap(), "-o", name, "-j", jobs]).success();
        assert!(fs::read(bench.project.path(name)).unwrap() == fs::read(bench.archive()).unwrap());
    }
}

#[test]
fn its_options_are_few_and_clear() {
    let bench = Bench::new();
    let ran = |words: &[&str]| Ran::new(bench.command(&bench.archive()).args(words).output().unwrap());
    assert!(ran(&["--help"]).success().stdout.contains("Usage: sh FILE"));
    let list = ran(&["--list"]).success().stdout;
    assert!(list.contains("\nbin/where\n") && list.contains("\nshare/absolute link\n"), "{list}");
    ran(&[]).failure(2).says("Usage: sh FILE");
    for wrong in [&["-x"][..], &["-p"], &["a", "b"], &["a", "-j", "many"], &["a", "-j", "0"], &["-p", ""]] {
        ran(wrong).failure(2).says("error: ");
    }
    ran(&["a'b"]).failure(1).says("`'`");
    ran(&[&"long/".repeat(60)]).failure(1).says("bytes long");
    let mut piped = bench.command(Path::new("-s"));
    piped.args(["-p", "e2"]).stdin(fs::File::open(bench.archive()).unwrap());
    Ran::new(piped.output().unwrap()).failure(1).says("not through a pipe");
    assert!(!bench.project.path("e2").exists() && is_empty(&bench.project.beside("tmp")));
}

#[test]
fn what_is_damaged_or_for_another_machine_leaves_nothing() {
    let bench = Bench::new();
    let whole = fs::read(bench.archive()).unwrap();
    let archive = fs::read(bench.project.path("x.tar.zst")).unwrap();
    let begins = whole.len() - archive.len();
    assert!(whole.ends_with(&archive));
    // The program in it needs nothing of the machine, not even a C library.
    let program = bench.project.beside("program");
    let at = whole.windows(4).position(|it| it == b"\x7fELF").unwrap();
    fs::write(&program, &whole[at..begins]).unwrap();
    assert!(begins - at < 6 << 20, "it is {} bytes large", begins - at);
    let headers = Command::new("readelf").args(["-W", "-l", "-d"]).arg(&program).output().unwrap();
    let headers = Ran::new(headers).success().stdout;
    assert!(headers.contains("LOAD") && !headers.contains("INTERP") && !headers.contains("(NEEDED)"), "{headers}");
    bench.refused("flipped in the archive", |it| it[begins + archive.len() / 2] ^= 1);
    bench.refused("flipped in its sum", |it| it[begins + archive.len() - 1] ^= 1).says("damaged");
    bench.refused("flipped in the program", |it| it[begins / 2] ^= 1).says("its program is not what it was");
    for length in [begins / 2, begins, begins + 1, begins + archive.len() / 2, whole.len() - 1] {
        bench.refused(&format!("cut at {length}"), |it| it.truncate(length));
    }
    bench.refused("longer", |it| it.extend_from_slice(b"more"));
    let other = |it: &mut Vec<u8>| {
        let from = format!("machine='{}'", std::env::consts::ARCH);
        let at = it.windows(from.len()).position(|it| it == from.as_bytes()).unwrap();
        let to = format!("machine='{:<1$}'", "pdp11", std::env::consts::ARCH.len());
        it.splice(at..at + from.len(), to.into_bytes());
    };
    bench.refused("for another machine", other).says("Linux on pdp11");
}

#[test]
fn a_full_disk_leaves_nothing() {
    // The second has room for all bytes, and not for all blocks of files.
    for (noise, size, says) in [(40 << 20, "6m", "bytes, and"), (1000, "2m", "bytes, and")] {
        let bench = Bench::with(noise);
        let small = bench.project.beside("small").display().to_string();
        fs::create_dir(&small).unwrap();
        let Some(mounts) = Mounts::new(&format!("mount -t tmpfs -o size={size} none '{small}'")) else { return };
        let (archive, said) = (bench.archive(), bench.project.beside("said"));
        mounts.shell(&format!("! sh '{}' '{small}/e' 2>'{}'", archive.display(), said.display()));
        let said = fs::read_to_string(said).unwrap();
        assert!(said.contains(says), "{said}");
        mounts.shell(&format!("test -z \"$(ls -A '{small}')\""));
    }
}

#[test]
fn a_signal_leaves_nothing() {
    let bench = Bench::with(60 << 20);
    let room = bench.project.beside("room");
    fs::create_dir(&room).unwrap();
    let goal = room.join("e");
    let mut stopped = 0;
    for delay in (0..120).step_by(5) {
        let mut command = bench.command(&bench.archive());
        let mut child = command.arg("-p").arg(&goal).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(delay));
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        // It may have ended.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        if child.wait().unwrap().success() {
            fs::remove_dir_all(&goal).unwrap();
        } else {
            stopped += 1;
        }
        for folder in [&room, &bench.project.beside("tmp")] {
            assert!(
                is_empty(folder),
                "after {delay} ms there is {:?}",
                fs::read_dir(folder).unwrap().collect::<Vec<_>>()
            );
        }
    }
    assert!(stopped > 0);
}

#[test]
fn a_folder_where_programs_may_not_run_or_be_written_is_passed_over() {
    let bench = Bench::new();
    let (tmp, room) = (bench.project.beside("tmp"), bench.project.beside("room"));
    fs::create_dir(&room).unwrap();
    for (number, mount) in ["noexec", "ro"].into_iter().enumerate() {
        let Some(mounts) = Mounts::new(&format!("mount -t tmpfs -o {mount} none '{}'", tmp.display())) else { return };
        let (archive, tmp) = (bench.archive(), tmp.display().to_string());
        let goal = room.join(number.to_string());
        mounts.shell(&format!("TMPDIR='{tmp}' sh '{}' '{}'", archive.display(), goal.display()));
        let found = tree(&goal);
        fs::remove_dir_all(&goal).unwrap();
        assert_same_trees(&found, &bench.expected(&goal));
        assert!(is_empty(&room));
    }
}

const MANIFEST: &str = "[project]\nname = \"base\"\nchannels = [\"conda-forge\"]\n\n[environments.science]\n\
dependencies = [\"python 3.11.*\", \"numpy\", \"pip\"]\npack = [\"tar.zst\", \"sh\"]\n";

#[test]
fn a_real_python_unpacks_itself_and_runs() {
    let Some(channel) = variable("ENVBUILD_TEST_CHANNEL") else {
        skip("conda channel with CPython (ENVBUILD_TEST_CHANNEL)");
        return;
    };
    let project = Project::new().manifest(MANIFEST).env("ENVBUILD_CHANNELS", channel);
    project.run(&["pack"]).success();
    let archive = project.path("dist/science-linux-64.sh");
    let goal = project.beside("unpacked");
    let mut command = Command::new("/bin/sh");
    command.arg(&archive).arg(&goal).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
    Ran::new(command.output().unwrap()).success().says("unpacked ");
    let found = tree(&goal);
    let code = "import numpy, sys; print(sys.prefix, int(numpy.arange(5).sum()))";
    let mut python = Command::new(goal.join("bin/python"));
    python.args(["-c", code]).env_clear().env("PYTHONDONTWRITEBYTECODE", "1");
    let python = Ran::new(python.output().unwrap()).success();
    assert_eq!(python.stdout, format!("{} 10\n", goal.display()));
    fs::remove_dir_all(&goal).unwrap();
    let whole = project.path("dist/science-linux-64.tar.zst");
    project.run(&["unpack", whole.to_str().unwrap(), "-p", goal.to_str().unwrap()]).success();
    assert_same_trees(&found, &tree(&goal));
    project.run(&["pack"]).success().says("nothing to do");
    // What nobody wants any more is garbage.
    project.edit("project.toml", ", \"sh\"", "");
    project.run(&["gc"]).success();
    assert!(!archive.exists() && whole.exists());
}
