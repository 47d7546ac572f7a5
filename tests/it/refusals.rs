//! What `pack`, `unpack`, `clone`, `backup` and `restore` refuse, and in which words.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rustix::process::Signal;

use crate::{
    answers,
    support::{Gate, Mounts, Project, Ran, Running, contents_below, eventually, is_alive},
    updates::handmade,
};

/// A project without anything, and beside it an environment and its archive.
struct Room {
    project: Project,
    prefix: String,
    archive: String,
}

impl Room {
    fn new() -> Self {
        let project = Project::new().manifest("[project]\nname = \"p\"\n");
        let prefix = project.beside("env");
        handmade(&prefix);
        let [prefix, archive] = ["env", "a.tar"].map(|it| project.beside(it).to_str().unwrap().to_owned());
        let room = Self { project, prefix, archive };
        room.pack(&room.archive, &[]).success();
        room
    }

    fn beside(&self, name: &str) -> String {
        self.project.beside("").join(name).to_str().unwrap().to_owned()
    }

    fn run(&self, words: &[&str]) -> Told {
        Told(self.project.run(words))
    }

    fn pack(&self, to: &str, options: &[&str]) -> Told {
        self.run(&[&["pack", "-p", &self.prefix, "-o", to], options].concat())
    }
}

/// A run whose errors are compared without the lines into which they are broken.
struct Told(Ran);

impl Told {
    #[track_caller]
    fn success(self) -> Self {
        Self(self.0.success())
    }

    #[track_caller]
    fn refused(self, status: i32, texts: &[&str]) {
        let plain = |text: &str| text.replace(['\n', ' ', '│'], "");
        let ran = self.0.failure(status);
        let said = plain(&ran.stderr);
        for text in texts {
            assert!(said.contains(&plain(text)), "`{text}` is not in:\n{}", ran.stderr);
        }
        assert!(!ran.stderr.contains("os error 2"), "{}", ran.stderr);
    }
}

#[test]
fn the_folders_of_a_project_are_no_goal() {
    let room = Room::new();
    let [state, channel] = [".envbuild", "output"].map(|it| room.project.path(it).to_str().unwrap().to_owned());
    symlink(room.project.root(), room.beside("link")).unwrap();
    for goal in [format!("{state}/x.tar"), format!("{channel}/linux-64/x.tar"), room.beside("link/output/x.tar")] {
        room.pack(&goal, &[]).refused(2, &["would lie in", "name a place outside"]);
        room.run(&["unpack", &room.archive, "-p", &goal]).refused(2, &["would lie in"]);
        room.run(&["clone", &room.prefix, "-p", &goal]).refused(2, &["would lie in"]);
        room.run(&["backup", "-p", &room.prefix, "-o", &goal]).refused(2, &["would lie in"]);
    }
    room.pack(&format!("{channel}/"), &[]).refused(2, &["the channel of the project's packages"]);
    assert_eq!(fs::read_dir(room.project.root()).unwrap().count(), 1);
    // The same names mean nothing elsewhere.
    room.pack(&room.beside("output/x.tar"), &[]).success();
}

