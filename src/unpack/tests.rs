//! Environments that are relocated again and again, verified, and updated.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use super::{
    Machine, RelocateRequest, Relocated, UnpackError, UnpackRequest, Verified, VerifyRequest, digests_of, relocate,
    unpack, verify,
};
use crate::{
    archive::Format,
    base::{Cancel, Progress},
    pack::{
        stage::stage,
        tests::{Ways, conda_unpack, contents, pack_at, pack_with, unpack_at, untar},
    },
    tree::placeholder,
};

fn relocate_at(prefix: &Path) -> Result<Relocated, UnpackError> {
    relocate(&RelocateRequest { prefix, threads: 3, progress: Progress::none(), cancel: &Cancel::new() })
}

fn verify_at(prefix: &Path) -> Result<Verified, UnpackError> {
    verify(&VerifyRequest { prefix, threads: 3, progress: Progress::none(), cancel: &Cancel::new() })
}

/// An archive of some staged files.
pub(super) struct Made {
    root: tempfile::TempDir,
    pub(super) archive: PathBuf,
}

impl Made {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let old = placeholder(255);
        let archive = root.path().join("x.tar.zst");
        pack_at(&stage(root.path(), &old), &old, &archive, 1).unwrap();
        Self { root, archive }
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// What `envbuild unpack` makes of it there; the place is empty again.
    fn expected(&self, prefix: &Path) -> Vec<(PathBuf, String)> {
        let aside = self.at("aside");
        if prefix.exists() {
            fs::rename(prefix, &aside).unwrap();
        }
        unpack_at(&self.archive, prefix).unwrap();
        let contents = contents(prefix);
        fs::remove_dir_all(prefix).unwrap();
        if aside.exists() {
            fs::rename(&aside, prefix).unwrap();
        }
        contents
    }

    #[track_caller]
    fn check(&self, prefix: &Path) {
        let expected = self.expected(prefix);
        assert_eq!(contents(prefix), expected);
        let verified = verify_at(prefix).unwrap();
        assert!(verified.is_good() && verified.added.is_empty(), "{verified:?}");
        assert_eq!(verified.named, prefix);
    }
}

/// A short place, a long one, one that holds the first, and one with everything special.
const PLACES: [&str; 5] = ["e", "a/much/longer/place/for/the/environment", "e.x", "e/inside", "a b&c|d#e[1]^*"];

fn move_to(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::rename(from, to).unwrap();
}

#[test]
fn an_environment_moves_as_often_as_one_likes() {
    let made = Made::new();
    for by_tar in [false, true] {
        let mut now = made.at("first");
        if by_tar {
            untar(&made.archive, &now);
            assert!(relocate_at(&now).unwrap().rewritten > 5);
        } else {
            unpack_at(&made.archive, &now).unwrap();
        }
        made.check(&now);
        for place in PLACES {
            let next = made.at(place);
            let moved = made.at("moving");
            move_to(&now, &moved);
            move_to(&moved, &next);
            let named = verify_at(&next).unwrap();
            assert!(named.is_good() && named.named == now, "{named:?}");
            let done = relocate_at(&next).unwrap();
            assert!(done.rewritten > 5 && done.edited.is_empty() && done.missing.is_empty(), "{done:?}");
            assert_eq!(done.from, [now.clone()]);
            made.check(&next);
            assert_eq!(relocate_at(&next).unwrap().rewritten, 0);
            now = next;
        }
        fs::remove_dir_all(&now).unwrap();
    }
}

#[test]
fn the_shell_script_moves_it_as_well() {
    let made = Made::new();
    let mut now = made.at("first");
    untar(&made.archive, &now);
    assert!(conda_unpack(&now).status.success());
    for place in PLACES {
        let next = made.at(place);
        let moved = made.at("moving");
        move_to(&now, &moved);
        move_to(&moved, &next);
        let output = conda_unpack(&next);
        assert!(output.status.success(), "{place}: {}", String::from_utf8_lossy(&output.stderr));
        made.check(&next);
        now = next;
    }
    // Once more natively, and back by the script.
    let next = made.at("natively");
    move_to(&now, &next);
    relocate_at(&next).unwrap();
    made.check(&next);
    let last = made.at("last");
    move_to(&next, &last);
    assert!(conda_unpack(&last).status.success());
    made.check(&last);
}

