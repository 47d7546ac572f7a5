//! What is known of a file on disk since somebody read it whole, so that nobody reads it again only to know it.

use std::sync::Arc;

use memchr::memmem;

use super::content::Reader;
use crate::base::Digest;

/// How many bytes are kept of a file's beginning: as many as tell what it is.
const BEGINNING: usize = 20;

/// What one reading of a whole file has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The blake3 digest of the file.
    pub digest: Digest,
    beginning: [u8; BEGINNING],
    kept: usize,
    absent: Arc<[Vec<u8>]>,
    changed: Option<Changed>,
}

/// When a file was changed last, in seconds since 1970 and nanoseconds.
pub(super) type Changed = (i64, i64);

impl Seen {
    /// What was seen by a reader; who reads the file later is told when it was changed since that began.
    #[must_use]
    pub fn by(self, reader: &Reader<'_>) -> Self {
        Self { changed: reader.changed(), ..self }
    }

    pub(super) fn changed(&self) -> Option<Changed> {
        self.changed
    }

    /// The file's first 20 bytes; fewer when it is shorter.
    pub fn beginning(&self) -> &[u8] {
        &self.beginning[..self.kept]
    }

    /// Whether it begins like an ELF file.
    pub fn is_elf(&self) -> bool {
        self.beginning().starts_with(b"\x7fELF")
    }

    /// Whether a text is known not to stand in the file: a part of it, or all of it, was searched for in vain.
    pub fn lacks(&self, text: &[u8]) -> bool {
        self.absent.iter().any(|it| memmem::find(text, it).is_some())
    }
}

/// A reading that goes on.
#[derive(Debug, Default)]
pub struct Seeing {
    hasher: blake3::Hasher,
    beginning: [u8; BEGINNING],
    kept: usize,
}

impl Seeing {
    /// The next bytes of the file.
    pub fn see(&mut self, piece: &[u8]) {
        let room = (BEGINNING - self.kept).min(piece.len());
        self.beginning[self.kept..self.kept + room].copy_from_slice(&piece[..room]);
        self.kept += room;
        self.hasher.update(piece);
    }

    /// What was seen; `absent` are texts that were searched for and do not stand in the file.
    pub fn done(self, absent: Arc<[Vec<u8>]>) -> Seen {
        Seen { digest: self.hasher.into(), beginning: self.beginning, kept: self.kept, absent, changed: None }
    }
}

#[cfg(test)]
mod tests {
    use super::{Seeing, Seen};
    use crate::base::Digest;

    fn seen(bytes: &[u8], absent: &[&[u8]]) -> Seen {
        let mut seeing = Seeing::default();
        bytes.chunks(3).for_each(|piece| seeing.see(piece));
        seeing.done(absent.iter().map(|it| it.to_vec()).collect())
    }

    #[test]
    fn what_was_searched_for_in_vain_is_lacking_with_all_that_holds_it() {
        let elf = seen(b"\x7fELF", &[b"/opt"]);
        assert!(elf.is_elf() && elf.lacks(b"/opt") && elf.lacks(b"x/opt/y"));
        assert!(!elf.lacks(b"/op") && !seen(b"x", &[]).lacks(b"/opt"));
        assert_eq!(elf.beginning(), b"\x7fELF");
        assert_eq!(elf.digest, Digest::of(b"\x7fELF"));
        assert_eq!(seen(&[b'x'; 99], &[]).beginning(), [b'x'; 20]);
    }
}
