//! Real trees packed, unpacked by the system's `tar` and `sed` or natively, and run.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, symlink},
    },
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::{
    PackError, PackRequest, Packed, of_prefix, pack,
    stage::{python, run, stage, text, write},
};
use crate::{
    archive::Format,
    base::{Cancel, Progress},
    tree::{Digests, placeholder},
    unpack::{Machine, UnpackError, UnpackRequest, Unpacked, unpack},
};

const SPECIAL: &str = "a b&c|d#e";

pub(crate) fn pack_at(staging: &Path, old: &str, archive: &Path, threads: u32) -> Result<Packed, PackError> {
    pack_with(staging, old, archive, Ways { threads, ..Ways::default() })
}

/// What tests choose.
#[derive(Clone, Copy)]
pub(crate) struct Ways<'a> {
    pub(crate) since: Option<&'a Digests>,
    pub(crate) dest_prefix: Option<&'a str>,
    pub(crate) format: Format,
    pub(crate) arcroot: &'a str,
    pub(crate) needs: &'a [u8],
    pub(crate) threads: u32,
}

impl Default for Ways<'_> {
    fn default() -> Self {
        let format = Format::TarZst;
        Self { since: None, dest_prefix: None, format, arcroot: "", needs: b"{}\n", threads: 1 }
    }
}

pub(crate) fn pack_with(staging: &Path, old: &str, archive: &Path, ways: Ways<'_>) -> Result<Packed, PackError> {
    let variables = BTreeMap::from([
        ("DATA_PATH".to_owned(), format!("{old}/share:it's:{old}")),
        ("OTHER".to_owned(), "$HOME `x` \"".to_owned()),
    ]);
    pack(PackRequest {
        entries: of_prefix(staging)?,
        placeholder: old,
        dest_prefix: ways.dest_prefix,
        foreign: &[staging.to_owned()],
        own: &[staging.parent().unwrap().to_owned()],
        needs: ways.needs,
        more: &[],
        since: ways.since,
        archive,
        format: ways.format,
        arcroot: ways.arcroot,
        split: None,
        level: None,
        threads: ways.threads,
        name: Some("demo"),
        platform: "linux-64",
        variables: &variables,
        progress: Progress::none(),
        cancel: &Cancel::new(),
    })
}

pub(crate) fn unpack_at(archive: &Path, prefix: &Path) -> Result<Unpacked, UnpackError> {
    unpack(&request(archive, prefix, &Cancel::new()))
}

fn request<'a>(archive: &'a Path, prefix: &'a Path, cancel: &'a Cancel) -> UnpackRequest<'a> {
    const ANY: &Machine = &Machine { platform: None, glibc: None };
    UnpackRequest { archive, prefix, machine: ANY, threads: 3, progress: Progress::none(), cancel }
}

pub(crate) fn untar(archive: &Path, prefix: &Path) {
    fs::create_dir_all(prefix).unwrap();
    // The argument of `-C` would be read with its backslashes as escapes.
    run(Command::new("tar").arg("--zstd").arg("-xf").arg(archive).current_dir(prefix));
}

pub(crate) fn conda_unpack(prefix: &Path) -> Output {
    Command::new("sh").arg(prefix.join("bin/conda-unpack")).output().unwrap()
}

/// Every entry with what can be compared of it.
fn snapshot(prefix: &Path) -> BTreeMap<PathBuf, String> {
    let list = |name: &str| fs::read(prefix.join("conda-meta/envbuild").join(name)).unwrap();
    let lists = [list("text"), list("binary"), b"conda-meta/envbuild/prefix".to_vec()].concat();
    let rewritten: BTreeSet<&[u8]> = lists.split(|byte| *byte == 0).collect();
    let mut out = BTreeMap::new();
    let mut folders = vec![prefix.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(prefix).unwrap().to_owned();
            let metadata = path.symlink_metadata().unwrap();
            let what = if metadata.is_symlink() {
                format!("link {:?}", path.read_link().unwrap())
            } else if metadata.is_dir() {
                folders.push(path);
                format!("folder {:o}", metadata.mode())
            } else {
                let time = (!rewritten.contains(name.as_os_str().as_bytes())).then(|| metadata.mtime());
                format!("file {:o} {time:?} {}", metadata.mode(), blake3::hash(&fs::read(&path).unwrap()))
            };
            out.insert(name, what);
        }
    }
    out
}

