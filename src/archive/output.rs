//! Where an archive is written to.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt as _,
};

/// A writer that can go back to its beginning once: a squashfs image tells there what came later.
pub trait Output: Write {
    /// Writes over the first bytes of what was written, after everything else. Only squashfs asks for it, so a digest
    /// that was taken on the way holds for all other formats.
    ///
    /// # Errors
    /// When they cannot be written.
    fn overwrite_start(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Output for File {
    fn overwrite_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, 0)
    }
}

impl<W: Output> Output for BufWriter<W> {
    fn overwrite_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.flush()?;
        self.get_mut().overwrite_start(bytes)
    }
}

impl Output for Vec<u8> {
    fn overwrite_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        let start = self.get_mut(..bytes.len()).ok_or(io::ErrorKind::InvalidInput)?;
        start.copy_from_slice(bytes);
        Ok(())
    }
}

impl<W: Output + ?Sized> Output for &mut W {
    fn overwrite_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        (**self).overwrite_start(bytes)
    }
}
