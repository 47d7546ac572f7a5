//! Prefixes that are backed up, tried, brought back and copied.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    answers,
    support::{Mounts, Project, Ran, bare, contents_below, files_below, science},
};

const ENVIRONMENT: &str = "everyone-libgreet1.0.0";

/// Three times this is no path of an environment.
const TOO_LONG: &str =
    "a-part-of-a-path-that-is-longer-than-the-room-that-binary-files-have-for-their-prefix-when-it-is-repeated/";

/// An installed environment of the quickstart, whose program greets.
fn installed() -> (Project, PathBuf) {
    let project = Project::example("quickstart");
    project.run(&["install", ENVIRONMENT]).success();
    let prefix = project.path(format!(".envbuild/envs/{ENVIRONMENT}"));
    (project, prefix)
}

#[track_caller]
fn assert_greets(prefix: &Path) {
    let hello = bare(&prefix.join("bin/hello"), &["--everyone"]);
    assert!(hello.stdout.starts_with("Hello, Ada!\nHello, Barbara!\nHello, Grace!\n"), "{}", hello.stdout);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Backs the environment up, with a test.
fn backed_up(project: &Project, prefix: &Path) -> PathBuf {
    let folder = project.beside("backup");
    project.write("greets.sh", "hello --everyone | grep Ada\ntest \"$CONDA_PREFIX\" != \"$NOT_HERE\"\n");
    let mut command = project.command(&["backup", "-p", text(prefix), "-o", text(&folder), "--test", "greets.sh"]);
    Ran::new(command.env("NOT_HERE", prefix).output().unwrap()).success().says("the restore drill: pass");
    folder
}

#[test]
fn a_backup_holds_what_brings_a_prefix_back() {
    let (project, prefix) = installed();
    let folder = backed_up(&project, &prefix);
    let mut names: Vec<String> = files_below(&folder).iter().map(|it| it.display().to_string()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "SHA256SUMS",
            "conda-list.txt",
            "drill.json",
            "drill.log",
            "envbuild.lock",
            "environment-no-builds.yml",
            "environment.tar.zst",
            "environment.tar.zst.sha256",
            "environment.yml",
            "explicit.txt",
            "pip.txt",
            "sbom.cdx.json",
            "system.json",
        ]
    );
    let sums = Command::new("sha256sum").args(["-c", "--status", "SHA256SUMS"]).current_dir(&folder).status().unwrap();
    assert!(sums.success());
    let json = |name: &str| -> Value { serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap() };
    for (file, section) in [("system.json", "The system"), ("drill.json", "The drill")] {
        let mut found = json(file);
        // Compilers are named by what the machine has.
        if let Some(compilers) = found.get_mut("compilers") {
            assert!(compilers["cc"].as_str().is_some_and(|it| !it.is_empty()), "{compilers}");
            *compilers = Value::Null;
        }
        assert_eq!(answers::fields(&found), answers::documented_in("backup.md", section), "{file}");
    }
    let uname = Ran::new(Command::new("uname").arg("-m").output().unwrap()).success().stdout;
    assert_eq!(json("system.json")["architecture"], uname.trim());
    let list = project.run(&["export", text(&prefix), "--format", "list"]).success().stdout;
    assert_eq!(fs::read_to_string(folder.join("conda-list.txt")).unwrap(), list);

    // By the archive, also when the project and its channel are gone.
    let by_pack = project.beside("by pack");
    let mut project = project;
    project.move_to("gone");
    project
        .run(&["restore", text(&folder), "-p", text(&by_pack)])
        .success()
        .says("by the archive")
        .says("cannot be reached");
    assert_greets(&by_pack);
    let refused = project.run(&["restore", text(&folder), "-p", text(&project.beside("x")), "--by", "explicit"]);
    refused.failure(1).says("not by the same packages: the channel `file:").says("cannot be reached");
    assert!(!project.beside("x").exists());
}

