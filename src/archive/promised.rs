//! Reads exactly as many bytes as a file was said to have, and notices when there are more or fewer.

use std::io::{self, Read};

use super::error::SinkError;

/// The content of a file that goes into an archive.
pub(super) struct Promised<'a> {
    name: &'a [u8],
    data: &'a mut dyn Read,
    size: u64,
    left: u64,
}

impl<'a> Promised<'a> {
    pub(super) fn new(name: &'a [u8], size: u64, data: &'a mut dyn Read) -> Self {
        Self { name, data, size, left: size }
    }

    /// How many bytes are still to come.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Fills the buffer, or as much of it as the file still has; says how much.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, SinkError> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let mut filled = 0;
        while filled < wanted {
            match self.read(&mut buffer[filled..wanted])? {
                0 => return Err(self.lied("fewer")),
                read => filled += read,
            }
        }
        self.left -= filled as u64;
        Ok(filled)
    }

    /// The next piece of at most `limit` bytes, in a buffer of its own.
    pub(super) fn piece(&mut self, limit: usize) -> Result<Vec<u8>, SinkError> {
        let mut piece = vec![0; limit.min(usize::try_from(self.left).unwrap_or(limit))];
        self.fill(&mut piece)?;
        Ok(piece)
    }

    /// Makes sure that nothing is left.
    pub(super) fn end(mut self) -> Result<(), SinkError> {
        if self.left > 0 {
            return Err(self.lied("more"));
        }
        match self.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(self.lied("more")),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SinkError> {
        loop {
            match self.data.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map_err(|why| SinkError::Data { name: self.name.to_vec(), why }),
            }
        }
    }

    fn lied(&self, found: &'static str) -> SinkError {
        SinkError::Size { name: self.name.to_vec(), promised: self.size, found }
    }
}