#[test]
fn only_what_is_of_the_same_kind_is_replaced() {
    let room = Room::new();
    let goal = |name: &str| room.beside(name);
    for name in ["d.tar", "sum.tar.sha256", "parts.tar.000", "empty", "full"] {
        fs::create_dir(goal(name)).unwrap();
    }
    fs::write(goal("file"), "mine").unwrap();
    fs::write(goal("full/mine"), "mine").unwrap();
    symlink(goal("empty"), goal("link")).unwrap();
    for options in [&[][..], &["--force"]] {
        room.pack(&goal("d.tar"), options).refused(2, &["d.tar` is a folder, and a file is to be", "remove it"]);
        room.pack(&goal("sum.tar"), options).refused(2, &["sum.tar.sha256` is a folder"]);
        room.pack(&goal("parts.tar"), options).refused(2, &["parts.tar.000` is a folder"]);
        room.pack(&goal("file/"), options).refused(2, &["file` is a file, and a folder is to be"]);
        room.pack(&goal("link/"), options).refused(2, &["link` is a symbolic link"]);
        room.pack(&goal("full/"), options).refused(2, &["holds something else", "empty"]);
        room.pack(&goal("file/x.tar"), options).refused(1, &["file`: not a directory", "choose another place"]);
    }
    assert_eq!(fs::read_to_string(goal("full/mine")).unwrap(), "mine");
    // An empty folder is as good as none, and what was packed alike is replaced.
    for (folder, options) in [("empty/", &[][..]), ("new/", &["--arcroot", "a/b"])] {
        let packed = room.pack(&goal(folder), options).success();
        assert!(!packed.0.stderr.contains("0 B"), "{}", packed.0.stderr);
        let before = contents_below(Path::new(&goal(folder)));
        room.pack(&goal(folder), options).refused(2, &["is there already", "--force"]);
        room.pack(&goal(folder), &[options, &["--force"]].concat()).success();
        assert!(before == contents_below(Path::new(&goal(folder))), "{folder}");
        room.run(&["unpack", &goal(folder), "-p", &goal(&format!("{folder}from"))])
            .refused(2, &["would lie in the environment itself"]);
    }
    room.pack(&goal("new/"), &["--force"]).refused(2, &["packed alike"]);
}

#[test]
fn an_update_is_made_since_a_tree_that_is_named_and_stays() {
    let room = Room::new();
    let goal = |name: &str| room.beside(name);
    room.pack(&goal("folder/"), &[]).success();
    let update = goal("update.tar");
    let since = |old: &str| room.pack(&update, &["--since", old]);
    // All around is many things, and the archive is but one of them.
    since(&goal("")).refused(1, &["holds other things beside `folder`"]);
    let deployed = goal("deployed");
    room.run(&["unpack", &room.archive, "-p", &deployed]).success();
    since(&room.prefix).refused(2, &["was installed and not unpacked", "name the archive"]);
    since(&goal("none.tar")).refused(2, &["none.tar", "not there"]);
    fs::create_dir(goal("b.bundle")).unwrap();
    for name in ["bundle.json", "noarch/repodata.json"] {
        let path = Path::new(&goal("b.bundle")).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "{}").unwrap();
    }
    since(&goal("b.bundle")).refused(2, &["is a bundle", "name an archive in another format"]);
    assert!(!Path::new(&update).exists());

    // Parts go by the name before their numbers, here too.
    room.pack(&goal("parts.tar"), &["--split", "4K"]).success();
    since(&goal("parts.tar")).success();
    let onto = |file: &str, old: &str| room.pack(file, &["--since", old, "--force"]);
    for old in ["parts.tar", "parts.tar.000"] {
        onto(&goal("parts.tar"), &goal(old)).refused(2, &["would be written over", "another name"]);
    }
    // Without -o it is called by its ends, and they are the same when nothing has changed.
    let here = goal("");
    let unnamed = |old: &str| room.run(&["-C", &here, "pack", "-p", &room.prefix, "--since", old]);
    unnamed(&room.archive).success();
    let named = |it: &PathBuf| it.to_string_lossy().ends_with(".tar.zst");
    let name = fs::read_dir(&here).unwrap().map(|it| it.unwrap().path()).find(named).unwrap();
    fs::copy(&room.archive, &name).unwrap();
    unnamed(name.to_str().unwrap()).refused(2, &["would be written over"]);
    assert!(fs::read(&room.archive).unwrap() == fs::read(&name).unwrap(), "it was written over");

    fs::create_dir(goal("empty")).unwrap();
    let apply = |to: &str| room.run(&["unpack", &update, "-p", to]);
    apply(&goal("nowhere"))
        .refused(1, &["is an update, and there is nothing at", "a new one is made of a whole archive"]);
    apply(&goal("empty")).refused(1, &["is an update, and", "a folder without an environment"]);
    apply(&room.prefix).refused(1, &["is an update, and", "was not unpacked from an archive"]);
    apply(&room.archive).refused(1, &["is an update, and", "is a file"]);
    let again = apply(&deployed).success();
    assert!(again.0.stderr.contains("nothing to do"), "{}", again.0.stderr);
    assert!(!Path::new(&goal("nowhere")).exists());
}