#[test]
fn what_the_archive_cannot_do_is_done_from_channels() {
    let (project, prefix) = installed();
    let folder = backed_up(&project, &prefix);
    for (by, way) in [("explicit", "by the same packages"), ("environment", "by environment.yml")] {
        let to = project.beside(by);
        project.run(&["restore", text(&folder), "-p", text(&to), "--by", by, "--offline"]).success().says(way);
        assert_greets(&to);
        let list = |it: &Path| {
            let list = project.run(&["export", text(it), "--format", "list"]).success().stdout;
            list.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(list(&to), list(&prefix), "{by}");
    }

    // A path that the archive's files have no room for is told.
    let long = project.beside(TOO_LONG.repeat(3));
    let ran = project.run(&["restore", text(&folder), "-p", text(&long), "--by", "pack"]).failure(1);
    ran.says("not by the archive");

    // What was altered is not restored.
    fs::write(folder.join("pip.txt"), "something-else==1\n").unwrap();
    project.run(&["restore", text(&folder), "-p", "new"]).failure(1).says("pip.txt was altered");
    assert!(!project.path("new").exists());
    project.run(&["restore", ".", "-p", "new"]).failure(1).says("is no backup");
    project.run(&["backup", "-p", text(&prefix), "-o", text(&folder)]).failure(1).says("something at");
}

#[test]
fn a_drill_that_fails_says_so() {
    let (project, prefix) = installed();
    project.write("fails.sh", "echo the test began\nexit 7\n");
    let folder = project.path("backup");
    let ran = project.run(&["backup", "-p", text(&prefix), "-o", "backup", "--test", "fails.sh"]).failure(1);
    ran.says("the restore drill: fail").says("fails.sh failed with exit status: 7");
    let drill: Value = serde_json::from_slice(&fs::read(folder.join("drill.json")).unwrap()).unwrap();
    assert_eq!((&drill["passed"], &drill["test"]["passed"]), (&false.into(), &false.into()));
    assert_eq!(fs::read_to_string(folder.join("drill.log")).unwrap(), "the test began\n");
    project.run(&["backup", "-p", "recipes", "-o", "other"]).failure(1);
    assert!(!project.path("other").exists());
    let beside: Vec<PathBuf> = files_below(project.root());
    assert!(!beside.iter().any(|it| it.display().to_string().contains("envbuild-tmp")), "{beside:?}");
}

/// Compares the records with the files as `conda doctor` does; `changed` is a file that somebody has changed.
fn assert_digests_are_right(prefix: &Path, changed: &Path) {
    let mut compared = 0;
    for (file, bytes) in contents_below(&prefix.join("conda-meta")) {
        let Ok(record) = serde_json::from_slice::<Value>(&bytes) else { continue };
        for path in record["paths_data"]["paths"].as_array().into_iter().flatten() {
            let (Some(name), Some(recorded)) = (path["_path"].as_str(), path["sha256_in_prefix"].as_str()) else {
                continue;
            };
            let sum = Command::new("sha256sum").arg(prefix.join(name)).output().unwrap().stdout;
            let found = String::from_utf8_lossy(&sum).split_whitespace().next().unwrap_or_default().to_owned();
            assert_eq!(found == recorded, Path::new(name) != changed, "{name} of {}", file.display());
            compared += 1;
        }
    }
    assert!(compared > 0, "no record has digests");
}

#[test]
fn a_clone_names_its_own_prefix_and_shares_only_what_conda_shares() {
    let (project, prefix) = installed();
    // Somebody has written into one file of a package, and made another.
    let data = files_below(&prefix).into_iter().find(|it| it.starts_with("share")).unwrap();
    let changed = prefix.join(&data);
    let bytes = [fs::read(&changed).unwrap(), b"mine\n".to_vec()].concat();
    fs::remove_file(&changed).unwrap();
    fs::write(&changed, bytes).unwrap();
    fs::write(prefix.join("own"), "own\n").unwrap();
    let [shared, copied] =
        ["shared", "copied"].map(|it| project.beside(format!("a much longer name for what is {it}")));
    let ran = project.run(&["clone", ENVIRONMENT, "-p", text(&shared)]).success().says("with the new prefix");
    assert!(!ran.stderr.contains("0 reflinks, 0 hard links"), "nothing is shared: {}", ran.stderr);
    if ran.stderr.contains(" 0 reflinks") {
        // What conda shares has one content then.
        let library = |it: &Path| fs::metadata(it.join("lib/libgreet.so.1.0.0")).unwrap().ino();
        assert_eq!(library(&shared), library(&prefix));
    }
    project.run(&["clone", text(&prefix), "-p", text(&copied), "--copy"]).success().says("0 reflinks, 0 hard links");
    for clone in [&shared, &copied] {
        assert_greets(clone);
        // Our prefixes are marked as what need not be backed up; a copy is somebody's own.
        let mut expected = files_below(&prefix);
        expected.retain(|it| it != Path::new("CACHEDIR.TAG"));
        assert_eq!(files_below(clone), expected);
        for (file, bytes) in contents_below(clone) {
            let old = text(&prefix).as_bytes();
            assert!(!bytes.windows(old.len()).any(|it| it == old), "{} names the old prefix", file.display());
        }
        assert_digests_are_right(clone, &data);
        for own in [data.as_path(), Path::new("own")] {
            let links = [clone, &prefix].map(|it| it.join(own).metadata().unwrap().ino());
            assert_ne!(links[0], links[1], "{} is shared", own.display());
        }
    }
    assert_eq!(contents_below(&shared).len(), contents_below(&copied).len());
    project.run(&["clone", ENVIRONMENT, "-p", text(&shared)]).failure(1).says("something at");
    project.run(&["clone", ENVIRONMENT, "-p", text(&project.beside(TOO_LONG.repeat(3)))]).failure(1).says("at most");
    project.run(&["clone", "nothing", "-p", "new"]).failure(2).says("nothing");
}

/// The bytes that are free where a folder is, when all is written.
fn free(mounts: &Mounts, folder: &Path) -> u64 {
    mounts.shell(&format!("sync -f '{}'", folder.display()));
    let there = rustix::fs::statvfs(mounts.path(folder)).unwrap();
    there.f_bavail * there.f_frsize
}

#[test]
fn a_clone_shares_its_blocks_where_the_file_system_can() {
    const LARGE: usize = 24 << 20;
    let project = Project::new();
    let volume = project.beside("volume");
    fs::create_dir(&volume).unwrap();
    let (image, there) = (project.beside("image"), text(&volume).to_owned());
    let script = format!(
        "truncate -s 320M {0}; mkfs.xfs -q -m reflink=1 {0}; mount -o loop {0} {there}; mkdir -p {there}/env/conda-meta",
        text(&image)
    );
    let Some(mounts) = Mounts::new(&script) else { return };
    let prefix = volume.join("env");
    let inside = mounts.path(&prefix);
    let record = r#"{"name": "x", "version": "1", "build": "0", "build_number": 0, "subdir": "linux-64", "depends": [],
        "fn": "x-1-0.conda", "url": "https://example.org/linux-64/x-1-0.conda", "channel": "https://example.org/",
        "files": ["large"]}"#;
    fs::write(inside.join("conda-meta/history"), "").unwrap();
    fs::write(inside.join("conda-meta/x-1-0.json"), record).unwrap();
    let large: Vec<u8> = (0..LARGE).map(|at| ((at * at) >> 7) as u8).collect();
    fs::write(inside.join("large"), &large).unwrap();
    fs::write(inside.join("names"), format!("{}\n", text(&prefix))).unwrap();

    let before = free(&mounts, &volume);
    let copy = volume.join("a copy");
    mounts
        .run(&project, project.beside("").as_path(), &["clone", text(&prefix), "-p", text(&copy)])
        .success()
        .says("2 reflinks, 0 hard links");
    let taken = before.saturating_sub(free(&mounts, &volume));
    assert!(taken < LARGE as u64 / 4, "the copy has taken {taken} bytes of its own");
    mounts.shell(&format!("filefrag -v '{}/large' | grep -q shared", text(&copy)));
    let copied = mounts.path(&copy);
    assert!(fs::read(copied.join("large")).unwrap() == large, "the copy has other bytes");
    assert_eq!(fs::read_to_string(copied.join("names")).unwrap(), format!("{}\n", text(&copy)));
    // What is written into the one is not in the other.
    fs::write(copied.join("large"), "mine").unwrap();
    assert!(fs::read(inside.join("large")).unwrap() == large, "the original was written to");
    // A copy that shares its blocks is packed as any other.
    let archives = ["env", "a copy"].map(|name| {
        let archive = project.beside(format!("{}.tar", name.len()));
        let from = volume.join(name);
        let words = ["pack", "-p", text(&from), "-o", text(&archive), "--exclude", "large"];
        mounts.run(&project, project.beside("").as_path(), &words).success();
        fs::read(archive).unwrap()
    });
    assert!(archives[0] == archives[1]);
}

