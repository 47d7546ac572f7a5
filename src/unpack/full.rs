//! Disks on which an environment just fits, does not, and that become full while it is written.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Once,
};

use super::{Machine, UnpackError, UnpackRequest, tests::Made, unpack};
use crate::{
    base::{Cancel, Disk, Progress},
    pack::tests::unpack_at,
};

/// A small disk.
struct Mounted(PathBuf);

impl Mounted {
    /// Only root may mount one: nothing for everybody else.
    fn new(place: &Path, options: &str) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(place).output().unwrap();
        mount.status.success().then(|| Self(place.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Not while something fails already.
        let status = Command::new("umount").arg(&self.0).status();
        assert!(std::thread::panicking() || status.unwrap().success());
    }
}

#[test]
fn an_archive_is_unpacked_where_it_just_fits_and_refused_where_it_does_not() {
    let made = Made::new();
    let place = made.at("small");
    fs::create_dir(&place).unwrap();
    let env = place.join("new folder/env");
    // What it takes: before, the new folder is not there.
    let Some(mounted) = Mounted::new(&place, "size=64m,nr_inodes=10000") else { return };
    let before = Disk::of(&place).unwrap();
    unpack_at(&made.archive, &env).unwrap();
    let after = Disk::of(&place).unwrap();
    drop(mounted);
    let bytes = before.free - after.free;
    // Until it is whole, it is in a folder of ours.
    let inodes = before.free_inodes.unwrap() - after.free_inodes.unwrap() + 1;
    for (bytes, inodes, is_expected) in [
        (bytes, inodes, (|error| error.is_none()) as fn(Option<&UnpackError>) -> bool),
        (bytes - 4096, inodes, |error| matches!(error, Some(UnpackError::NoRoom { about: false, .. }))),
        (bytes, inodes - 1, |error| matches!(error, Some(UnpackError::NoInodes { about: false, .. }))),
    ] {
        // The folder where it is mounted is one as well.
        let options = format!("size={bytes},nr_inodes={}", inodes + 1);
        let _mounted = Mounted::new(&place, &options).unwrap();
        let error = unpack_at(&made.archive, &env).err();
        assert!(is_expected(error.as_ref()), "{options}: {error:?}");
        assert_eq!(fs::read_dir(&place).unwrap().count(), usize::from(error.is_none()), "{options}");
    }
}

#[test]
fn a_disk_that_becomes_full_is_told_and_nothing_is_left() {
    let made = Made::new();
    let place = made.at("small");
    fs::create_dir(&place).unwrap();
    let Some(_mounted) = Mounted::new(&place, "size=64m") else { return };
    let (once, zeros) = (Once::new(), place.join("zeros"));
    // Somebody else writes as well.
    let fill = |_, _| once.call_once(|| drop(fs::write(&zeros, vec![0; 64 << 20])));
    let prefix = place.join("env");
    let request = UnpackRequest {
        archive: &made.archive,
        prefix: &prefix,
        machine: &Machine::default(),
        threads: 1,
        progress: Progress::to(&fill),
        cancel: &Cancel::new(),
    };
    let error = unpack(&request).unwrap_err();
    let UnpackError::Full { folder, .. } = &error else { panic!("{error}") };
    assert_eq!(*folder, place);
    assert!(error.to_string().contains("No space left on device"), "{error}");
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1, "something is left beside the zeros");
}