#[test]
fn the_shell_script_refuses_what_it_cannot_tell() {
    let made = Made::new();
    let first = made.at("first");
    unpack_at(&made.archive, &first).unwrap();
    let text = first.join("etc/no-line-end");
    let before = fs::read(&text).unwrap();
    let second = made.at("second");
    type Edit<'a> = &'a dyn Fn(&Path);
    let edits: [(&str, Edit<'_>); 3] = [
        ("text files", &|prefix| {
            let more = [before.as_slice(), format!(" {}2", first.display()).as_bytes()].concat();
            fs::write(prefix.join("etc/no-line-end"), more).unwrap();
        }),
        ("text files", &|prefix| fs::write(prefix.join("etc/no-line-end"), "nothing").unwrap()),
        ("a link", &|prefix| {
            fs::remove_file(prefix.join("lib/absolute link")).unwrap();
            symlink("/elsewhere", prefix.join("lib/absolute link")).unwrap();
        }),
    ];
    for (what, edit) in edits {
        fs::remove_dir_all(&first).unwrap();
        unpack_at(&made.archive, &first).unwrap();
        move_to(&first, &second);
        edit(&second);
        let edited = contents(&second);
        let output = conda_unpack(&second);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && message.contains(what) && message.contains("--relocate"), "{message}");
        assert_eq!(contents(&second), edited);
        move_to(&second, &first);
    }
}

#[test]
fn an_archive_for_one_place_can_be_moved_too() {
    let root = tempfile::tempdir().unwrap();
    let old = placeholder(255);
    let plain = root.path().join("plain.tar.zst");
    let settled = root.path().join("settled.tar.zst");
    let staging = stage(root.path(), &old);
    pack_at(&staging, &old, &plain, 1).unwrap();
    let home = root.path().join("opt/home");
    pack_with(&staging, &old, &settled, Ways { dest_prefix: home.to_str(), ..Ways::default() }).unwrap();
    let made = Made { root, archive: plain };
    untar(&settled, &home);
    assert!(conda_unpack(&home).status.success());
    assert!(verify_at(&home).unwrap().is_good());
    for by_script in [true, false] {
        let other = made.at(if by_script { "by script" } else { "natively" });
        untar(&settled, &other);
        if by_script {
            let output = conda_unpack(&other);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        } else {
            relocate_at(&other).unwrap();
        }
        assert!(verify_at(&other).unwrap().is_good());
    }
    let direct = made.at("direct");
    unpack_at(&settled, &direct).unwrap();
    let verified = verify_at(&direct).unwrap();
    assert!(verified.is_good() && verified.named == direct, "{verified:?}");
}

#[test]
fn what_somebody_edited_is_searched_and_told() {
    let made = Made::new();
    let (first, second) = (made.at("first"), made.at("a/second"));
    unpack_at(&made.archive, &first).unwrap();
    let here = first.to_str().unwrap().to_owned();
    let text = first.join("etc/no-line-end");
    fs::write(&text, format!("a={here}/x\nb={here}2\nc=-I{here}\n")).unwrap();
    fs::set_permissions(&text, fs::Permissions::from_mode(0o640)).unwrap();
    fs::remove_file(first.join("lib/absolute link")).unwrap();
    symlink(format!("{here}/elsewhere"), first.join("lib/absolute link")).unwrap();
    fs::remove_file(first.join("bin/quoted")).unwrap();
    // Another name for the same content, outside: it must not change.
    let outside = made.at("outside");
    fs::hard_link(first.join("bin/plain"), &outside).unwrap();
    let shared = fs::read(&outside).unwrap();

    move_to(&first, &second);
    let done = relocate_at(&second).unwrap();
    let edited: Vec<(&str, usize, bool)> =
        done.edited.iter().map(|it| (std::str::from_utf8(&it.name).unwrap(), it.replaced, it.left)).collect();
    assert_eq!(edited, [("etc/no-line-end", 2, false), ("lib/absolute link", 1, false)]);
    assert_eq!(done.missing, [b"bin/quoted".to_vec()]);
    let there = second.to_str().unwrap();
    let text = second.join("etc/no-line-end");
    assert_eq!(fs::read_to_string(&text).unwrap(), format!("a={there}/x\nb={here}2\nc=-I{there}\n"));
    assert_eq!(fs::metadata(&text).unwrap().mode() & 0o777, 0o640);
    assert_eq!(second.join("lib/absolute link").read_link().unwrap(), second.join("elsewhere"));
    assert_eq!(fs::read(&outside).unwrap(), shared);
    assert_eq!(fs::metadata(&outside).unwrap().nlink(), 1);

    fs::write(second.join("new"), "").unwrap();
    fs::create_dir_all(second.join("lib/py/__pycache__")).unwrap();
    fs::write(second.join("lib/py/__pycache__/plain.cpython-399.pyc"), "").unwrap();
    let verified = verify_at(&second).unwrap();
    assert_eq!(verified.changed, [b"etc/no-line-end".to_vec(), b"lib/absolute link".to_vec()]);
    assert_eq!((verified.missing, verified.added), (vec![b"bin/quoted".to_vec()], vec![b"new".to_vec()]));
}

