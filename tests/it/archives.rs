//! Archives as others see them: their tools read what is written here, and what they write is read here.

use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    io::{BufWriter, Read as _, Write as _},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{PermissionsExt as _, symlink},
    },
    path::Path,
    process::Command,
};

use envbuild::archive::{
    Fault, FileMeta, Format, Kind, Limits, Options, Output, Parts, Sink, create, folder, format_of, open,
};

use crate::support;

const LIMITS: Limits = Limits { entries: 100_000, bytes: 8 << 30 };

/// What a tree holds: a folder, a link's target, or a file's mode, time and content.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Folder,
    Link(Vec<u8>),
    File(bool, u64, Vec<u8>),
}

type Tree = BTreeMap<Vec<u8>, Node>;

/// A time without a half of MS-DOS's two seconds.
const TIME: u64 = 1_600_000_000;

/// All that an environment can hold; names are text if need be.
fn sample(text: bool) -> Tree {
    let long = "long".repeat(55);
    let lines: Vec<u8> = (0..60_000).flat_map(|it| format!("line {it}\n").into_bytes()).collect();
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    let noise: Vec<u8> = noise.take(1_500_000).collect();
    let mut tree = Tree::new();
    for name in ["bin", "empty", "lib", &format!("lib/{long}"), "share"] {
        tree.insert(name.into(), Node::Folder);
    }
    tree.insert(b"bin/tool".into(), Node::File(true, TIME, b"#!/bin/sh\n".to_vec()));
    tree.insert(format!("lib/{long}/{long}").into(), Node::File(false, TIME, b"deep".to_vec()));
    tree.insert(b"lib/libx.so".into(), Node::Link(b"libx.so.1".to_vec()));
    tree.insert(b"lib/libx.so.1".into(), Node::File(true, TIME + 86_400, noise));
    tree.insert(b"lib/long link".into(), Node::Link(format!("{long}/{long}").into()));
    tree.insert("lib/Ünïcode".into(), Node::File(false, TIME, b"text".to_vec()));
    if !text {
        tree.insert(b"lib/bytes \xff\xfe".into(), Node::File(false, TIME, b"bytes".to_vec()));
    }
    tree.insert(b"lines".into(), Node::File(false, TIME, lines));
    tree.insert(b"none".into(), Node::File(false, TIME, Vec::new()));
    for it in 0..700_u32 {
        tree.insert(format!("share/{it:04}").into(), Node::File(it % 3 == 0, TIME, format!("file {it}").into()));
    }
    tree.insert(b"zeros".into(), Node::File(false, TIME, vec![0; 400_000]));
    tree
}

fn put(sink: &mut dyn Sink, tree: &Tree) {
    for (name, node) in tree {
        match node {
            Node::Folder => sink.folder(name).unwrap(),
            Node::Link(target) => sink.link(name, target).unwrap(),
            Node::File(executable, modified, content) => {
                let meta = FileMeta { executable: *executable, modified: *modified };
                sink.file(name, meta, content.len() as u64, &mut content.as_slice()).unwrap();
            }
        }
    }
}

fn write(format: Format, path: &Path, threads: u32, tree: &Tree) {
    let out = BufWriter::new(File::create(path).unwrap());
    let mut sink = create(format, Options { level: None, threads }, out).unwrap();
    put(&mut *sink, tree);
    sink.finish().unwrap();
}

fn read(path: &Path, first: &[&str]) -> Result<Vec<(Vec<u8>, Node)>, Fault> {
    let mut source = open(path, first, LIMITS)?;
    let mut nodes = Vec::new();
    while let Some(member) = source.next()? {
        let node = match member.kind {
            Kind::Folder => Node::Folder,
            Kind::Link(target) => Node::Link(target),
            Kind::File(info) => {
                let mut content = Vec::new();
                member.data.read_to_end(&mut content)?;
                Node::File(info.executable, info.modified, content)
            }
        };
        nodes.push((member.name, node));
    }
    Ok(nodes)
}

/// The tree that is in a folder on disk, by the means of the standard library alone.
fn tree_in(root: &Path) -> Tree {
    let node = |name: &Path, found| match found {
        support::Node::Folder(mode) => {
            assert_eq!(mode, 0o755, "{}", name.display());
            Node::Folder
        }
        support::Node::Link(target) => Node::Link(target.into_os_string().into_vec()),
        support::Node::File(mode, modified, bytes) => {
            assert!(mode == 0o755 || mode == 0o644, "{}: {mode:o}", name.display());
            Node::File(mode == 0o755, modified.try_into().unwrap(), bytes)
        }
    };
    let found = support::tree_below(root).into_iter();
    found.map(|(name, found)| (name.as_os_str().as_bytes().to_vec(), node(&name, found))).collect()
}