/// Every entry of an environment with its mode, time where it is the archive's, and content.
pub(crate) fn contents(prefix: &Path) -> Vec<(PathBuf, String)> {
    snapshot(prefix).into_iter().collect()
}

fn holds(path: &Path, needle: &str) -> bool {
    memchr::memmem::find(&fs::read(path).unwrap(), needle.as_bytes()).is_some()
}

fn check_works(prefix: &Path, old: &str) {
    let here = prefix.to_str().unwrap();
    let hello = text(&run(&mut Command::new(prefix.join("bin/hello"))));
    assert_eq!(hello, format!("{here}/share\n{here}/a:{here}/b\nend\n"));
    for script in ["plain", "quoted"] {
        let output = run(Command::new(prefix.join("bin").join(script)).args(["x y", "z"]));
        assert_eq!(text(&output), "ran ['x y', 'z']\n", "{script}");
    }
    assert_eq!(prefix.join("lib/absolute link").read_link().unwrap(), Path::new(&format!("{here}/lib/{here}/binary")));
    assert_eq!(
        fs::read_to_string(prefix.join("etc/no-line-end")).unwrap(),
        format!("prefix={here}/x {here}\nlast={here}")
    );
    assert_eq!(fs::metadata(prefix.join("lib/large")).unwrap().len(), 3 << 20);
    for name in snapshot(prefix).keys() {
        let path = prefix.join(name);
        let ours = name.starts_with("conda-meta/envbuild") || name == Path::new("bin/conda-unpack");
        if path.symlink_metadata().unwrap().is_file() && !ours && name.extension() != Some(OsStr::new("pyc")) {
            assert!(!holds(&path, old), "{}", name.display());
        }
    }
}