/// Packs the environment of the quickstart and unpacks it again.
fn unpacked(project: &Project, prefix: &Path) -> (PathBuf, PathBuf) {
    let archive = project.beside("one.tar.zst");
    project.run(&["pack", "-p", text(prefix), "-o", text(&archive)]).success();
    let tree = project.beside("tree");
    project.run(&["unpack", text(&archive), "-p", text(&tree)]).success();
    (archive, tree)
}

#[test]
fn a_clone_of_what_was_unpacked_can_be_verified_updated_and_relocated() {
    let (project, prefix) = installed();
    let (archive, tree) = unpacked(&project, &prefix);
    let clone = project.beside("a clone with a longer name than the tree has");
    let ran = project.run(&["clone", text(&tree), "-p", text(&clone)]).success();
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    assert_eq!(files_below(&clone), files_below(&tree));
    let marker = fs::read_to_string(clone.join("conda-meta/envbuild/prefix")).unwrap();
    assert_eq!(marker, format!("{}\n", clone.display()));
    let verified = project.run(&["unpack", "--verify", text(&clone)]).success();
    verified.says("0 changed, 0 missing; 0 added");
    assert_greets(&clone);
    let done = Ran::new(Command::new(clone.join("bin/conda-unpack")).output().unwrap()).success();
    assert!(done.stdout.contains("already done"), "{}", done.stdout);

    // It can be updated as the tree can.
    fs::write(prefix.join("share/new"), format!("{}\n", prefix.display())).unwrap();
    let update = project.beside("update.tar.zst");
    project.run(&["pack", "-p", text(&prefix), "-o", text(&update), "--since", text(&archive)]).success();
    project.run(&["unpack", text(&update), "-p", text(&clone)]).success();
    assert_eq!(fs::read_to_string(clone.join("share/new")).unwrap(), format!("{}\n", clone.display()));
    project.run(&["unpack", "--verify", text(&clone)]).success().says("0 changed, 0 missing; 0 added");

    // And moved, by the shell alone; of what lies elsewhere than its files say there are clones, too.
    let (moved, second) = (project.beside("moved"), project.beside("second"));
    fs::rename(&clone, &moved).unwrap();
    project.run(&["clone", text(&moved), "-p", text(&second)]).success();
    Ran::new(Command::new("sh").arg(second.join("bin/conda-unpack")).output().unwrap()).success();
    project.run(&["unpack", "--relocate", text(&moved)]).success();
    for place in [&moved, &second] {
        project.run(&["unpack", "--verify", text(place)]).success().says("0 changed, 0 missing; 0 added");
        assert_greets(place);
    }
}

