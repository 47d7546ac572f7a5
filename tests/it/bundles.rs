//! Bundles: they are channels for any client, and environments for us.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use envbuild::{
    base::{Cancel, Meter, Progress},
    exec::{ExecError, UnbundleRequest, unbundle},
    image,
    rt::Rt,
    unpack::{Machine, UnpackError},
};
use rayon::prelude::{ParallelIterator as _, ParallelSlice as _};

use crate::support::{
    Mounts, Project, Ran, Server, assert_greets, assert_same_trees, client, contents_below, environment, files_below,
};

const BUNDLE: &str = "dist/everyone-libgreet1.0.0-linux-64.bundle";
const ARCHIVE: &str = "dist/everyone-libgreet1.0.0-linux-64.tar.zst";

/// A project that packs both ways, packed.
fn packed() -> Project {
    let project = Project::example("quickstart");
    project.edit("project.toml", "pack = [\"tar.zst\"]", "pack = [\"tar.zst\", \"bundle\"]");
    project.run(&["pack", "everyone-libgreet1.0.0"]).success();
    project
}

fn untar(bundle: &Path, into: PathBuf) -> PathBuf {
    fs::create_dir(&into).unwrap();
    assert!(Command::new("tar").arg("-xf").arg(bundle).arg("-C").arg(&into).status().unwrap().success());
    into
}

#[test]
fn a_bundle_is_the_environment_of_the_archive() {
    let mut project = packed();
    let places = [BUNDLE, ARCHIVE].map(|file| {
        let place = project.beside(Path::new(file).file_name().unwrap());
        fs::copy(project.path(file), &place).unwrap();
        place
    });
    let sums = project.path(format!("{BUNDLE}.sha256"));
    let mut check = Command::new("sha256sum");
    check.arg("-c").arg("--status").arg(&sums).current_dir(project.path("dist"));
    assert!(check.status().unwrap().success(), "the checksum beside the bundle is another's");
    project.move_to("gone");
    let unpack = |from: &Path, to: &str| {
        let to = project.beside(to);
        let ran = project.run(&["unpack", from.to_str().unwrap(), "-p", to.to_str().unwrap()]).success();
        let words: Vec<String> = ran.stderr.split_whitespace().take(3).map(str::to_owned).collect();
        (to, words)
    };
    let ((ours, our_count), (theirs, their_count)) = (unpack(&places[0], "by-bundle"), unpack(&places[1], "by-packed"));
    assert_eq!(our_count, their_count, "the number of files is another one");
    assert_greets(&ours);
    assert_greets(&theirs);
    assert_same_trees(&environment(&ours), &environment(&theirs));
    // From the folder that it was unpacked to, as well.
    let folder = untar(&places[0], project.beside("a folder"));
    let (third, _) = unpack(&folder, "by-folder");
    assert_greets(&third);
    assert_eq!(files_below(&third), files_below(&theirs));
    // What its files need, and which packages it holds, is told as of the archive.
    let told = |from: &Path| {
        let from = from.to_str().unwrap();
        project.run(&["check", from]).success();
        let lacks = project.run(&["check", from, "--target", "__glibc=2.5", "--format", "json"]).failure(1);
        let listed = project.run(&["export", from, "--format", "explicit"]).success();
        (lacks.json(), listed.stdout)
    };
    let of_archive = told(&places[1]);
    assert!(told(&places[0]) == of_archive && told(&folder) == of_archive);

    project
        .run(&["unpack", places[0].to_str().unwrap(), "-p", third.to_str().unwrap()])
        .failure(1)
        .says("is there already");
}

