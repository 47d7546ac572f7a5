//! Bundles: they are channels for any client, and environments for us.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use envbuild::{base::Cancel, exec::unbundle, image, rt::Rt};
use rayon::prelude::{ParallelIterator as _, ParallelSlice as _};

use crate::support::{Project, Ran, client, contents_below, files_below};

const BUNDLE: &str = "dist/everyone-libgreet1.0.0-linux-64.bundle";
const ARCHIVE: &str = "dist/everyone-libgreet1.0.0-linux-64.tar.zst";

/// A project that packs both ways, packed.
fn packed() -> Project {
    let project = Project::example("quickstart");
    project.edit("project.toml", "pack = [\"tar.zst\"]", "pack = [\"tar.zst\", \"bundle\"]");
    project.run(&["pack", "everyone-libgreet1.0.0"]).success();
    project
}

fn bare(program: &Path, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/").output().unwrap()
}

#[track_caller]
fn assert_greets(prefix: &Path) {
    let hello = Ran::new(bare(&prefix.join("bin/hello"), &["--everyone"])).success();
    assert_eq!(hello.stdout, "Hello, Ada!\nHello, Barbara!\nHello, Grace!\n");
}

/// Every entry with its mode, or the target of a link.
fn entries_below(prefix: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![prefix.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let what = if metadata.is_symlink() {
                path.read_link().unwrap().display().to_string()
            } else {
                format!("{:o}", metadata.mode())
            };
            found.push((path.strip_prefix(prefix).unwrap().to_owned(), what));
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
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
        project.run(&["unpack", from.to_str().unwrap(), "-p", to.to_str().unwrap()]).success();
        to
    };
    // Paths of the same length, so that everything can be compared.
    let (ours, theirs) = (unpack(&places[0], "by-bundle"), unpack(&places[1], "by-packed"));
    assert_greets(&ours);
    assert_greets(&theirs);
    assert_eq!(entries_below(&ours), entries_below(&theirs));
    let place = |prefix: &Path| prefix.to_str().unwrap().to_owned();
    for (name, bytes) in contents_below(&ours) {
        let other = fs::read(theirs.join(&name)).unwrap();
        let moved = String::from_utf8_lossy(&other).replace(&place(&theirs), &place(&ours));
        assert!(String::from_utf8_lossy(&bytes) == moved, "{} has other bytes", name.display());
    }
    // From the folder that it was unpacked to, as well.
    let folder = untar(&places[0], project.beside("a folder"));
    let third = unpack(&folder, "by-folder");
    assert_greets(&third);
    assert_eq!(files_below(&third), files_below(&theirs));

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
            if let Ok(whole) = image::unbundle(&rt, &cut, &place) {
                assert!(padding(*length) && whole.image.entries.contains_key(&b"x"[..]), "{what} pass for the whole");
            }
            assert!(is_empty(), "{what} leave something");
        }
        // And the whole way, once in a while.
        match unbundle(&cut, &place.join("env"), &Cancel::new()) {
            Ok(_) => assert!(padding(lengths[0]) && place.join("env/x").is_file(), "{} bytes", lengths[0]),
            Err(_) => assert!(is_empty(), "{} bytes leave something", lengths[0]),
        }
    });
}