#[test]
fn tar_with_conda_unpack_and_unpack_agree_to_the_byte() {
    let root = tempfile::tempdir().unwrap();
    let old = placeholder(255);
    let archive = root.path().join("demo-linux-64.tar.zst");
    let packed = pack_at(&stage(root.path(), &old), &old, &archive, 2).unwrap();
    for place in ["plain", SPECIAL] {
        let prefix = root.path().join("by").join(place);
        untar(&archive, &prefix);
        let output = conda_unpack(&prefix);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        check_works(&prefix, &old);
        let by_tar = snapshot(&prefix);
        let again = conda_unpack(&prefix);
        assert!(again.status.success() && text(&again).contains("already done"), "{}", text(&again));
        assert_eq!(snapshot(&prefix), by_tar);

        fs::remove_dir_all(&prefix).unwrap();
        fs::create_dir(&prefix).unwrap();
        let unpacked = unpack_at(&archive, &prefix).unwrap();
        assert_eq!(unpacked.files, packed.files);
        check_works(&prefix, &old);
        let natively = snapshot(&prefix);
        assert_eq!(natively.keys().collect::<Vec<_>>(), by_tar.keys().collect::<Vec<_>>());
        for (name, what) in &by_tar {
            assert_eq!(&natively[name], what, "{}", name.display());
        }
        assert!(text(&conda_unpack(&prefix)).contains("already done"));
    }
    let left: Vec<_> = fs::read_dir(root.path().join("by")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn conda_unpack_gives_back_the_whole_room_of_a_string_at_the_end_of_a_file() {
    let root = tempfile::tempdir().unwrap();
    let old = placeholder(120);
    let staging = stage(root.path(), &old);
    // No NUL byte ends it, so all that the short path leaves of it is what it was filled up with.
    write(&staging.join("lib/end"), [b"\0\x01", old.as_bytes(), b"/a:", old.as_bytes(), b"/b"].concat());
    let archive = root.path().join("demo-linux-64.tar.zst");
    pack_at(&staging, &old, &archive, 2).unwrap();
    let short = root.path().join("short");
    let long = root.path().join("l".repeat(old.len() - root.path().as_os_str().len() - 1));
    unpack_at(&archive, &long).unwrap();
    let expected = snapshot(&long);
    fs::remove_dir_all(&long).unwrap();
    untar(&archive, &short);
    for (from, to) in [(&short, &short), (&short, &long), (&long, &short), (&short, &long)] {
        fs::rename(from, to).unwrap();
        let output = conda_unpack(to);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let found = snapshot(&long);
    for (name, what) in &expected {
        assert_eq!(&found[name], what, "{}", name.display());
    }
}

#[test]
fn the_same_environment_gives_the_same_bytes() {
    let root = tempfile::tempdir().unwrap();
    let old = placeholder(255);
    let mut packs = Vec::new();
    for (place, threads) in [("one", 1), ("another/deeper", 4)] {
        let folder = root.path().join(place);
        let staging = stage(&folder, &old);
        let archive = folder.join("x.tar.zst");
        packs.push((pack_at(&staging, &old, &archive, threads).unwrap(), fs::read(&archive).unwrap()));
        assert!(!holds(&archive, "another/deeper"));
    }
    assert_eq!(packs[0].1, packs[1].1);
    let (one, bytes) = &packs[0];
    assert_eq!(one.pieces[0].bytes, bytes.len() as u64);
    assert_eq!(fs::metadata(&one.pieces[0].path).unwrap().mode() & 0o777, 0o644);
    run(Command::new("sha256sum").args(["-c", "x.tar.zst.sha256"]).current_dir(root.path().join("one")));
    let inside = run(Command::new("tar").arg("--zstd").arg("-tvf").arg(&one.pieces[0].path).env("TZ", "UTC"));
    let inside = text(&inside);
    assert!(inside.lines().next().unwrap().ends_with("1980-01-01 00:00 conda-meta/"), "{inside}");
    for absent in ["CACHEDIR", ".guard", "stale.cpython"] {
        assert!(!inside.contains(absent), "{absent}");
    }
    assert!(inside.contains("conda-meta/history") && inside.contains("kept.cpython"));
    let prefix = root.path().join("out");
    unpack_at(&one.pieces[0].path, &prefix).unwrap();
    let record = fs::read_to_string(prefix.join("conda-meta/x-1-0.json")).unwrap();
    assert!(!record.contains(root.path().to_str().unwrap()) && record.contains("file:///output/linux-64"), "{record}");
    // Python takes the bytecode for valid, which it would not do had the source another time.
    let check = "import sys, importlib.util as u; sys.path[:0] = [sys.argv[1]]; import kept; p = u.cache_from_source(\
                 kept.__file__); import os; before = os.stat(p).st_mtime_ns; assert before == 315532800 * 10**9, before";
    run(Command::new(python()).args(["-c", check]).arg(prefix.join("lib/py")));
}

#[test]
fn conda_unpack_finds_its_prefix_from_anywhere() {
    let root = tempfile::tempdir().unwrap();
    let old = placeholder(200);
    let archive = root.path().join("x.tar.zst");
    pack_at(&stage(root.path(), &old), &old, &archive, 1).unwrap();
    let fresh = |name: &str| {
        let prefix = root.path().join(name);
        untar(&archive, &prefix);
        prefix
    };
    let shells: Vec<&str> = ["sh", "bash", "dash", "zsh"]
        .into_iter()
        .filter(|shell| Command::new(shell).args(["-c", ":"]).output().is_ok())
        .collect();
    for (number, shell) in shells.iter().enumerate() {
        let prefix = fresh(&format!("shell {number}"));
        run(Command::new(shell).arg("bin/conda-unpack").current_dir(&prefix));
        check_works(&prefix, &old);
    }
    let prefix = fresh("inside");
    run(Command::new("sh").arg("conda-unpack").current_dir(prefix.join("bin")));
    check_works(&prefix, &old);

    // Through a link to the folder the environment gets the link's name, and its own name is as good afterwards.
    let real = fresh("real");
    let link = root.path().join("link");
    symlink(&real, &link).unwrap();
    run(Command::new("sh").arg("link/bin/conda-unpack").current_dir(root.path()));
    check_works(&link, &old);
    assert!(text(&conda_unpack(&real)).contains("already done"));
    // Through a link to the script and through PATH.
    let prefix = fresh("linked");
    symlink(prefix.join("bin/conda-unpack"), root.path().join("script")).unwrap();
    run(Command::new("sh").arg("script").current_dir(root.path()));
    check_works(&prefix, &old);
    let prefix = fresh("path");
    run(Command::new("env").arg(format!("PATH={}:/usr/bin:/bin", prefix.join("bin").display())).arg("conda-unpack"));
    check_works(&prefix, &old);

    // One that was moved is relocated again.
    let moved = root.path().join("moved");
    fs::rename(&prefix, &moved).unwrap();
    run(Command::new("sh").arg(moved.join("bin/conda-unpack")));
    check_works(&moved, &old);
    check_works(&moved, prefix.to_str().unwrap());
}

#[test]
fn a_stopped_unpack_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let old = placeholder(255);
    let archive = root.path().join("x.tar.zst");
    pack_at(&stage(root.path(), &old), &old, &archive, 1).unwrap();
    let folder = root.path().join("into");
    fs::create_dir(&folder).unwrap();
    let cancel = Cancel::new();
    cancel.cancel();
    let prefix = folder.join("prefix");
    assert!(matches!(unpack(&request(&archive, &prefix, &cancel)), Err(UnpackError::Stopped)));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn what_cannot_work_is_said_before_anything_is_written() {
    let root = tempfile::tempdir().unwrap();
    let limit = root.path().as_os_str().len() + 20;
    let old = placeholder(limit);
    let archive = root.path().join("x.tar.zst");
    pack_at(&stage(root.path(), &old), &old, &archive, 1).unwrap();
    for name in [
        "n".repeat(20),
        "line\nbreak".to_owned(),
        "line\n".to_owned(),
        "a$b".to_owned(),
        "a\"b".to_owned(),
        "a:b".to_owned(),
        "a'b".to_owned(),
        "a\\b".to_owned(),
    ] {
        let prefix = root.path().join(&name);
        untar(&archive, &prefix);
        let before = snapshot(&prefix);
        let output = conda_unpack(&prefix);
        assert!(!output.status.success(), "{name}");
        assert_eq!(snapshot(&prefix), before, "{name}");
        fs::remove_dir_all(&prefix).unwrap();
        let error = unpack_at(&archive, &prefix).unwrap_err();
        let expected = matches!(error, UnpackError::PrefixLength { .. } | UnpackError::PrefixCharacter { .. });
        assert!(expected && !prefix.exists(), "{name}: {error}");
    }
    let exact = root.path().join("n".repeat(19));
    unpack_at(&archive, &exact).unwrap();
    check_works(&exact, &old);

    // A run that fails in the middle leaves no marker, and the next run in the same place completes it.
    let prefix = root.path().join("half");
    untar(&archive, &prefix);
    fs::rename(prefix.join("lib/large"), root.path().join("aside")).unwrap();
    assert!(!conda_unpack(&prefix).status.success());
    assert!(!prefix.join("conda-meta/envbuild/prefix").exists());
    fs::rename(&prefix, root.path().join("other")).unwrap();
    let output = conda_unpack(&root.path().join("other"));
    assert!(String::from_utf8(output.stderr).unwrap().contains("interrupted"));
    fs::rename(root.path().join("other"), &prefix).unwrap();
    fs::rename(root.path().join("aside"), prefix.join("lib/large")).unwrap();
    assert!(conda_unpack(&prefix).status.success());
    check_works(&prefix, &old);
}

#[test]
fn activation_works_in_every_shell_and_undoes_itself() {
    let root = tempfile::tempdir().unwrap();
    let old = placeholder(255);
    let archive = root.path().join("x.tar.zst");
    pack_at(&stage(root.path(), &old), &old, &archive, 1).unwrap();
    let prefix = root.path().join(SPECIAL);
    unpack_at(&archive, &prefix).unwrap();
    let here = prefix.to_str().unwrap();
    let script = r#"
        set -eu
        before=$(env | grep -v '^_='; printf '%s' "$-")
        OTHER=mine
        . "$1/bin/activate"
        printf '%s|%s|%s|%s|%s|%s\n' "$CONDA_PREFIX" "$CONDA_DEFAULT_ENV" "$DATA_PATH" "$OTHER" "$LEVEL" "${PATH%%:*}"
        . "$1/bin/activate"
        [ "$LEVEL" = 1 ]
        . "$1/bin/deactivate"
        [ "$OTHER" = mine ]
        unset OTHER
        [ "$before" = "$(env | grep -v '^_='; printf '%s' "$-")" ]
        . "$1/bin/deactivate"
    "#;
    for shell in ["sh", "bash", "dash", "zsh"] {
        let mut command = Command::new(shell);
        command.env_remove("OTHER").args(["-c", script, shell, here]);
        let Ok(output) = command.output() else { continue };
        assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        let expected = format!("{here}|{SPECIAL}|{here}/share:it's:{here}|$HOME `x` \"|1|{here}/bin\n");
        assert_eq!(text(&output), expected, "{shell}");
    }
    let raw = root.path().join("raw");
    untar(&archive, &raw);
    let output = Command::new("sh").args(["-c", ". \"$1/bin/activate\"", "sh"]).arg(&raw).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("run bin/conda-unpack first"));
}

#[test]
fn staging_prefixes_that_cannot_be_packed() {
    let root = tempfile::tempdir().unwrap();
    let old = placeholder(255);
    let archive = root.path().join("x.tar.zst");
    let error = pack_at(root.path(), &old, &archive, 1).unwrap_err();
    assert!(matches!(error, PackError::NotAPrefix(_)));
    let staging = root.path().join("prefix");
    fs::create_dir_all(staging.join("conda-meta")).unwrap();
    let error = pack_at(&staging, "/short", &archive, 1).unwrap_err();
    assert!(matches!(error, PackError::Placeholder(_)));

    let socket = std::os::unix::net::UnixListener::bind(staging.join("socket")).unwrap();
    let error = pack_at(&staging, &old, &archive, 1).unwrap_err();
    assert!(error.to_string().contains("socket` is a socket"), "{error}");
    drop(socket);
    fs::remove_file(staging.join("socket")).unwrap();

    write(&staging.join("lib/x.txt"), staging.to_str().unwrap());
    let error = pack_at(&staging, &old, &archive, 1).unwrap_err();
    assert!(matches!(error, PackError::MachinePath { count: 1, .. }), "{error}");
    fs::remove_file(staging.join("lib/x.txt")).unwrap();

    write(&staging.join("conda-meta/x-1-0.json"), "no JSON");
    let error = pack_at(&staging, &old, &archive, 1).unwrap_err();
    assert!(error.to_string().contains("conda-meta/x-1-0.json"), "{error}");
    assert!(!archive.exists());
    fs::remove_file(staging.join("conda-meta/x-1-0.json")).unwrap();

    // An environment with conda in it keeps its own scripts.
    write(&staging.join("bin/activate"), "theirs\n");
    pack_at(&staging, &old, &archive, 1).unwrap();
    let prefix = root.path().join("out");
    unpack_at(&archive, &prefix).unwrap();
    assert_eq!(fs::read_to_string(prefix.join("bin/activate")).unwrap(), "theirs\n");
    assert!(!prefix.join("bin/deactivate").exists());
}