/// The first name at which two trees differ, which is easier to read than all of them.
#[track_caller]
fn assert_same(found: &Tree, expected: &Tree, what: &str) {
    for name in found.keys().chain(expected.keys()) {
        let (found, expected) = (found.get(name), expected.get(name));
        assert!(found == expected, "{what}: {} differs", name.escape_ascii());
    }
}

#[track_caller]
fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output =
        Command::new(program).args(arguments).current_dir(folder).envs([("TZ", "UTC"), ("LC_ALL", "C.UTF-8")]).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    text
}

const PYTHON: &str = "import sys, tarfile, zipfile, os
archive, into = sys.argv[1:]
if archive.endswith('.zip'):
    with zipfile.ZipFile(archive) as it:
        assert it.testzip() is None
        assert all(info.create_system == 3 for info in it.infolist())
        it.extractall(into, [name for name in it.namelist() if not it.getinfo(name).external_attr >> 28 == 0o12])
else:
    with tarfile.open(archive) as it:
        assert all((info.uid, info.gid) == (0, 0) for info in it)
        it.extractall(into)
";

#[test]
fn the_tools_of_others_unpack_what_is_written() {
    let root = tempfile::tempdir().unwrap();
    let cases: &[(Format, &[&[&str]])] = &[
        (Format::TarZst, &[&["tar", "--zstd", "-xf", "ARCHIVE", "-C", "INTO"], &["zstd", "-tq", "ARCHIVE"]]),
        (Format::TarGz, &[&["tar", "-xzf", "ARCHIVE", "-C", "INTO"], &["gzip", "-t", "ARCHIVE"]]),
        (Format::TarBz2, &[&["tar", "-xjf", "ARCHIVE", "-C", "INTO"], &["bzip2", "-t", "ARCHIVE"]]),
        (Format::TarXz, &[&["tar", "-xJf", "ARCHIVE", "-C", "INTO"], &["xz", "-t", "ARCHIVE"]]),
        (Format::Tar, &[&["tar", "-xf", "ARCHIVE", "-C", "INTO"]]),
        (Format::Zip, &[&["unzip", "-qq", "ARCHIVE", "-d", "INTO"], &["unzip", "-tqq", "ARCHIVE"]]),
        (Format::Squashfs, &[&["unsquashfs", "-q", "-n", "-f", "-d", "INTO", "ARCHIVE"]]),
    ];
    for (format, commands) in cases {
        let what = format.name();
        // unzip reads names as text.
        let tree = sample(*format == Format::Zip);
        let archive = root.path().join(format!("x.{what}"));
        write(*format, &archive, 2, &tree);
        assert_eq!(format_of(&archive).unwrap(), *format);
        assert_eq!(Format::of_file_name(archive.to_str().unwrap()), Some(*format));
        let into = root.path().join(what);
        fs::create_dir(&into).unwrap();
        for command in *commands {
            let place = |it: &&str| match *it {
                "ARCHIVE" => archive.to_str().unwrap().to_owned(),
                "INTO" => into.to_str().unwrap().to_owned(),
                other => other.to_owned(),
            };
            let words: Vec<String> = command.iter().map(place).collect();
            let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
            run(&words[0], &arguments, root.path());
        }
        assert_same(&tree_in(&into), &tree, what);
        assert_same(&read(&archive, &[]).unwrap().into_iter().collect(), &tree, what);
    }
}

#[test]
fn python_unpacks_what_is_written() {
    let root = tempfile::tempdir().unwrap();
    for format in [Format::TarGz, Format::TarBz2, Format::TarXz, Format::Tar, Format::Zip] {
        let archive = root.path().join(format!("x.{}", format.name()));
        let mut tree = sample(format == Format::Zip);
        write(format, &archive, 2, &tree);
        let into = root.path().join(format.name());
        fs::create_dir(&into).unwrap();
        run("python3", &["-c", PYTHON, archive.to_str().unwrap(), into.to_str().unwrap()], root.path());
        let mut found = tree_in_any_mode(&into);
        if format == Format::Zip {
            // Its zip module makes neither links nor programs, and sets no times.
            tree.retain(|_, node| !matches!(node, Node::Link(_)));
            for node in tree.values_mut().chain(found.values_mut()) {
                if let Node::File(executable, modified, _) = node {
                    (*executable, *modified) = (false, 0);
                }
            }
        }
        assert_same(&found, &tree, format.name());
    }
}

/// As [`tree_in`], after giving the folders the usual mode.
fn tree_in_any_mode(root: &Path) -> Tree {
    run("chmod", &["-R", "u=rwX,go=rX", "."], root);
    tree_in(root)
}

