//! What is known of a file on disk since somebody read it whole, so that nobody reads it again only to know it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use memchr::memmem;

use super::content::Reader;
use crate::base::Digest;

/// How many bytes are kept of a file's beginning: as many as tell what it is.
const BEGINNING: usize = 20;

/// Files of up to so many bytes are kept in memory: to open them once more would take longer than to read them.
const SMALL: u64 = 16 << 10;
/// How many bytes of small files are kept in all, and how many fewer for each file that there is: what has to be known of
/// a file takes memory, too.
const ALL_SMALL: usize = 96 << 20;
const EACH_FILE: usize = 700;

/// How many bytes of small files may still be kept in memory by who reads many files.
#[derive(Debug)]
pub struct Spare(AtomicUsize);

impl Spare {
    /// What there is for who reads so many files.
    pub fn beside(files: usize) -> Self {
        Self(AtomicUsize::new(ALL_SMALL.saturating_sub(files.saturating_mul(EACH_FILE))))
    }

    /// Whether a file of `size` bytes is to be kept; then there is room for less.
    fn take(&self, size: u64) -> bool {
        let less = |left: usize| usize::try_from(size).ok().and_then(|size| left.checked_sub(size));
        size <= SMALL && self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// What one reading of a whole file has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The blake3 digest of the file.
    pub digest: Digest,
    beginning: [u8; BEGINNING],
    kept: usize,
    absent: Arc<[Vec<u8>]>,
    changed: Option<Changed>,
    bytes: Option<Box<[u8]>>,
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

    /// All that was read, when it was kept.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        self.bytes.as_deref()
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
    bytes: Option<Vec<u8>>,
}

impl Seeing {
    /// Begins to read a file of `size` bytes; when it is a small one, and there is memory to spare, its bytes are kept.
    pub fn begin(size: u64, spare: &Spare) -> Self {
        let bytes = spare.take(size).then(|| Vec::with_capacity(usize::try_from(size).unwrap_or_default()));
        Self { bytes, ..Self::default() }
    }

    /// The next bytes of the file.
    pub fn see(&mut self, piece: &[u8]) {
        let room = (BEGINNING - self.kept).min(piece.len());
        self.beginning[self.kept..self.kept + room].copy_from_slice(&piece[..room]);
        self.kept += room;
        self.hasher.update(piece);
        if let Some(bytes) = &mut self.bytes {
            bytes.extend_from_slice(piece);
        }
    }

    /// What was seen; `absent` are texts that were searched for and do not stand in the file.
    pub fn done(self, absent: Arc<[Vec<u8>]>) -> Seen {
        let Self { hasher, beginning, kept, bytes } = self;
        let bytes = bytes.map(Vec::into_boxed_slice);
        Seen { digest: hasher.into(), beginning, kept, absent, changed: None, bytes }
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