#[test]
fn any_client_installs_from_a_bundle_without_a_network() {
    let Some(python) = client::python() else { return };
    let project = packed();
    let channel = untar(&project.path(BUNDLE), project.beside("channel"));
    let names = ["envbuild.lock", "explicit.txt", "linux-64/repodata.json", "noarch/repodata.json"];
    for name in names {
        let text = fs::read_to_string(channel.join(name)).unwrap();
        assert!(!text.contains(project.root().to_str().unwrap()), "{name} names the project");
    }
    let explicit = fs::read_to_string(channel.join("explicit.txt")).unwrap();
    let lines: Vec<&str> = explicit.lines().filter(|line| line.starts_with("./")).collect();
    for line in &lines {
        let (file, md5) = line.split_once('#').unwrap();
        let sum = Ran::new(Command::new("md5sum").arg(channel.join(file)).output().unwrap()).success().stdout;
        assert!(sum.starts_with(md5), "{line}");
    }
    let locked = envbuild::lock::read(&channel.join("envbuild.lock")).unwrap();
    let packages = &locked["everyone-libgreet1.0.0"].packages;
    assert_eq!(packages.len(), lines.len());
    assert!(packages.iter().all(|it| it.url.to_file_path().unwrap().is_file()), "the lock is relative to itself");
    let prefix = project.beside("by client");
    let specs: Vec<String> = packages.iter().map(|it| it.package_record.name.as_source().to_owned()).collect();
    let specs: Vec<&str> = specs.iter().map(String::as_str).collect();
    client::install_from(&format!("file://{}", channel.display()), &project, &python, &specs, &prefix);
    assert_greets(&prefix);
}

#[test]
fn the_same_lock_gives_the_same_bundle_and_a_damaged_one_leaves_nothing() {
    let project = packed();
    let whole = fs::read(project.path(BUNDLE)).unwrap();
    fs::remove_file(project.path(BUNDLE)).unwrap();
    project.run(&["pack", "everyone-libgreet1.0.0"]).success();
    assert!(whole == fs::read(project.path(BUNDLE)).unwrap(), "the bytes differ");
    project.run(&["pack", "everyone-libgreet1.0.0"]).success().says("nothing to do");

    let at = |needle: &[u8]| whole.windows(needle.len()).rposition(|it| it == needle).unwrap();
    let mut changed = whole.clone();
    // The end of the last package's directory.
    changed[at(b"PK\x05\x06") + 12] ^= 1;
    let mut other_format = whole.clone();
    let format = at(b"\"format\": 1,");
    other_format[format + 10] = b'7';
    let mut outside = whole.clone();
    let path = outside.windows(18).position(|it| it == b"\"path\": \"linux-64/").unwrap();
    outside[path + 9..path + 12].copy_from_slice(b"../");
    let cases = [
        ("cut", whole[..whole.len() * 2 / 3].to_vec()),
        ("changed", changed),
        ("other-format", other_format),
        ("outside", outside),
    ];
    for (name, bytes) in cases {
        fs::write(project.path(name), bytes).unwrap();
        let before = files_below(project.root()).len();
        project.run(&["unpack", name, "-p", "prefix"]).failure(1);
        assert!(!project.path("prefix").exists(), "{name} left something behind");
        assert_eq!(files_below(project.root()).len(), before, "{name} left something behind");
    }
}

/// A library that says that it needs a C library that nobody has yet.
const NEW: &str = r#"package:
  name: newer
  version: 1.0.0
build:
  script:
    - mkdir -p $PREFIX/share
    - head -c 300000 /dev/zero > $PREFIX/share/zeros
    - for it in a b c d e f g h; do echo $it > $PREFIX/share/$it; done
requirements:
  run:
    - __glibc >=9.17,<10
"#;

