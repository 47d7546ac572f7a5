//! Sealing and comparing with real archives.

use std::{
    fs::{read, write},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use tempfile::TempDir;

use super::{
    Amendment, CondaError, Difference, How, Sealed, amend,
    archive::{Archive, Member},
    compare, each_file, seal, sealed_content,
    support::Tiny,
};

const EXPORTS: &[(&str, &str)] = &[
    ("hash_input.json", r#"{"tiny":"1.0 site_habc1234_0_0000000000"}"#),
    ("licenses/LICENSE", "of site_habc1234_0_0000000000\n"),
    ("run_exports.json", r#"{"strong":["tiny ==1.0 site_habc1234_0_0000000000"]}"#),
    ("tests/tests.yaml", "- requirements: {run: ['tiny ==1.0 site_habc1234_0_0000000000']}\n"),
];

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn text_of(archive: &Path, file: &str) -> String {
    let mut text = String::new();
    let mut archive = Archive::open(archive).unwrap();
    let visit = |entry: super::archive::Entry<'_>| {
        if entry.path == Path::new(file) {
            entry.bytes.read_to_string(&mut text)?;
        }
        Ok(())
    };
    archive.entries(Member::Info, visit).unwrap();
    text
}

#[test]
fn an_archive_names_itself_by_its_content() {
    let folder = folder();
    // Longer than the field for it in a tar file.
    let long = format!("licenses/{}", "long/".repeat(40) + "LICENSE");
    let info = [EXPORTS, &[(&long, "text")]].concat();
    let tiny = Tiny { info: &info, content: "made as site_habc1234_0_0000000000", ..Tiny::default() };
    let Sealed { path, build, content } = tiny.seal(folder.path());
    assert_eq!(build, format!("site_habc1234_0_{}", content.short(10)));
    assert_eq!(path, folder.path().join(format!("tiny-1.0-{build}.conda")));
    for file in ["info/index.json", "info/hash_input.json", "info/run_exports.json", "info/tests/tests.yaml"] {
        let text = text_of(&path, file);
        assert!(text.contains(&build) && !text.contains("_0000000000"), "{file}: {text}");
    }
    assert_eq!(text_of(&path, "info/licenses/LICENSE"), EXPORTS[1].1, "what is copied stays");
    assert_eq!(sealed_content(&path).unwrap(), Some(content));

    // A conda client finds it under its name, with the files as they were.
    let unpacked = folder.path().join("unpacked");
    rattler_package_streaming::fs::extract(&path, &unpacked).unwrap();
    assert_eq!(std::fs::read_to_string(unpacked.join("share/tiny.txt")).unwrap(), tiny.content);
    assert_eq!(std::fs::read_to_string(unpacked.join("info").join(&long)).unwrap(), "text");
    let members = zip::ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let names: Vec<_> = members.file_names().map(Result::unwrap).collect();
    assert_eq!(names, ["metadata.json", &format!("pkg-{stem}.tar.zst"), &format!("info-{stem}.tar.zst")]);
}

#[test]
fn equal_content_gives_equal_bytes_and_any_difference_another_name() {
    let folder = folder();
    let sealed = |tiny: Tiny<'_>, at: &str| tiny.seal(&folder.path().join(at));
    let base = || Tiny { info: EXPORTS, ..Tiny::default() };
    let first = sealed(base(), "first");
    let again = sealed(base(), "again");
    assert_eq!(again.content, first.content);
    assert!(read(&again.path).unwrap() == read(&first.path).unwrap());
    assert_eq!(compare(&first.path, &again.path).unwrap(), []);

    let others = [
        Tiny { content: "other", ..base() },
        Tiny { version: "1.1", ..base() },
        Tiny { depends: &["zlib"], ..base() },
        Tiny { build: "other_habc1234_0_0000000000", ..base() },
        Tiny { timestamp: 1, ..base() },
        Tiny { info: &EXPORTS[1..], ..base() },
        Tiny { executable: true, ..base() },
        Tiny { link: Some("tiny.txt"), ..base() },
        Tiny { link: Some("./tiny.txt"), ..base() },
    ];
    let mut all = vec![first.content];
    for (number, tiny) in others.into_iter().enumerate() {
        let other = sealed(tiny, &number.to_string());
        assert!(!all.contains(&other.content), "change {number}");
        assert_eq!(sealed_content(&other.path).unwrap(), Some(other.content));
        all.push(other.content);
    }
}

#[test]
fn every_difference_is_named() {
    let folder = folder();
    let sealed = |tiny: Tiny<'_>, at: &str| tiny.seal(&folder.path().join(at)).path;
    let told = |one: &Path, other: &Path| -> Vec<(String, How)> {
        let all = compare(one, other).unwrap();
        all.into_iter().map(|Difference { path, how }| (path, how)).collect()
    };
    let file = |how| ("share/tiny.txt".to_owned(), how);
    let link = |how| ("share/link".to_owned(), how);
    let about = |how| ("info/about.json".to_owned(), how);
    let base = sealed(Tiny { info: EXPORTS, ..Tiny::default() }, "base");
    let other = sealed(Tiny { info: EXPORTS, content: "other", ..Tiny::default() }, "other");
    // The digits differ everywhere, and follow from the one file.
    assert_eq!(told(&base, &other), [file(How::Bytes)]);
    let executable = sealed(Tiny { info: EXPORTS, executable: true, ..Tiny::default() }, "executable");
    let mode = How::Mode { before: "644".to_owned(), after: "755".to_owned() };
    assert_eq!(told(&base, &executable), [file(mode)]);
    let linked = sealed(Tiny { info: EXPORTS, link: Some("tiny.txt"), ..Tiny::default() }, "linked");
    assert_eq!(told(&base, &linked), [link(How::New)]);
    assert_eq!(told(&linked, &base), [link(How::Gone)]);
    let moved = sealed(Tiny { info: EXPORTS, link: Some("there"), ..Tiny::default() }, "moved");
    let target = How::Target { before: "tiny.txt".into(), after: "there".into() };
    assert_eq!(told(&linked, &moved), [link(target)]);
    let described = [EXPORTS, &[("about.json", "{}")]].concat();
    let described = sealed(Tiny { info: &described, ..Tiny::default() }, "described");
    assert_eq!(told(&base, &described), [about(How::New)]);

    // The same files in another zip.
    let mut bytes = read(&base).unwrap();
    bytes.extend_from_slice(&[0; 4]);
    let packed = folder.path().join("packed.conda");
    write(&packed, bytes).unwrap();
    assert_eq!(told(&base, &packed), [("packed.conda".to_owned(), How::Packing)]);
    let text = |how: How| how.to_string();
    assert_eq!(text(How::Bytes), "has other bytes");
    assert_eq!(text(How::Kind { before: "file".into(), after: "folder".into() }), "was a file, and is a folder");
}

#[test]
fn what_was_changed_after_it_was_sealed_is_seen() {
    let folder = folder();
    let sealed = Tiny { info: EXPORTS, ..Tiny::default() }.seal(folder.path());
    assert_eq!(sealed_content(&sealed.path).unwrap(), Some(sealed.content));
    // Somebody put another package under its name.
    let stranger = Tiny { build: "site_habc1234_0_89abcdef01", ..Tiny::default() }.write(folder.path());
    assert_eq!(sealed_content(&stranger).unwrap(), None);
    assert_eq!(sealed_content(&Tiny { build: "h1_0", ..Tiny::default() }.write(folder.path())).unwrap(), None);
}

#[test]
fn what_is_no_package_is_refused() {
    let folder = folder();
    let bad = |result: Result<Sealed, CondaError>, reason: &str| match result {
        Err(CondaError::Archive { reason: told, .. }) => assert!(told.contains(reason), "{told}"),
        other => panic!("{other:?}"),
    };
    let tiny = Tiny::default();
    let out = folder.path().join("out");
    let archive = tiny.write(folder.path());
    bad(seal(&archive, "h1_0_0000000000", &out), "its name does not end in");
    bad(seal(&archive, "hhabc1234_0_0000000000", &out), "its name does not end in");
    bad(seal(&archive, "habc1234_0_0000000000", &out), "its build string is `site_habc1234_0_0000000000`");
    let named = Tiny { build: "h1_0", ..Tiny::default() }.write(folder.path());
    bad(seal(&named, "h1_0", &out), "no provisional build string");
    let whole = read(&archive).unwrap();
    for length in [0, 30, whole.len() / 2, whole.len() - 1] {
        write(&archive, &whole[..length]).unwrap();
        assert!(matches!(seal(&archive, tiny.build, &out), Err(CondaError::Archive { .. })), "cut at {length}");
        assert!(sealed_content(&archive).is_err() && compare(&archive, &named).is_err(), "cut at {length}");
    }
    // One byte of the installed files: only a checksum sees it.
    let mut damaged = whole.clone();
    let at = damaged.windows(4).position(|it| it == [0x28, 0xb5, 0x2f, 0xfd]).unwrap() + 12;
    damaged[at] ^= 1;
    write(&archive, damaged).unwrap();
    assert!(seal(&archive, tiny.build, &out).is_err());
    assert!(!out.exists() || crate::base::fs::list(&out).unwrap().is_empty(), "something was left");
    assert!(matches!(seal(&out.join("gone.conda"), tiny.build, &out), Err(CondaError::File(_))));
}

#[test]
fn an_archive_gets_more_files_and_others_in_the_place_of_some() {
    let folder = folder();
    let tiny =
        Tiny { info: &[("files", "share/tiny.txt\n")], executable: true, link: Some("tiny.txt"), ..Tiny::default() };
    let archive = tiny.write(&folder.path().join("one"));
    let again = tiny.write(&folder.path().join("two"));
    let new = folder.path().join("new");
    write(&new, "other").unwrap();
    let amendment = Amendment {
        replaced: [("share/tiny.txt".into(), new)].into(),
        added: [("share/a/b.json".into(), b"{}".to_vec()), ("zzz".into(), Vec::new())].into(),
        time: 1_577_836_800,
    };
    amend(&archive, &amendment).unwrap();
    amend(&again, &amendment).unwrap();
    assert_eq!(read(&archive).unwrap(), read(&again).unwrap());
    // What is added a second time takes the place of the first.
    amend(&again, &amendment).unwrap();
    assert_eq!(read(&archive).unwrap(), read(&again).unwrap());
    let mut names = Vec::new();
    each_file(&archive, |path, bytes| {
        let mut text = String::new();
        bytes.read_to_string(&mut text)?;
        names.push((path.to_str().unwrap().to_owned(), text));
        Ok(())
    })
    .unwrap();
    names.sort();
    let expected = [("share/a/b.json", "{}"), ("share/tiny.txt", "other"), ("zzz", "")];
    assert_eq!(names, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));

    // A conda client checks them by the list, and finds nothing wrong.
    let sealed = seal(&archive, tiny.build, folder.path()).unwrap();
    let unpacked = folder.path().join("unpacked");
    rattler_package_streaming::fs::extract(&sealed.path, &unpacked).unwrap();
    rattler_cache::validation::validate_package_directory(&unpacked, rattler_cache::validation::ValidationMode::Full)
        .unwrap();
    assert_eq!(text_of(&sealed.path, "info/files"), "share/a/b.json\nshare/tiny.txt\nzzz\n");
    let mode = |file: &str| unpacked.join(file).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("share/tiny.txt"), mode("zzz")), (0o755, 0o644));
    assert!(unpacked.join("share/link").is_symlink());
}