#[test]
fn what_was_moved_is_packed_and_saved_as_it_was() {
    let (project, prefix) = installed();
    let (archive, tree) = unpacked(&project, &prefix);
    let moved = project.beside("moved");
    fs::rename(&tree, &moved).unwrap();
    let again = project.beside("two.tar.zst");
    project.run(&["pack", "-p", text(&moved), "-o", text(&again)]).success();
    assert!(fs::read(&again).unwrap() == fs::read(&archive).unwrap(), "the bytes differ");
    let (saved, back) = (project.beside("saved"), project.beside("back"));
    project.run(&["backup", "-p", text(&moved), "-o", text(&saved)]).success();
    project.run(&["restore", text(&saved), "-p", text(&back)]).success();
    assert_greets(&back);

    // A tree that is in use is no folder that may be written over, nor may what an update builds on.
    let into = format!("{}/", moved.display());
    project.run(&["pack", "-p", text(&back), "-o", &into, "--force"]).failure(2).says("in use");
    let onto = ["pack", "-p", text(&back), "-o", text(&again), "--since", text(&again), "--force"];
    project.run(&onto).failure(2).says("--since");
    assert!(fs::read(&again).unwrap() == fs::read(&archive).unwrap(), "it was written over");

    // Parts are replaced by parts, and nothing of the old ones stays.
    let cut = project.beside("cut.tar");
    let parts = || files_below(cut.parent().unwrap()).into_iter().filter(|it| text(it).starts_with("cut.tar")).count();
    project.run(&["pack", "-p", text(&back), "-o", text(&cut), "--split", "16K"]).success();
    let many = parts();
    project.run(&["pack", "-p", text(&back), "-o", text(&cut), "--split", "64K"]).failure(2).says("is there already");
    project.run(&["pack", "-p", text(&back), "-o", text(&cut)]).failure(2).says("is there already");
    project.run(&["pack", "-p", text(&back), "-o", text(&cut), "--split", "64K", "--force"]).success();
    assert!(parts() < many, "{many} parts and then {}", parts());
    let whole = project.beside("of parts");
    project.run(&["unpack", &format!("{}.000", cut.display()), "-p", text(&whole)]).success();
}

