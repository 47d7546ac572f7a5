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

/// An output that shows what is written to somebody else too, who digests it for example.
#[derive(Debug)]
pub struct Shown<W, F> {
    inner: W,
    show: F,
    overwritten: bool,
}

impl<W, F: FnMut(&[u8])> Shown<W, F> {
    /// Shows all bytes that this output takes, each piece once, in the order in which they are written.
    pub fn new(inner: W, show: F) -> Self {
        Self { inner, show, overwritten: false }
    }

    /// The output behind it.
    pub fn inner(&self) -> &W {
        &self.inner
    }

    /// The output behind it, and whether its beginning was written over: then it holds something else than was shown.
    pub fn into_inner(self) -> (W, bool) {
        (self.inner, self.overwritten)
    }
}

impl<W: Write, F: FnMut(&[u8])> Write for Shown<W, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        (self.show)(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Output, F: FnMut(&[u8])> Output for Shown<W, F> {
    fn overwrite_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.overwritten = true;
        self.inner.overwrite_start(bytes)
    }
}