#[test]
fn an_error_says_what_a_thing_is_and_which_command_is_right() {
    let room = Room::new();
    let (archive, prefix, new) = (room.archive.as_str(), room.prefix.as_str(), room.beside("new"));
    let text = room.beside("text");
    fs::write(&text, "no archive").unwrap();
    let takes = ["a.tar` is an archive", "takes the folder of an environment", "envbuild unpack"];
    room.run(&["clone", archive, "-p", &new]).refused(2, &takes);
    room.run(&["backup", "-p", archive, "-o", &new]).refused(2, &takes);
    room.run(&["pack", "-p", archive, "-o", &format!("{new}.tar")]).refused(2, &takes);
    room.run(&["restore", archive, "-p", &new]).refused(2, &["takes the folder of a backup", "envbuild unpack"]);
    room.run(&["backup", "-p", &text, "-o", &new]).refused(2, &["text` is a file"]);
    for words in [&["clone", "x/y"][..], &["backup", "-o", "z", "-p", "x/y"], &["restore", "x/y"]] {
        let words = if words[0] == "backup" { words.to_vec() } else { [words, &["-p", &new]].concat() };
        room.run(&words).refused(2, &["there is nothing at"]);
    }
    for words in [["check", "x/y"], ["export", "x/y"]] {
        room.run(&words).refused(2, &["there is nothing at"]);
    }
    room.run(&["pack", prefix, "-o", &format!("{new}.tar")])
        .refused(2, &["is the folder of an environment", "with -p"]);
    room.run(&["unpack", prefix, "-p", &new]).refused(1, &["is an environment already", "envbuild clone"]);
    room.run(&["unpack", &text, "-p", &new]).refused(1, &["not an archive of `envbuild pack`", ".sha256"]);
    for (option, what) in [("--verify", "x/y"), ("--relocate", archive), ("--verify", prefix)] {
        room.run(&["unpack", option, what]).refused(1, &["name an environment that was unpacked"]);
    }
    assert!(!Path::new(&new).exists());
}