#[test]
fn what_others_write_is_read() {
    let root = tempfile::tempdir().unwrap();
    let tree = sample(true);
    let staging = root.path().join("staging");
    let mut sink = folder(&staging).unwrap();
    put(&mut *sink, &tree);
    sink.finish().unwrap();
    assert_same(&tree_in(&staging), &tree, "folder");
    assert_same(&read(&staging, &[]).unwrap().into_iter().collect(), &tree, "folder");
    let cases: &[&[&str]] = &[
        &["tar", "-cf", "../1.tar", "."],
        &["tar", "--format=pax", "-cf", "../2.tar", "."],
        &["tar", "--format=gnu", "-czf", "../3.tgz", "bin", "empty", "lib", "lines", "none", "share", "zeros"],
        &["tar", "-cJf", "../4", "."],
        &["tar", "-cjf", "../5", "."],
        &["tar", "--zstd", "-cf", "../6", "."],
        &["bash", "-c", "tar -cf - . | zstd -q -T2 -19 > ../7"],
        &["bash", "-c", "tar -cf - . | xz -T2 --block-size=1MiB > ../8"],
        &[
            "bash",
            "-c",
            "tar -cf - . > ../whole && split -b 900000 ../whole ../part. && for it in ../part.*; do gzip -c $it; done > ../9",
        ],
        &["zip", "-qry", "../10.zip", "."],
        &["bash", "-c", "find . | zip -qy -@ - > ../11"],
        &["mksquashfs", ".", "../12", "-quiet", "-no-progress", "-comp", "zstd"],
        &["mksquashfs", ".", "../13", "-quiet", "-no-progress", "-comp", "zstd", "-no-fragments", "-b", "1M"],
        &["mksquashfs", ".", "../14", "-quiet", "-no-progress", "-comp", "gzip", "-Xcompression-level", "1"],
        &["mksquashfs", ".", "../15", "-quiet", "-no-progress", "-comp", "xz", "-noI", "-noF", "-noD"],
        &["python3", "-c", "import tarfile\nwith tarfile.open('../16', 'w:gz') as it: it.add('.')"],
    ];
    for command in cases {
        run(command[0], &command[1..], &staging);
    }
    for number in 1..=cases.len() {
        let command = cases[number - 1].join(" ");
        let name = ["", ".tar", ".tgz", ".zip"].map(|ending| root.path().join(format!("{number}{ending}")));
        let archive = name.iter().find(|it| it.exists()).unwrap();
        let found = read(archive, &[]).unwrap_or_else(|error| panic!("{command}: {error}"));
        assert_same(&found.into_iter().collect(), &tree, &command);
    }
}

#[test]
fn parts_are_joined_and_a_missing_one_is_named() {
    let root = tempfile::tempdir().unwrap();
    let tree = sample(false);
    for format in [Format::TarZst, Format::Zip, Format::Squashfs] {
        let stem = root.path().join(format!("x.{}", format.name()));
        let whole = root.path().join("whole");
        write(format, &whole, 1, &tree);
        // The third is exactly full, so that an empty part must follow.
        for size in [256 << 10, fs::metadata(&whole).unwrap().len() / 3 + 1, fs::metadata(&whole).unwrap().len()] {
            let mut parts = Parts::create(&stem, size).unwrap();
            let mut sink = create(format, Options { level: None, threads: 2 }, &mut parts).unwrap();
            put(&mut *sink, &tree);
            sink.finish().unwrap();
            let paths = parts.finish().unwrap();
            assert!(paths.len() > 1 && paths[0].ends_with(format!("x.{}.000", format.name())), "{paths:?}");
            assert_eq!(paths.len(), fs::read_dir(root.path()).unwrap().count() - 1);
            let joined: Vec<u8> = paths.iter().flat_map(|it| fs::read(it).unwrap()).collect();
            assert!(joined == fs::read(&whole).unwrap());
            for path in [&stem, &paths[0]] {
                assert_same(&read(path, &["lines"]).unwrap().into_iter().collect(), &tree, format.name());
            }
            let error = read(&paths[1], &[]).map(drop).unwrap_err();
            assert!(matches!(&error, Fault::Parts(text) if text.contains("not the first")), "{error}");
            for path in &paths {
                let aside = root.path().join("aside");
                fs::rename(path, &aside).unwrap();
                let error = read(&stem, &[]).map(drop).unwrap_err();
                let name = path.file_name().unwrap().to_str().unwrap();
                let named = matches!(&error, Fault::Parts(text) if text.contains(name) && text.contains("missing"));
                assert!(named, "{name}: {error}");
                fs::rename(&aside, path).unwrap();
            }
            // An image has no checksums, so that only the digests of what it holds can tell.
            if paths.len() > 3 && format != Format::Squashfs {
                let aside = root.path().join("aside");
                for (from, to) in [(&paths[1], &aside), (&paths[2], &paths[1]), (&aside, &paths[2])] {
                    fs::rename(from, to).unwrap();
                }
                let error = read(&stem, &[]).map(drop).unwrap_err();
                // A content is met with before the archive's own structure, or after it.
                let noticed = matches!(&error, Fault::Damaged(_) | Fault::Entry { .. })
                    || matches!(&error, Fault::Parts(text) if text.contains("changed places"));
                assert!(noticed, "{error}");
            }
            for path in paths {
                fs::remove_file(path).unwrap();
            }
        }
    }
}

