//! Reads a folder on disk as if it were an archive.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use crate::{
    archive::{
        error::Fault,
        names,
        source::{Budget, FileInfo, Kind, Limits, Member, Source, executable},
    },
    base::FsError,
};

/// Gives the entries of a folder, a folder before what is in it, by name.
pub(in crate::archive) struct FolderSource {
    root: PathBuf,
    /// What comes before all else, the next last.
    first: Vec<Vec<u8>>,
    /// The same, which is left out when its folder's turn comes.
    given: BTreeSet<Vec<u8>>,
    /// What is still to come, the next last.
    names: Vec<Vec<u8>>,
    budget: Budget,
    content: Content,
}

/// The content of the file that was given last; opened when it is read.
#[derive(Default)]
struct Content {
    path: PathBuf,
    file: Option<File>,
    left: u64,
}

impl FolderSource {
    pub(in crate::archive) fn new(root: &Path, first: &[&str], limits: Limits) -> Result<Self, Fault> {
        let there = |name: &&&str| root.join(name).symlink_metadata().is_ok_and(|it| !it.is_dir());
        let first: Vec<Vec<u8>> = first.iter().rev().filter(there).map(|name| name.as_bytes().to_vec()).collect();
        Ok(Self {
            root: root.to_owned(),
            given: first.iter().cloned().collect(),
            first,
            names: below(root, b"")?,
            budget: Budget::new(limits),
            content: Content::default(),
        })
    }

    fn kind(&mut self, name: &[u8], path: &Path, metadata: &Metadata) -> Result<Kind, Fault> {
        let kind = metadata.file_type();
        let fault = |why| Fault::entry(name, why);
        if kind.is_dir() {
            self.names.extend(below(path, name)?);
            self.budget.take(0)?;
            Ok(Kind::Folder)
        } else if kind.is_symlink() {
            self.budget.take(0)?;
            let target = fs::read_link(path).map_err(|error| FsError::new("read", path, error))?;
            Ok(Kind::Link(names::target(target.into_os_string().into_vec()).map_err(fault)?))
        } else if kind.is_file() {
            self.budget.take(metadata.len())?;
            self.content = Content { path: path.to_owned(), file: None, left: metadata.len() };
            Ok(Kind::File(FileInfo {
                executable: executable(name, u64::from(metadata.mode()))?,
                modified: metadata.mtime().try_into().unwrap_or(0),
                size: metadata.len(),
            }))
        } else if kind.is_fifo() {
            Err(fault("is a named pipe"))
        } else if kind.is_socket() {
            Err(fault("is a socket"))
        } else {
            Err(fault("is a device"))
        }
    }
}

/// The names in a folder, relative to the root, the last first.
fn below(folder: &Path, name: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
    let fail = |error| FsError::new("read the folder", folder, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let part = entry.map_err(fail)?.file_name().into_vec();
        names.push(if name.is_empty() { part } else { [name, b"/", &part].concat() });
    }
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names)
}

impl Source for FolderSource {
    fn next(&mut self) -> Result<Option<Member<'_>>, Fault> {
        self.content = Content::default();
        let given = &self.given;
        let Some(name) = self.first.pop().or_else(|| {
            while self.names.pop_if(|name| given.contains(name)).is_some() {}
            self.names.pop()
        }) else {
            return Ok(None);
        };
        names::clean(&name).map_err(|why| Fault::entry(&name, why))?;
        let path = self.root.join(OsStr::from_bytes(&name));
        let metadata = path.symlink_metadata().map_err(|error| FsError::new("read", &path, error))?;
        let kind = self.kind(&name, &path, &metadata)?;
        Ok(Some(Member { name, kind, data: &mut self.content }))
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let file = match &mut self.file {
            Some(file) => file,
            slot => {
                let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
                slot.insert(File::options().read(true).custom_flags(flags).open(&self.path)?)
            }
        };
        match file.read(&mut buffer[..wanted])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.left -= read as u64;
                Ok(read)
            }
        }
    }
}