#[test]
fn a_clone_tells_how_its_tree_differs_from_its_digests() {
    let (project, prefix) = installed();
    let (_, tree) = unpacked(&project, &prefix);
    let greets = fs::read_to_string(tree.join("bin/activate")).unwrap();
    fs::write(tree.join("bin/activate"), format!("{greets}\n# {}/mine\n", tree.display())).unwrap();
    let gone = Path::new("bin/deactivate");
    fs::remove_file(tree.join(gone)).unwrap();
    fs::write(tree.join("added"), format!("{}\n", tree.display())).unwrap();
    let moved = project.beside("moved");
    for (from, to) in [(&tree, "clone"), (&moved, "of what was moved")] {
        if from == &moved {
            fs::rename(&tree, &moved).unwrap();
        }
        let to = project.beside(to);
        let ran = project.run(&["clone", text(from), "-p", text(&to)]).success();
        ran.says("`bin/activate` was changed").says("`bin/deactivate` is missing").says("`added` came since");
        let verified = project.run(&["unpack", "--verify", text(&to)]).failure(1);
        let verified = verified.says("1 changed, 1 missing; 1 added");
        assert_eq!(verified.stdout, format!("changed  bin/activate\nmissing  {}\n", gone.display()));
        let activate = fs::read_to_string(to.join("bin/activate")).unwrap();
        assert!(activate.ends_with(&format!("# {}/mine\n", to.display())), "{activate}");
        assert_greets(&to);
    }
    // What nobody can read is left where it is, and told.
    fs::write(moved.join("conda-meta/envbuild/relocate.json"), "{\"format\": 99}").unwrap();
    let bare = project.beside("bare");
    project.run(&["clone", text(&moved), "-p", text(&bare)]).success().says("stays behind");
    assert!(!bare.join("conda-meta/envbuild").exists());
}

