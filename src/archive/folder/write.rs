//! Writes entries into a folder.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read, Write as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink},
    },
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::archive::{
    error::SinkError,
    promised::Promised,
    sink::{EPOCH, FileMeta, Sink},
};

struct FolderSink {
    root: PathBuf,
    folders: Vec<PathBuf>,
    buffer: Vec<u8>,
}

/// Begins a folder, which is made unless it is there and empty. Its entries have the modes and times that they would have
/// in an archive.
///
/// # Errors
/// When it cannot be made or is not empty.
pub fn folder(path: &Path) -> Result<Box<dyn Sink>, SinkError> {
    match DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::read_dir(path)?.next().is_some() {
                return Err(io::Error::from(io::ErrorKind::DirectoryNotEmpty).into());
            }
        }
        result => result?,
    }
    Ok(Box::new(FolderSink { root: path.to_owned(), folders: Vec::new(), buffer: vec![0; 256 << 10] }))
}

impl FolderSink {
    fn place(&self, name: &[u8]) -> Result<PathBuf, SinkError> {
        let part = |part: &[u8]| !part.is_empty() && part != b"." && part != b"..";
        if name.contains(&0) || !name.split(|byte| *byte == b'/').all(part) {
            return Err(SinkError::Unfit { name: name.to_vec(), why: "has a name that no file can have" });
        }
        Ok(self.root.join(OsStr::from_bytes(name)))
    }
}

fn set_time(path: &Path, seconds: u64) -> io::Result<()> {
    File::open(path)?.set_modified(time(seconds))
}

fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(SystemTime::UNIX_EPOCH)
}

impl Sink for FolderSink {
    fn folder(&mut self, name: &[u8]) -> Result<(), SinkError> {
        let path = self.place(name)?;
        fs::create_dir(&path)?;
        self.folders.push(path);
        Ok(())
    }

    fn link(&mut self, name: &[u8], target: &[u8]) -> Result<(), SinkError> {
        Ok(symlink(OsStr::from_bytes(target), self.place(name)?)?)
    }

    fn file(&mut self, name: &[u8], meta: FileMeta, size: u64, data: &mut dyn Read) -> Result<(), SinkError> {
        let mode = if meta.executable { 0o755 } else { 0o644 };
        let mut file = File::options().write(true).create_new(true).mode(mode).open(self.place(name)?)?;
        let mut data = Promised::new(name, size, data);
        while data.left() > 0 {
            let filled = data.fill(&mut self.buffer)?;
            file.write_all(&self.buffer[..filled])?;
        }
        data.end()?;
        file.set_permissions(Permissions::from_mode(mode))?;
        Ok(file.set_modified(time(meta.modified))?)
    }

    fn finish(self: Box<Self>) -> Result<(), SinkError> {
        // The last first: nothing below a folder is touched after it.
        for folder in self.folders.iter().rev().chain([&self.root]) {
            fs::set_permissions(folder, Permissions::from_mode(0o755))?;
            set_time(folder, EPOCH)?;
        }
        Ok(())
    }
}