#[test]
fn a_binary_file_that_somebody_edited_keeps_its_length() {
    let made = Made::new();
    let (first, longer, short) = (made.at("first"), made.at("longer/place"), made.at("s"));
    unpack_at(&made.archive, &first).unwrap();
    let library = |prefix: &Path| prefix.join("bin/hello");
    let mut bytes = fs::read(library(&first)).unwrap();
    bytes.extend_from_slice(b"\0more");
    fs::write(library(&first), &bytes).unwrap();
    move_to(&first, &longer);
    let done = relocate_at(&longer).unwrap();
    assert!(done.edited.len() == 1 && done.edited[0].left, "{done:?}");
    assert_eq!(fs::read(library(&longer)).unwrap(), bytes);
    // Where there is room, it is used.
    move_to(&longer, &first);
    relocate_at(&first).unwrap();
    move_to(&first, &short);
    let done = relocate_at(&short).unwrap();
    assert!(done.edited.len() == 1 && !done.edited[0].left && done.edited[0].replaced > 0, "{done:?}");
    let after = fs::read(library(&short)).unwrap();
    assert_eq!(after.len(), bytes.len());
    assert!(memchr::memmem::find(&after, first.to_str().unwrap().as_bytes()).is_none());
}

#[test]
fn an_interrupted_relocation_goes_on_anywhere() {
    let made = Made::new();
    let (first, second, third) = (made.at("first"), made.at("second"), made.at("second/third"));
    unpack_at(&made.archive, &first).unwrap();
    move_to(&first, &second);
    // As it is when somebody is killed: half of the files name the one, half the other.
    let whole = contents(&second);
    relocate_at(&second).unwrap();
    let after = contents(&second);
    assert_ne!(whole, after);
    unpack_at(&made.archive, &first).unwrap();
    let mut count = 0;
    for (name, what) in &after {
        let is_file = second.join(name).symlink_metadata().unwrap().is_file();
        let ours = name.starts_with("conda-meta/envbuild");
        if is_file && !ours && !whole.contains(&(name.clone(), what.clone())) {
            count += 1;
            if count % 2 == 0 {
                fs::copy(first.join(name), second.join(name)).unwrap();
            }
        }
    }
    assert!(count > 3, "{count}");
    fs::remove_dir_all(&first).unwrap();
    let meta = second.join("conda-meta/envbuild");
    fs::remove_file(meta.join("prefix")).unwrap();
    fs::write(meta.join("prefix.part"), format!("{}\n{}\n", second.display(), first.display())).unwrap();
    fs::create_dir(meta.join(".envbuild-tmp-killed")).unwrap();

    assert!(matches!(verify_at(&second), Err(UnpackError::HalfRelocated(_))));
    let output = conda_unpack(&second);
    assert!(!output.status.success() && String::from_utf8(output.stderr).unwrap().contains("interrupted"));
    let moving = made.at("moving");
    move_to(&second, &moving);
    move_to(&moving, &third);
    let cancel = Cancel::new();
    cancel.cancel();
    let request = RelocateRequest { prefix: &third, threads: 2, progress: Progress::none(), cancel: &cancel };
    assert!(matches!(relocate(&request), Err(UnpackError::StoppedHalfway(_))));
    let done = relocate_at(&third).unwrap();
    assert!(done.edited.is_empty() && done.missing.is_empty(), "{done:?}");
    made.check(&third);
}