const SENT: &str = "\
[project]
name = \"sent\"
channels = []
[recipes.newer]
path = \"recipes/newer\"
[environments.env]
dependencies = [\"newer\"]
pack = [\"bundle\"]
target = \"later\"
[targets.later]
virtual-packages = { __glibc = \"9.20\" }
";

#[test]
fn a_bundle_is_unpacked_only_where_it_can_live() {
    let project = Project::new().manifest(SENT).recipe("newer", NEW);
    project.run(&["pack"]).success();
    let bundle = "dist/env-linux-64.bundle";
    let before = files_below(project.root());
    // A sentence may be broken where a line ends.
    let assert_says = |ran: Ran, told: &str| {
        let said = ran.failure(1).stderr.split_whitespace().filter(|it| *it != "│").collect::<Vec<_>>().join(" ");
        assert!(said.contains(told), "{told} is not in {said}");
    };
    let refused = |words: &[&str], told: &str| {
        assert_says(project.run(&[&["unpack", bundle], words].concat()), told);
        assert_eq!(files_below(project.root()), before, "{words:?} left something behind");
    };
    refused(&["-p", "e"], "it needs glibc 9.17, and this machine has 2.");
    let any = "--ignore-platform";
    refused(&[any, "-p", &"a-long-name/".repeat(25)], "at most 255");
    // Another platform, in the index alone.
    let mut bytes = fs::read(project.path(bundle)).unwrap();
    let place = b"\"platform\": \"linux-64\"";
    let at = bytes.windows(place.len()).position(|it| it == place).unwrap();
    bytes[at..at + place.len()].copy_from_slice(b"\"platform\": \"linux-32\"");
    fs::write(project.beside("other"), bytes).unwrap();
    let other = project.beside("other");
    let ran = project.run(&["unpack", other.to_str().unwrap(), "-p", "e"]);
    assert_says(ran, "it is for linux-32, and this machine is linux-64; it needs glibc 9.17");

    // Disks that are too small, one on which there is room for what is known before and not for all, and one with few inodes.
    let disk = project.beside("disk");
    let goal = disk.join("e");
    let words = ["unpack", bundle, any, "-p", goal.to_str().unwrap()];
    fs::create_dir_all(&disk).unwrap();
    let mut needed = 64 << 10;
    for (limit, told) in
        [("size=", "has 65536 left"), ("size=", "nothing of it is left"), ("nr_inodes=6,size=", "room for")]
    {
        let options = format!("{limit}{needed}");
        let Some(mounts) = Mounts::new(&format!("mount -t tmpfs -o {options} tmpfs '{}'", disk.display())) else {
            return;
        };
        let ran = mounts.run(&project, project.root(), &words);
        if let Some((_, number)) = ran.stderr.split_once("it needs about ") {
            needed = number.split_whitespace().next().unwrap().parse::<u64>().unwrap();
        }
        assert_says(ran, told);
        assert_eq!(fs::read_dir(mounts.path(&disk)).unwrap().count(), 0, "{options}: something is left");
    }
    project.run(&["unpack", bundle, any, "-p", "e"]).success();
    assert_eq!(fs::metadata(project.path("e/share/zeros")).unwrap().len(), 300_000);
}

#[test]
fn an_unpacked_bundle_tells_how_far_it_has_come_and_can_be_stopped() {
    let project = packed();
    let seen = Mutex::new(Vec::new());
    let progress = |done: u64, total: u64| seen.lock().unwrap().push((done, total));
    let (bundle, cancel) = (project.path(BUNDLE), Cancel::new());
    let request = UnbundleRequest {
        bundle: &bundle,
        prefix: &project.path("told"),
        machine: &Machine::default(),
        cache: None,
        progress: Progress::to(&progress),
        cancel: &cancel,
    };
    unbundle(&request).unwrap();
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let packed: u64 =
        contents_below(&project.path("output")).iter().map(|(_, bytes)| bytes.len() as u64).max().unwrap_or_default();
    let total = seen[0].1;
    assert!(total > packed && seen.iter().all(|(done, all)| done <= all && *all == total), "{seen:?}");
    assert!(seen.len() > 10 && seen.iter().any(|(done, _)| done * 2 > total), "{seen:?}");
    // Somebody else is faster.
    let (taken, whose) = (project.path("taken"), project.path("taken/somebody else's"));
    let come = |_, _| {
        fs::create_dir_all(&taken).unwrap();
        fs::write(&whose, "text").unwrap();
    };
    let error = unbundle(&UnbundleRequest { prefix: &taken, progress: Progress::to(&come), ..request }).unwrap_err();
    assert!(matches!(error, ExecError::Unpack(UnpackError::Overtaken(_))), "{error}");
    assert_eq!(files_below(&taken).len(), 1);
    cancel.cancel();
    let error = unbundle(&UnbundleRequest { prefix: &project.path("stopped"), ..request }).unwrap_err();
    assert!(matches!(error, ExecError::Cancelled), "{error}");
    assert!(!project.path("stopped").exists());
}

#[test]
fn packages_of_a_bundle_come_from_a_server_whole_or_not_at_all() {
    let site = Project::example("quickstart");
    site.run(&["build"]).success();
    let server = Server::of(&site.path("output"));
    let manifest = format!(
        "[project]\nname = \"user\"\nchannels = [\"{}\"]\n[environments.env]\ndependencies = [\"hello\"]\npack = \
         [\"bundle\"]\n",
        server.address
    );
    let mut project = Project::called("user").manifest(&manifest);
    let (dist, bundle) = (project.path("dist"), project.path("dist/env-linux-64.bundle"));
    let mut empty_cache = |name: &str| {
        let cache = project.beside(name);
        project.set("ENVBUILD_CACHE_DIR", &cache);
        drop(fs::remove_dir_all(project.path("dist")));
        (project.run(&["pack", "env"]), cache)
    };
    empty_cache("one").0.success();
    let whole = fs::read(&bundle).unwrap();
    let asked = server.asked();
    assert!(asked.iter().any(|it| it.contains("/hello-")), "{asked:?}");

    // A connection that breaks off once is tried again.
    server.cut(1);
    empty_cache("two").0.success();
    assert!(fs::read(&bundle).unwrap() == whole, "the bytes differ");
    assert_eq!(server.asked(), asked);

    let hello = asked.iter().find(|it| it.contains("/hello-")).unwrap();
    let place = site.path("output").join(hello);
    let good = fs::read(&place).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    for (name, cuts, told) in [("three", usize::MAX, "hello-"), ("four", 0, "sha256")] {
        server.cut(cuts);
        if cuts == 0 {
            fs::write(&place, &bad).unwrap();
        }
        let (ran, cache) = empty_cache(name);
        ran.failure(1).says(told);
        assert_eq!(files_below(&dist), Vec::<PathBuf>::new(), "{name}");
        let left = files_below(&cache.join("archives"));
        let half = |it: &PathBuf| it.to_string_lossy().contains("hello-") || it.to_string_lossy().contains("tmp");
        assert!(!left.iter().any(half), "{name}: {left:?}");
    }
    fs::write(&place, good).unwrap();
    empty_cache("four").0.success();
    assert!(fs::read(&bundle).unwrap() == whole, "the bytes differ");
}

#[test]
fn a_bundle_that_is_cut_at_any_byte_leaves_nothing() {
    let manifest = "[project]\nname = \"tiny\"\nchannels = []\n[recipes.tiny]\npath = \"recipes/tiny\"\n\
                    [environments.env]\ndependencies = [\"tiny\"]\npack = [\"bundle\"]\n";
    let recipe =
        "package: {name: tiny, version: '1'}\nbuild: {noarch: generic, script: ['echo $PREFIX > $PREFIX/x']}\n";
    let project = Project::new().manifest(manifest).recipe("tiny", recipe);
    project.run(&["pack"]).success();
    let bytes = fs::read(project.path("dist/env-linux-64.bundle")).unwrap();
    let rt = Rt::new().unwrap();
    // Tar ends in some thousand zeros, of which a few hundred say enough.
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 256;
    let lengths: Vec<usize> = (0..end).collect();
    lengths.par_chunks(256).for_each(|lengths| {
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let (cut, place) = (root.path().join("cut"), root.path().join("place"));
        fs::create_dir(&place).unwrap();
        fs::write(&cut, &bytes).unwrap();
        let file = fs::File::options().write(true).open(&cut).unwrap();
        let padding = |length: usize| bytes[length..].iter().all(|byte| *byte == 0);
        let is_empty = || fs::read_dir(&place).unwrap().count() == 0;
        for length in lengths.iter().rev() {
            file.set_len(*length as u64).unwrap();
            let what = format!("{length} of {} bytes", bytes.len());
            let meter = Meter::new(Progress::none(), 0);
            let request = image::UnbundleRequest {
                bundle: &cut,
                beside: &place,
                kept: None,
                meter: &meter,
                cancel: &Cancel::new(),
            };
            if let Ok(whole) = image::unbundle(&rt, &request) {
                assert!(padding(*length) && whole.image.entries.contains_key(&b"x"[..]), "{what} pass for the whole");
            }
            assert!(is_empty(), "{what} leave something");
        }
        // And the whole way, once in a while.
        let request = UnbundleRequest {
            bundle: &cut,
            prefix: &place.join("env"),
            machine: &Machine::default(),
            cache: None,
            progress: Progress::none(),
            cancel: &Cancel::new(),
        };
        match unbundle(&request) {
            Ok(_) => assert!(padding(lengths[0]) && place.join("env/x").is_file(), "{} bytes", lengths[0]),
            Err(_) => assert!(is_empty(), "{} bytes leave something", lengths[0]),
        }
    });
}