#[test]
fn a_channel_that_others_can_use_is_found_again_from_an_archive() {
    let site = Project::example("quickstart");
    site.run(&["build"]).success();
    let channel = format!("file://{}", site.path("output").display());
    let manifest = "[project]\nname = \"user\"\nchannels = [\"@\"]\n[environments.env]\ndependencies = [\"hello\"]\n\
                    pack = [\"tar.zst\", \"bundle\"]\n";
    let mut project = Project::called("user").manifest(&manifest.replace('@', &channel));
    project.run(&["pack", "env"]).success();
    let [archive, bundle] = ["env-linux-64.tar.zst", "env-linux-64.bundle"].map(|it| {
        fs::rename(project.path("dist").join(it), project.beside(it)).unwrap();
        project.beside(it)
    });
    project.move_to("gone");
    let trees = [(&archive, "tree"), (&bundle, "of the bundle")].map(|(file, tree)| {
        let tree = project.beside(tree);
        project.run(&["unpack", text(file), "-p", text(&tree)]).success();
        tree
    });
    for tree in &trees {
        let name = files_below(tree).into_iter().find(|it| it.starts_with("conda-meta") && text(it).contains("hello-"));
        let record: Value = serde_json::from_slice(&fs::read(tree.join(name.unwrap())).unwrap()).unwrap();
        assert!(record["url"].as_str().unwrap().starts_with(&format!("{channel}/linux-64/hello-")), "{record}");
        assert_eq!(record["channel"].as_str().unwrap().trim_end_matches('/'), channel);
    }
    let (saved, back) = (project.beside("saved"), project.beside("back"));
    project.run(&["backup", "-p", text(&trees[0]), "-o", text(&saved)]).success();
    let ran = project.run(&["restore", text(&saved), "-p", text(&back), "--by", "explicit", "--offline"]).success();
    assert!(!ran.stderr.contains("cannot be reached"), "{}", ran.stderr);
    let hello = Ran::new(Command::new(back.join("bin/hello")).arg("World").output().unwrap()).success();
    assert!(hello.stdout.contains("World"), "{}", hello.stdout);
    let explicit = project.run(&["export", text(&trees[0]), "--format", "explicit"]).success().stdout;
    assert!(explicit.contains(&format!("{channel}/linux-64/hello-")), "{explicit}");
}

#[test]
fn what_pip_brought_comes_back_by_every_way() {
    let Some((project, prefix)) = science() else { return };
    project.write(
        "mine/pyproject.toml",
        "[project]\nname = \"mine\"\nversion = \"1.5\"\n[tool.setuptools]\npy-modules = [\"mine\"]\n",
    );
    project.write("mine/mine.py", "WORD = 'hello'\n");
    let pip = |arguments: &[&str]| {
        let mut pip = Command::new(prefix.join("bin/python"));
        project.pin(&mut pip);
        pip.args(["-m", "pip", "-q", "--disable-pip-version-check"]).args(arguments);
        Ran::new(pip.output().unwrap()).success();
    };
    let alone = ["--no-index", "--no-deps", "--no-build-isolation"];
    pip(&[&["wheel", "-w", "wheels", "./mine"], &alone[..]].concat());
    pip(&[&["install", "--find-links", "wheels", "mine"], &alone[..]].concat());
    project.write("test.sh", "python -c 'import mine, sys; assert mine.WORD == \"hello\"; print(sys.prefix)'\n");
    let backup = ["backup", "-p", text(&prefix), "-o", "backup", "--test", "test.sh"];
    project.run(&backup).success().says("test.sh passed");
    assert_eq!(project.read("backup/pip.txt"), "mine==1.5\n");
    for by in ["pack", "explicit", "environment"] {
        let to = project.beside(by);
        let mut command = project.command(&["restore", "backup", "-p", text(&to), "--by", by]);
        command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", project.path("wheels"));
        Ran::new(command.output().unwrap()).success();
        let mut python = Command::new(to.join("bin/python"));
        project.pin(&mut python);
        let said =
            Ran::new(python.args(["-c", "import mine; print(mine.__file__)"]).output().unwrap()).success().stdout;
        assert!(said.starts_with(text(&to)), "{by}: {said}");
    }
    // Without that index pip has nothing, and no half of a prefix is left.
    let mut command = project.command(&["restore", "backup", "-p", "half", "--by", "explicit"]);
    let ran = Ran::new(command.env("PIP_NO_INDEX", "1").output().unwrap()).failure(1);
    ran.says("pip ended with exit status: 1").says("mine==1.5");
    assert!(!project.path("half").exists());

    // An editable install is refused with the ways out, and can be left out.
    pip(&[&["install", "-e", "./mine"], &alone[..]].concat());
    let words = ["backup", "-p", text(&prefix), "-o", "second"];
    project.run(&words).failure(1).says("--ignore-editable");
    project.run(&[&words[..], &["--include-editable", "--test", "test.sh"]].concat()).success().says("test.sh passed");
    project.run(&["clone", text(&prefix), "-p", "copy"]).success().says("`mine` is imported from");
}