/// Two trees: the second has a file less, a file more, a changed one, a link and a program changed.
fn two(root: &Path) -> (PathBuf, PathBuf, PathBuf) {
    let old = placeholder(255);
    let staging = stage(root, &old);
    let (before, after, update) =
        (root.join("before.tar.zst"), root.join("after.tar.zst"), root.join("update.tar.zst"));
    pack_at(&staging, &old, &before, 1).unwrap();
    fs::remove_file(staging.join("etc/no-line-end")).unwrap();
    fs::create_dir(staging.join("new")).unwrap();
    fs::write(staging.join("new/file"), format!("at {old}\n")).unwrap();
    fs::remove_file(staging.join("lib/absolute link")).unwrap();
    symlink(format!("{old}/new"), staging.join("lib/absolute link")).unwrap();
    fs::set_permissions(staging.join("bin/plain"), fs::Permissions::from_mode(0o644)).unwrap();
    pack_at(&staging, &old, &after, 1).unwrap();
    let digests = digests_of(&before).unwrap();
    pack_with(&staging, &old, &update, Ways { since: Some(&digests), ..Ways::default() }).unwrap();
    (before, after, update)
}

#[test]
fn an_update_gives_exactly_the_new_tree() {
    let root = tempfile::tempdir().unwrap();
    let (before, after, update) = two(root.path());
    assert!(fs::metadata(&update).unwrap().len() < fs::metadata(&after).unwrap().len() / 2);
    let prefix = root.path().join("place/env");
    unpack_at(&after, &prefix).unwrap();
    let expected = contents(&prefix);
    fs::remove_dir_all(&prefix).unwrap();
    unpack_at(&before, &prefix).unwrap();
    assert_eq!(digests_of(&prefix).unwrap(), digests_of(&before).unwrap());
    let unpacked = unpack_at(&update, &prefix).unwrap();
    assert!(unpacked.files > 5, "{unpacked:?}");
    assert_eq!(contents(&prefix), expected);
    assert!(verify_at(&prefix).unwrap().added.is_empty());
    // Once more is no harm, and after it the whole archive is the old one for the next update.
    assert_eq!(unpack_at(&update, &prefix).unwrap().files, 0);
    assert_eq!(digests_of(&update).unwrap(), digests_of(&after).unwrap());
    assert_eq!(fs::read_dir(root.path().join("place")).unwrap().count(), 1);
}

