//! Copies, folders and differences.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    process::Command,
    time::{Duration, UNIX_EPOCH},
};

use super::{BackupError, CopyRequest, Sharing, System, copy, differences, seal, verify};
use crate::{
    base::Cancel,
    tree::{self, Entries, Entry},
};

fn tree(folder: &Path) -> Entries {
    fs::create_dir_all(folder.join("bin")).unwrap();
    fs::create_dir_all(folder.join("lib/empty")).unwrap();
    for (name, mode) in [("bin/tool", 0o755), ("lib/data", 0o640), ("lib/own", 0o644)] {
        let path = folder.join(name);
        fs::write(&path, name).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    std::os::unix::fs::symlink("tool", folder.join("bin/other")).unwrap();
    let mut entries = tree::list(folder, |_| false).unwrap();
    entries.insert(b"bin/made".to_vec(), Entry::made(b"made".to_vec(), true));
    entries
}

#[test]
fn a_copy_has_everything_and_shares_what_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    let entries = tree(&from);
    let cancel = Cancel::new();
    let may_link: &(dyn Fn(&[u8]) -> bool + Sync) = &|name| name == b"lib/data";
    for sharing in [Sharing::Any, Sharing::None] {
        let to = folder.path().join(format!("{sharing:?}"));
        let request = CopyRequest { entries: &entries, to: &to, may_link, sharing, cancel: &cancel };
        let copied = copy(&request).unwrap();
        assert_eq!((copied.files, copied.bytes), (4, 27));
        fs::remove_file(from.join("bin/made")).unwrap_or_default();
        let same = Command::new("diff").arg("-r").args([&from, &to]).output().unwrap();
        let different = String::from_utf8(same.stdout).unwrap();
        assert_eq!(different.lines().count(), 1, "{different}");
        assert!(different.contains("made"), "{different}");
        for (name, mode) in [("bin/tool", 0o755), ("lib/data", 0o640), ("bin/made", 0o755)] {
            assert_eq!(to.join(name).metadata().unwrap().mode() & 0o777, mode, "{name}");
        }
        assert_eq!(to.join("lib/own").metadata().unwrap().mtime(), 1_600_000_000);
        assert_eq!(fs::read_link(to.join("bin/other")).unwrap(), Path::new("tool"));
        let inode = |it: &Path| it.join("lib/data").metadata().unwrap().ino();
        // File systems without reflinks share by the link that was allowed.
        let linked = u64::from(sharing == Sharing::Any && copied.reflinked == 0);
        assert_eq!(copied.linked, linked);
        assert_eq!(inode(&from) == inode(&to), linked == 1);
        assert_ne!(from.join("lib/own").metadata().unwrap().ino(), to.join("lib/own").metadata().unwrap().ino());
    }
    cancel.cancel();
    let to = folder.path().join("stopped");
    let request = CopyRequest { entries: &entries, to: &to, may_link, sharing: Sharing::Any, cancel: &cancel };
    assert!(matches!(copy(&request), Err(BackupError::Stopped)));
}

#[test]
fn files_that_were_altered_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(matches!(verify(path), Err(BackupError::NotABackup { .. })));
    for name in ["a", "b", "c"] {
        fs::write(path.join(name), name).unwrap();
    }
    seal(path).unwrap();
    verify(path).unwrap();
    let sums = Command::new("sha256sum").args(["-c", "--status", "SHA256SUMS"]).current_dir(path).status().unwrap();
    assert!(sums.success());
    fs::write(path.join("a"), "b").unwrap();
    fs::remove_file(path.join("c")).unwrap();
    let error = verify(path).unwrap_err().to_string();
    assert!(error.contains("a was altered") && error.contains("c is gone") && !error.contains("b was"), "{error}");
}

#[test]
fn differences_are_told_in_sentences() {
    let then = System {
        architecture: "x86_64".to_owned(),
        os: "One 1".to_owned(),
        kernel: "Linux 5".to_owned(),
        glibc: Some("2.17".to_owned()),
        virtual_packages: ["__cuda=12.3=0", "__glibc=2.17=0", "__archspec=1=zen3"].map(str::to_owned).to_vec(),
        compilers: BTreeMap::from([("cc".to_owned(), "cc 12".to_owned()), ("ftn".to_owned(), "ftn 1".to_owned())]),
        ..System::default()
    };
    assert!(differences(&then, &then, &[]).is_empty());
    let mut now = System { os: "Two 2".to_owned(), virtual_packages: Vec::new(), ..then.clone() };
    now.virtual_packages.push("__archspec=1=zen3".to_owned());
    now.glibc = Some("2.9".to_owned());
    now.compilers = BTreeMap::from([("cc".to_owned(), "cc 13".to_owned())]);
    let unreachable = [("https://a.example/c".to_owned(), "it answered 404".to_owned())];
    let told: Vec<String> = differences(&then, &now, &unreachable).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "the operating system was One 1, and is Two 2 here",
            "the GNU C library was 2.17, and is 2.9 here",
            "`__cuda` was 12.3=0, and there is none here",
            "the compiler `cc` was cc 12, and is cc 13 here",
            "the compiler `ftn` was ftn 1, and there is none here",
            "the channel `https://a.example/c` cannot be reached: it answered 404",
        ]
    );
    assert!(!now.can_stand_for(&then) && then.can_stand_for(&now) && then.can_stand_for(&then));
    let other = System { architecture: "aarch64".to_owned(), ..then.clone() };
    assert!(!other.can_stand_for(&then));
}