#[test]
fn damage_of_a_folder_is_told_as_that() {
    let room = Room::new();
    let (folder, new) = (room.beside("folder"), room.beside("new"));
    let lists = "conda-meta/envbuild";
    type Edit<'a> = &'a dyn Fn(&Path);
    let edits: [(&str, Edit<'_>); 5] = [
        ("share/data` does not have the digest", &|it| fs::write(it.join("share/data"), "DATA\n").unwrap()),
        ("is not there", &|it| fs::remove_file(it.join("bin/activate")).unwrap()),
        ("more` is not in the archive's list", &|it| fs::write(it.join("more"), "").unwrap()),
        ("digests is not the one that it names", &|it| fs::write(it.join(lists).join("files"), "").unwrap()),
        ("places` should be", &|it| fs::remove_file(it.join(lists).join("places")).unwrap()),
    ];
    for (expected, edit) in edits {
        room.pack(&format!("{folder}/"), &[]).success();
        edit(Path::new(&folder));
        room.run(&["unpack", &folder, "-p", &new]).refused(1, &[expected, "copy", "again from where it was packed"]);
        fs::remove_dir_all(&folder).unwrap();
    }
    room.run(&["unpack", &room.archive, "-p", &folder]).success();
    fs::write(Path::new(&folder).join(lists).join("files"), "").unwrap();
    room.run(&["unpack", "--verify", &folder])
        .refused(1, &["says of itself cannot be read", "unpack its archive again"]);
    assert!(!Path::new(&new).exists());
}

#[test]
fn what_is_stopped_says_so_and_what_is_killed_is_tidied_by_the_next() {
    let room = Room::new();
    let there = room.beside("backups");
    fs::create_dir(&there).unwrap();
    let goal = format!("{there}/one");
    let left = || -> Vec<String> {
        let all = [Path::new(&there), &room.project.beside("tmp")].map(|it| fs::read_dir(it).unwrap());
        all.into_iter().flatten().map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
    };
    for (number, signal) in [Signal::INT, Signal::KILL].into_iter().enumerate() {
        let gate = Gate::new(room.project.beside(format!("gate-{number}")));
        room.project.write("test.sh", &gate.script());
        let words = ["backup", "-p", &room.prefix, "-o", &goal, "--test", "test.sh"];
        let run = Running::start(&room.project, &words);
        let script = gate.reached();
        run.signal(signal);
        let ran = run.wait();
        gate.open();
        eventually("the script is gone", || !is_alive(script));
        if signal == Signal::INT {
            ran.failure(130).says(&format!("stopped; nothing is left at {goal}"));
            assert_eq!(left(), [""; 0]);
        } else {
            assert!(left().iter().any(|it| it.starts_with(".envbuild-tmp-")), "{:?}", left());
        }
    }
    // Whoever does something there next, and nobody else's.
    let other = format!("{there}/.envbuild-tmp-somebody");
    fs::create_dir(&other).unwrap();
    room.run(&["clone", &room.prefix, "-p", &goal]).success();
    let mut found = left();
    found.sort();
    assert_eq!(found, [".envbuild-tmp-somebody", "one"]);
}

#[test]
fn a_place_that_cannot_be_written_to_is_told_before_any_work() {
    let room = Room::new();
    let (place, saved) = (room.beside("place"), room.beside("saved"));
    fs::create_dir(&place).unwrap();
    room.run(&["backup", "-p", &room.prefix, "-o", &saved]).success();
    let Some(mounts) = Mounts::read_only(Path::new(&place)) else { return };
    let (goal, file) = (format!("{place}/new/x"), format!("{place}/x.tar"));
    for words in [
        ["pack", "-p", &room.prefix, "-o", &file],
        ["unpack", &room.archive, "-p", &goal, "-q"],
        ["clone", &room.prefix, "-p", &goal, "-q"],
        ["backup", "-p", &room.prefix, "-o", &goal],
        ["restore", &saved, "-p", &goal, "-q"],
    ] {
        let ran = mounts.run(&room.project, room.project.root(), &words);
        assert!(!ran.stderr.contains("not by"), "{}", ran.stderr);
        assert_eq!(ran.stderr.matches("Read-only file system").count(), 1, "{}", ran.stderr);
        let into = format!("could not write into `{place}`");
        Told(ran).refused(1, &[&into, "choose a place on another one"]);
    }
}

#[test]
fn names_are_read_in_any_case_and_archives_by_what_is_in_them() {
    let room = Room::new();
    let kinds = [
        ("a.TGZ", "gzip"),
        ("a.tzst", "Zstandard"),
        ("a.Tar.Zstd", "Zstandard"),
        ("a.tbz2", "bzip2"),
        ("a.tbz", "bzip2"),
        ("a.txz", "XZ"),
        ("A.ZIP", "Zip"),
        ("A.TAR", "tar"),
    ];
    let magics: [(&str, &[u8]); 5] = [
        ("gzip", b"\x1f\x8b"),
        ("Zstandard", b"\x28\xb5\x2f\xfd"),
        ("bzip2", b"BZh"),
        ("XZ", b"\xfd7zXZ\0"),
        ("Zip", b"PK"),
    ];
    for (number, (name, kind)) in kinds.into_iter().enumerate() {
        let file = room.beside(name);
        room.pack(&file, &[]).success();
        let bytes = fs::read(&file).unwrap();
        match magics.iter().find(|(it, _)| *it == kind) {
            Some((_, magic)) => assert!(bytes.starts_with(magic), "{name}"),
            None => assert_eq!(&bytes[257..262], b"ustar", "{name}"),
        }
        // The name says nothing to who reads it.
        let (renamed, to) = (room.beside("archive of no kind"), room.beside(&format!("to-{number}")));
        fs::rename(&file, &renamed).unwrap();
        let answer = room.run(&["unpack", &renamed, "-p", &to, "--format", "json"]).success().0.json();
        assert_eq!(answers::fields(&answer), ["archive", "bytes", "files", "prefix"].map(str::to_owned).into());
        assert_eq!((&answer["prefix"], &answer["archive"]), (&to.as_str().into(), &renamed.as_str().into()));
        room.run(&["unpack", "--verify", &to]).success();
    }
}
