//! How much room a file system has, and how much of it files take.

use std::{
    iter::Sum,
    ops::Add,
    path::{Path, PathBuf},
};

use super::FsError;

/// A part of a file system. Sums stop at the largest number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Bytes, in whole blocks where that is known.
    pub bytes: u64,
    /// Inodes: one for each file, folder and symbolic link.
    pub inodes: u64,
}

impl Add for Room {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), inodes: self.inodes.saturating_add(other.inodes) }
    }
}

impl Sum for Room {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}

/// A file system, as it is when it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The folder that was asked for, or the one in which it will be made.
    pub folder: PathBuf,
    /// How many folders are to be made until it is there.
    pub missing: u64,
    /// Bytes that the user may write.
    pub free: u64,
    /// How many files, folders and links he may make; nothing where they are made as they are needed.
    pub free_inodes: Option<u64>,
    blocks: Blocks,
}

/// What a file system gives at least, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Blocks {
    /// Files get multiples of it.
    file: u64,
    folder: u64,
    /// Targets of links that are as long as this, or longer, get a block.
    link: u64,
}

/// The numbers by which Linux knows file systems (`linux/magic.h`).
const EXT: i64 = 0xef53;
const TMPFS: i64 = 0x0102_1994;
const XFS: i64 = 0x5846_5342;

impl Blocks {
    /// Where files may be compressed or kept beside their names, or the blocks are another machine's, nothing is rounded: it
    /// would be asked for more than is needed.
    fn of(file_system: i64, block: u64) -> Self {
        let block = block.max(1);
        match file_system {
            EXT => Self { file: block, folder: block, link: 60 },
            TMPFS => Self { file: block, folder: 0, link: 128 },
            XFS => Self { file: block, folder: 0, link: u64::MAX },
            _ => Self { file: 1, folder: 0, link: u64::MAX },
        }
    }
}

impl Disk {
    /// The file system of a folder, or that on which it will be made.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn of(folder: &Path) -> Result<Self, FsError> {
        let missing = folder.ancestors().take_while(|it| !it.is_dir()).count();
        let there = folder.ancestors().nth(missing).filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("/"));
        let fail = |error: rustix::io::Errno| FsError::new("look at the file system of", there, error.into());
        let kind = rustix::fs::statfs(there).map_err(fail)?.f_type;
        let about = rustix::fs::statvfs(there).map_err(fail)?;
        Ok(Self {
            folder: there.to_owned(),
            missing: missing as u64,
            free: about.f_bavail.saturating_mul(about.f_frsize),
            free_inodes: (about.f_files > 0).then_some(about.f_favail),
            blocks: Blocks::of(kind, about.f_frsize),
        })
    }

    /// What a file of so many bytes takes.
    pub fn file(&self, bytes: u64) -> Room {
        Room { bytes: bytes.div_ceil(self.blocks.file).saturating_mul(self.blocks.file), inodes: 1 }
    }

    /// What a folder takes, at least.
    pub fn folders(&self, count: u64) -> Room {
        Room { bytes: self.blocks.folder.saturating_mul(count), inodes: count }
    }

    /// What a symbolic link takes whose target has so many bytes.
    pub fn link(&self, target: u64) -> Room {
        Room { bytes: if target < self.blocks.link { 0 } else { self.blocks.file }, inodes: 1 }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Blocks, Disk, EXT, Room, TMPFS};

    #[test]
    fn files_take_whole_blocks_where_that_is_known() {
        let disk = |kind| Disk { blocks: Blocks::of(kind, 4096), ..Disk::of(Path::new("/")).unwrap() };
        let bytes = |disk: &Disk| [0, 1, 4096, 4097].map(|size| disk.file(size).bytes);
        assert_eq!(bytes(&disk(EXT)), [0, 4096, 4096, 8192]);
        assert_eq!(bytes(&disk(0x6969)), [0, 1, 4096, 4097], "NFS tells the size of its requests");
        assert_eq!(disk(EXT).file(u64::MAX).bytes, u64::MAX);
        assert_eq!(disk(EXT).folders(2), Room { bytes: 8192, inodes: 2 });
        assert_eq!([disk(TMPFS).link(127), disk(TMPFS).link(128)].map(|it| it.bytes), [0, 4096]);
        let most = Room { bytes: u64::MAX, inodes: u64::MAX };
        assert_eq!([most, disk(EXT).folders(1)].into_iter().sum::<Room>(), most);
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_made_in_another() {
        let here = tempfile::tempdir().unwrap();
        let disk = Disk::of(&here.path().join("a/b")).unwrap();
        assert_eq!((disk.folder.as_path(), disk.missing), (here.path(), 2));
        assert!(disk.free > 0);
    }
}
