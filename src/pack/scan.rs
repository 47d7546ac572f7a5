//! Looks through one file for the placeholder, for NUL bytes and for the staging path.

use std::io::{self, Read};

use memchr::memmem::Finder;

/// What was found in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Findings {
    pub(super) placeholder: bool,
    pub(super) nul: bool,
    pub(super) staging: bool,
}

/// What to look for.
#[derive(Debug)]
pub(super) struct Needles<'a> {
    placeholder: Finder<'a>,
    staging: Vec<Finder<'a>>,
    longest: usize,
}

const PIECE: usize = 256 * 1024;

impl<'a> Needles<'a> {
    /// `staging` are the spellings of the staging path.
    pub(super) fn new(placeholder: &'a [u8], staging: &'a [Vec<u8>]) -> Self {
        let longest = staging.iter().map(Vec::len).chain([placeholder.len()]).max().unwrap_or(1);
        let staging = staging.iter().map(Finder::new).collect();
        Self { placeholder: Finder::new(placeholder), staging, longest }
    }

    /// Reads everything, in pieces that overlap by the longest needle.
    pub(super) fn look(&self, mut reader: impl Read) -> io::Result<Findings> {
        let mut found = Findings::default();
        let mut buffer = vec![0; PIECE + self.longest];
        let mut kept = 0;
        loop {
            let read = match reader.read(&mut buffer[kept..]) {
                Ok(0) => return Ok(found),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            found.nul |= memchr::memchr(0, &buffer[kept..kept + read]).is_some();
            let filled = kept + read;
            let window = &buffer[..filled];
            found.placeholder = found.placeholder || self.placeholder.find(window).is_some();
            found.staging = found.staging || self.staging.iter().any(|needle| needle.find(window).is_some());
            kept = filled.min(self.longest - 1);
            buffer.copy_within(filled - kept..filled, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::{Findings, Needles, PIECE};

    #[test]
    fn a_needle_across_pieces_is_found() {
        let staging = vec![b"/stage".to_vec()];
        let needles = Needles::new(b"/placeholder", &staging);
        for at in [0, 1, PIECE - 5, PIECE, PIECE + 3, 2 * PIECE + 7] {
            let mut bytes = vec![b'x'; at];
            bytes.extend_from_slice(b"/placeholder");
            let found = needles.look(Cursor::new(bytes)).unwrap();
            assert_eq!(found, Findings { placeholder: true, nul: false, staging: false }, "{at}");
        }
        let mut all = std::io::repeat(b'y').take(PIECE as u64).chain(Cursor::new(b"/stage\0".to_vec()));
        let found = needles.look(&mut all).unwrap();
        assert_eq!(found, Findings { placeholder: false, nul: true, staging: true });
    }
}