#[test]
fn what_is_asked_for_comes_first() {
    let root = tempfile::tempdir().unwrap();
    let tree = sample(false);
    let first = ["zeros", "absent", "share/0007", "lib/libx.so"];
    for format in [Format::Zip, Format::Squashfs] {
        let archive = root.path().join(format.name());
        write(format, &archive, 2, &tree);
        let found = read(&archive, &first).unwrap();
        let names: Vec<&[u8]> = found.iter().take(3).map(|(name, _)| name.as_slice()).collect();
        assert_eq!(names, [b"zeros".as_slice(), b"share/0007", b"lib/libx.so"], "{}", format.name());
        assert_eq!(found.len(), tree.len());
        assert_same(&found.into_iter().collect(), &tree, format.name());
    }
}

#[test]
fn hostile_entries_of_folders_and_tars_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let make = |command: &str| {
        let folder = tempfile::tempdir_in(root.path()).unwrap();
        run("bash", &["-c", command], folder.path());
        folder
    };
    let cases = [
        ("echo x > f; chmod u+s f", "owner"),
        ("echo x > f; chmod g+s f", "owner"),
        ("mkfifo f", "pipe"),
        ("python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('f')\"", ""),
    ];
    for (command, expected) in cases {
        let folder = make(command);
        let error = read(folder.path(), &[]).map(drop).unwrap_err();
        assert!(matches!(error, Fault::Entry { .. }), "{command}: {error}");
        assert!(error.to_string().contains(expected), "{command}: {error}");
        if expected.is_empty() {
            continue;
        }
        run("tar", &["-cf", "../x.tar", "."], folder.path());
        run("rm", &["-f", "../x.sqfs"], folder.path());
        run("mksquashfs", &[".", "../x.sqfs", "-quiet", "-no-progress"], folder.path());
        for name in ["x.tar", "x.sqfs"] {
            let error = read(&root.path().join(name), &[]).map(drop).unwrap_err();
            assert!(matches!(error, Fault::Entry { .. }), "{command} in {name}: {error}");
            assert!(error.to_string().contains(expected), "{command} in {name}: {error}");
        }
    }
}

#[test]
fn a_large_file_streams_through_every_format() {
    // Larger than any buffer, so that it cannot be held; the zeros make it quick.
    const SIZE: u64 = 300 << 20;
    let root = tempfile::tempdir().unwrap();
    for format in Format::ALL.into_iter().filter(|it| !matches!(it, Format::Folder | Format::TarBz2 | Format::TarXz)) {
        let path = root.path().join("archive");
        let mut out = File::create(&path).unwrap();
        let mut sink = create(format, Options { level: None, threads: 2 }, &mut out).unwrap();
        sink.file(b"large", FileMeta { executable: false, modified: TIME }, SIZE, &mut std::io::repeat(0).take(SIZE))
            .unwrap();
        sink.finish().unwrap();
        out.flush().unwrap();
        let mut source = open(&path, &[], LIMITS).unwrap();
        let member = source.next().unwrap().unwrap();
        assert_eq!(std::io::copy(member.data, &mut std::io::sink()).unwrap(), SIZE);
        assert!(source.next().unwrap().is_none());
    }
}

/// Keeps the names that a caller has to have in scope from being taken away unseen.
#[test]
fn outputs_can_be_handed_over_as_trait_objects() {
    let mut bytes = Vec::new();
    let out: &mut dyn Output = &mut bytes;
    let mut sink = create(Format::Tar, Options { level: None, threads: 1 }, out).unwrap();
    sink.folder(b"x").unwrap();
    sink.finish().unwrap();
    assert_eq!(bytes.len() % 10_240, 0);
}

#[test]
fn a_folder_is_written_only_where_nothing_is() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("x"), "").unwrap();
    assert!(folder(root.path()).is_err());
    let goal = root.path().join("goal");
    let mut sink = folder(&goal).unwrap();
    assert!(sink.folder(b"../beside").is_err());
    assert!(sink.folder(b"/absolute").is_err());
    symlink(root.path(), goal.join("out")).unwrap();
    fs::set_permissions(&goal, Permissions::from_mode(0o700)).unwrap();
    sink.finish().unwrap();
    assert_eq!(fs::metadata(&goal).unwrap().permissions().mode() & 0o777, 0o755);
}