#[test]
fn an_update_needs_exactly_the_old_tree() {
    let root = tempfile::tempdir().unwrap();
    let (before, _, update) = two(root.path());
    let place = root.path().join("place");
    let prefix = place.join("env");
    assert!(matches!(unpack_at(&update, &prefix), Err(UnpackError::NoTree { .. })));
    type Edit<'a> = &'a dyn Fn();
    let edits: [(&str, Edit<'_>); 4] = [
        ("was changed", &|| fs::write(prefix.join("bin/plain"), "x").unwrap()),
        ("is missing", &|| fs::remove_file(prefix.join("bin/plain")).unwrap()),
        ("was added", &|| fs::write(prefix.join("mine"), "x").unwrap()),
        ("was changed", &|| fs::set_permissions(prefix.join("bin/plain"), fs::Permissions::from_mode(0o600)).unwrap()),
    ];
    for (what, edit) in edits {
        unpack_at(&before, &prefix).unwrap();
        edit();
        let edited = contents(&prefix);
        let error = unpack_at(&update, &prefix).unwrap_err();
        assert!(matches!(error, UnpackError::NotOld { .. }) && error.to_string().contains(what), "{error}");
        assert_eq!(contents(&prefix), edited);
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
        fs::remove_dir_all(&prefix).unwrap();
    }
    unpack_at(&before, &prefix).unwrap();
    let moved = place.join("moved");
    move_to(&prefix, &moved);
    assert!(matches!(unpack_at(&update, &moved), Err(UnpackError::Moved { .. })));
    fs::remove_dir_all(&moved).unwrap();
    // Cut, the update leaves the old tree as it is.
    unpack_at(&before, &prefix).unwrap();
    let expected = contents(&prefix);
    let bytes = fs::read(&update).unwrap();
    let cut = root.path().join("cut.tar.zst");
    for length in (0..bytes.len()).step_by(bytes.len() / 25).chain([bytes.len() - 1]) {
        fs::write(&cut, &bytes[..length]).unwrap();
        unpack_at(&cut, &prefix).unwrap_err();
        assert_eq!(contents(&prefix), expected, "{length}");
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
    }
    // Another tree altogether.
    fs::remove_dir_all(&prefix).unwrap();
    let stranger = root.path().join("stranger.tar.zst");
    let old = placeholder(200);
    pack_at(&stage(&root.path().join("s"), &old), &old, &stranger, 1).unwrap();
    unpack_at(&stranger, &prefix).unwrap();
    assert!(matches!(unpack_at(&update, &prefix), Err(UnpackError::OtherTree { .. })));
}

#[test]
fn nothing_of_ours_is_said_so() {
    let root = tempfile::tempdir().unwrap();
    for error in [relocate_at(root.path()).unwrap_err(), verify_at(root.path()).unwrap_err()] {
        assert!(matches!(error, UnpackError::NotDeployed(_)), "{error}");
    }
}

#[test]
fn every_format_gives_the_same_tree() {
    let root = tempfile::tempdir().unwrap();
    let old = placeholder(255);
    let staging = stage(root.path(), &old);
    let prefix = root.path().join("env");
    let mut expected = None;
    for format in
        [Format::TarZst, Format::Tar, Format::TarGz, Format::TarBz2, Format::TarXz, Format::Zip, Format::Folder]
    {
        for arcroot in ["", "some/where"] {
            let archive = root.path().join(format!("archive.{}", format.name()));
            let ways = Ways { format, arcroot, ..Ways::default() };
            pack_with(&staging, &old, &archive, ways).unwrap();
            unpack_at(&archive, &prefix).unwrap();
            let contents = contents(&prefix);
            fs::remove_dir_all(&prefix).unwrap();
            assert!(contents == *expected.get_or_insert_with(|| contents.clone()), "{} {arcroot}", format.name());
            if archive.is_dir() {
                fs::remove_dir_all(&archive).unwrap();
            }
        }
    }
}

#[test]
fn a_newer_glibc_is_asked_for_before_anything_is_written() {
    let root = tempfile::tempdir().unwrap();
    let old = placeholder(255);
    let archive = root.path().join("x.tar.zst");
    let ways = Ways { needs: br#"{"glibc": {"version": "2.99"}}"#, ..Ways::default() };
    pack_with(&stage(root.path(), &old), &old, &archive, ways).unwrap();
    let prefix = root.path().join("place/env");
    let cancel = Cancel::new();
    let request = UnpackRequest {
        archive: &archive,
        prefix: &prefix,
        machine: &Machine { platform: Some("linux-64".into()), glibc: Some("2.28".into()) },
        threads: 1,
        progress: Progress::none(),
        cancel: &cancel,
    };
    let error = unpack(&request).unwrap_err();
    assert!(error.to_string().ends_with("it needs glibc 2.99, and this machine has 2.28"), "{error}");
    assert!(!root.path().join("place").exists());
    unpack(&UnpackRequest { machine: &Machine::default(), ..request }).unwrap();
}

#[test]
fn what_comes_to_the_goal_meanwhile_stays() {
    let made = Made::new();
    let prefix = made.at("place/env");
    let file = prefix.join("somebody else's");
    let come = |_, _| {
        fs::create_dir_all(&prefix).unwrap();
        fs::write(&file, "text").unwrap();
    };
    let machine = Machine::default();
    let (archive, cancel) = (&made.archive, Cancel::new());
    let progress = Progress::to(&come);
    let request = UnpackRequest { archive, prefix: &prefix, machine: &machine, threads: 2, progress, cancel: &cancel };
    let error = unpack(&request).unwrap_err();
    assert!(matches!(error, UnpackError::Overtaken(_)), "{error}");
    assert_eq!(fs::read_dir(&prefix).unwrap().count(), 1);
    assert_eq!(fs::read_dir(made.at("place")).unwrap().count(), 1, "something is left beside it");
}
