//! Whether there is room for an environment, before it is written and when the disk is full all the same.

use super::{
    error::UnpackError,
    head::{Head, is_beside_the_list},
};
use crate::{
    base::{Disk, FsError, Room},
    tree::{DigestOf, Places, with_prefix},
};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// So much.
    pub room: Room,
    /// Nobody knows exactly before it is written.
    pub about: bool,
}

impl Wanted {
    /// What the entries of an archive take of which this is said, with the folders around them, when the files name the
    /// prefix at which they are to be.
    pub(super) fn by(disk: &Disk, head: &Head, new: &[u8], comes: impl Fn(&[u8], &DigestOf) -> bool) -> Self {
        let canonical = head.header.placeholder.as_bytes();
        let of_entry = |(name, of): (&Vec<u8>, &DigestOf)| match of.kind {
            'D' => disk.folders(1),
            'L' => {
                let link = head.relocation.links.get(name);
                disk.link(link.map_or(of.size, |link| with_prefix(link, canonical, new).len() as u64))
            }
            _ => {
                let there = |places: &Places| places.splices(canonical.len(), canonical, new).size_after(of.size);
                disk.file(head.relocation.places.get(name).map_or(of.size, there))
            }
        };
        let listed: Room = head.digests.0.iter().filter(|(name, of)| comes(name, of)).map(of_entry).sum();
        let beside = head.contents.iter().filter(|(name, _)| is_beside_the_list(name.as_bytes()));
        let beside: Room = beside.flat_map(|(_, content)| content).map(|it| disk.file(it.bytes.len() as u64)).sum();
        // The environment's folder stands in one of ours until it is whole.
        let around = disk.folders(disk.missing + 2);
        Self { room: listed + beside + disk.file(new.len() as u64 + 1) + around, about: false }
    }

    /// Whether a disk has it.
    ///
    /// # Errors
    /// When it has not.
    pub(super) fn check(self, disk: &Disk) -> Result<(), UnpackError> {
        let Self { room, about } = self;
        let folder = || disk.folder.clone();
        if disk.free < room.bytes {
            return Err(UnpackError::NoRoom { folder: folder(), needed: room.bytes, free: disk.free, about });
        }
        match disk.free_inodes {
            Some(free) if free < room.inodes => {
                Err(UnpackError::NoInodes { folder: folder(), needed: room.inodes, free, about })
            }
            _ => Ok(()),
        }
    }
}

/// Whether a disk has so much room.
///
/// # Errors
/// When it has not.
pub fn require_room(disk: &Disk, wanted: Wanted) -> Result<(), UnpackError> {
    wanted.check(disk)
}

/// The error of a file that could not be written, when what was written is deleted again: of a full disk it says what the
/// environment needs and what there is.
pub fn out_of_room(error: FsError, disk: &Disk, wanted: Wanted) -> UnpackError {
    // What is full may be another disk.
    if !error.is_full() || !error.path().starts_with(&disk.folder) {
        return error.into();
    }
    let now = Disk::of(&disk.folder).unwrap_or_else(|_| disk.clone());
    UnpackError::Full {
        needed: in_words(wanted.room.bytes, Some(wanted.room.inodes), wanted.about),
        free: in_words(now.free, now.free_inodes, false),
        folder: now.folder,
        why: error,
    }
}

/// The same for what unpacking says.
pub(super) fn told(error: UnpackError, disk: &Disk, wanted: Wanted) -> UnpackError {
    match error {
        UnpackError::File(error) => out_of_room(error, disk, wanted),
        other => other,
    }
}

fn in_words(bytes: u64, inodes: Option<u64>, about: bool) -> String {
    let about = if about { "about " } else { "" };
    match inodes {
        Some(inodes) => format!("{about}{bytes} bytes and {about}{inodes} inodes"),
        None => format!("{about}{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Wanted, out_of_room};
    use crate::{
        base::{Disk, FsError, Room},
        unpack::UnpackError,
    };

    #[test]
    fn what_has_no_room_is_refused() {
        let here = Disk::of(Path::new("/tmp/there/is/no/such/folder")).unwrap();
        let wanted = |bytes, inodes| Wanted { room: Room { bytes, inodes }, about: true };
        wanted(1, 1).check(&here).unwrap();
        let error = wanted(u64::MAX, 1).check(&here).unwrap_err();
        assert!(error.to_string().starts_with("it needs about 18446744073709551615 bytes"), "{error}");
        let shared = Disk::of(Path::new("/dev/shm")).unwrap();
        let error = wanted(1, u64::MAX).check(&shared).unwrap_err();
        assert!(matches!(error, UnpackError::NoInodes { .. }), "{error}");
    }

    #[test]
    fn a_disk_that_becomes_full_is_told_with_what_is_needed() {
        let disk = Disk::of(Path::new("/tmp")).unwrap();
        let wanted = Wanted { room: Room { bytes: 17, inodes: 2 }, about: false };
        let error = |path: &str, errno: rustix::io::Errno| {
            out_of_room(FsError::new("write", path, errno.into()), &disk, wanted).to_string()
        };
        for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT] {
            let text = error("/tmp/x", errno);
            assert!(text.contains("`/tmp/x`") && text.contains("needs 17 bytes and 2 inodes in `/tmp`"), "{text}");
        }
        for text in [error("/tmp/x", rustix::io::Errno::IO), error("/elsewhere/x", rustix::io::Errno::NOSPC)] {
            assert!(!text.contains("needs"), "{text}");
        }
    }
}
