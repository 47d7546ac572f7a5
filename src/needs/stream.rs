//! The same for a tree that comes as a stream, such as an archive: one file after the other, with little memory.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use super::{
    error::NeedsError,
    gather::Gathered,
    model::Needs,
    scan::{Told, is_text, look, read},
};
use crate::base::{FsError, Scratch};

/// Larger files are written into a temporary one, because ELF files have to be read from several places.
const IN_MEMORY: u64 = 8 << 20;
/// No record of a package is longer.
const LONGEST_TEXT: u64 = 64 << 20;
const MAGIC: &[u8] = b"\x7fELF";

/// Takes in the files of a tree.
#[derive(Debug, Default)]
pub struct Stream {
    gathered: Gathered,
    scratch: Option<Scratch>,
}

impl Stream {
    /// One that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a file: its name relative to the prefix, its size and its content, of which only as much is read as is
    /// needed.
    ///
    /// # Errors
    /// When it cannot be read, or is a record or a ledger that is damaged.
    pub fn file(&mut self, name: &[u8], size: u64, content: &mut dyn Read) -> Result<(), NeedsError> {
        let fail = |error| FsError::new("read", String::from_utf8_lossy(name).into_owned(), error);
        let mut bytes = Vec::new();
        if is_text(name) {
            content.take(LONGEST_TEXT).read_to_end(&mut bytes).map_err(fail)?;
            self.gathered.add(name, read(name, &bytes)?);
            return Ok(());
        }
        content.take(MAGIC.len() as u64).read_to_end(&mut bytes).map_err(fail)?;
        if bytes != MAGIC {
            return Ok(());
        }
        let told = if size <= IN_MEMORY {
            content.take(IN_MEMORY).read_to_end(&mut bytes).map_err(fail)?;
            look(name, &bytes[..])?
        } else {
            self.spooled(name, &mut bytes.as_slice().chain(content))?
        };
        self.gathered.add(name, told);
        Ok(())
    }

    /// Takes in a symbolic link.
    pub fn link(&mut self, name: &[u8], target: &[u8]) {
        self.gathered.links.push((name.to_owned(), target.to_owned()));
    }

    /// What the whole tree needs.
    pub fn finish(self) -> Needs {
        self.gathered.needs()
    }

    fn spooled(&mut self, name: &[u8], content: &mut dyn Read) -> Result<Told, NeedsError> {
        let scratch = match &self.scratch {
            Some(scratch) => scratch,
            None => self.scratch.insert(Scratch::new()?),
        };
        let path: PathBuf = scratch.path().join("file");
        let fail = |error| FsError::new("write", &path, error);
        let mut file = File::options().read(true).write(true).create(true).truncate(true).open(&path).map_err(fail)?;
        io::copy(content, &mut file).map_err(fail)?;
        look(name, &file)
    }
}
