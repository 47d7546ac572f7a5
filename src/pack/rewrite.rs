//! Replaces the placeholder in a stream, with memory that does not grow with the file.

use std::io::{self, Write};

use memchr::memmem::Finder;

/// How a file holds the placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The file may change its length.
    Text,
    /// Strings end with a NUL byte, and what the prefix is shorter than the placeholder is filled with NUL bytes at
    /// the end of the string, so that the file keeps its length.
    Binary,
}

/// A writer that passes everything on with the placeholder replaced. [`finish`](Self::finish) must be called.
#[derive(Debug)]
pub(super) struct Rewriter<'a, W: Write> {
    inner: W,
    finder: Finder<'a>,
    new: &'a [u8],
    mode: Mode,
    /// Bytes that may be the beginning of a placeholder.
    held: Vec<u8>,
    /// NUL bytes that the current string still has to get.
    padding: usize,
}

impl<'a, W: Write> Rewriter<'a, W> {
    /// `new` must not be longer than `old` in binary mode, which the caller has checked.
    pub(super) fn new(inner: W, old: &'a [u8], new: &'a [u8], mode: Mode) -> Self {
        Self { inner, finder: Finder::new(old), new, mode, held: Vec::new(), padding: 0 }
    }

    /// Writes what was held back and gives the inner writer back.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.drain()?;
        let held = std::mem::take(&mut self.held);
        self.plain(&held)?;
        self.pad()?;
        Ok(self.inner)
    }

    /// Replaces every whole placeholder in `held` and keeps what may be the beginning of one.
    fn drain(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        while let Some(at) = self.finder.find(rest) {
            self.plain(&rest[..at])?;
            self.inner.write_all(self.new)?;
            if self.mode == Mode::Binary {
                self.padding += self.finder.needle().len() - self.new.len();
            }
            rest = &rest[at + self.finder.needle().len()..];
        }
        let keep = rest.len().min(self.finder.needle().len() - 1);
        let (done, keep) = rest.split_at(rest.len() - keep);
        self.plain(done)?;
        self.held = keep.to_vec();
        Ok(())
    }

    /// Writes bytes without a placeholder; the first NUL among them ends the string that is owed padding.
    fn plain(&mut self, bytes: &[u8]) -> io::Result<()> {
        match memchr::memchr(0, bytes) {
            Some(nul) if self.padding > 0 => {
                self.inner.write_all(&bytes[..nul])?;
                self.pad()?;
                self.inner.write_all(&bytes[nul..])
            }
            _ => self.inner.write_all(bytes),
        }
    }

    fn pad(&mut self) -> io::Result<()> {
        let zeros = [0; 256];
        while self.padding > 0 {
            let count = self.padding.min(zeros.len());
            self.inner.write_all(&zeros[..count])?;
            self.padding -= count;
        }
        Ok(())
    }
}

impl<W: Write> Write for Rewriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        // A held tail shorter than the placeholder would be searched again on every tiny write.
        if self.held.len() >= 2 * self.finder.needle().len() {
            self.drain()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::{Mode, Rewriter};

    const OLD: &[u8] = b"/old/placeholder";

    fn rewrite(input: &[u8], piece: usize, new: &[u8], mode: Mode) -> Vec<u8> {
        let mut writer = Rewriter::new(Vec::new(), OLD, new, mode);
        for part in input.chunks(piece) {
            writer.write_all(part).unwrap();
        }
        writer.finish().unwrap()
    }

    /// The same by splitting the whole at NUL bytes.
    fn model(input: &[u8], new: &[u8], mode: Mode) -> Vec<u8> {
        let replace = |bytes: &[u8]| {
            let mut out = Vec::new();
            let mut rest = bytes;
            let mut count = 0;
            while let Some(at) = memchr::memmem::find(rest, OLD) {
                out.extend_from_slice(&rest[..at]);
                out.extend_from_slice(new);
                rest = &rest[at + OLD.len()..];
                count += 1;
            }
            out.extend_from_slice(rest);
            (out, count)
        };
        if mode == Mode::Text {
            return replace(input).0;
        }
        let strings = input.split(|byte| *byte == 0).map(|string| {
            let (mut out, count) = replace(string);
            out.resize(out.len() + count * (OLD.len() - new.len()), 0);
            out
        });
        strings.collect::<Vec<_>>().join(&0)
    }

    #[test]
    fn strings_keep_their_length() {
        let input = [OLD, b"/a:", OLD, b"/b\0tail\0", OLD].concat();
        let out = rewrite(&input, 5, b"/new", Mode::Binary);
        assert_eq!(out.len(), input.len());
        assert_eq!(&out[..11], b"/new/a:/new");
        assert!(memchr::memmem::find(&out, b"\0tail\0/new\0").is_some());
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            parts in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..20)), 0..20),
            piece in 1usize..40,
        ) {
            let mut input = Vec::new();
            for (kind, noise) in parts {
                match kind % 4 {
                    0 => input.extend_from_slice(OLD),
                    1 => input.extend_from_slice(&OLD[..usize::from(kind) % OLD.len()]),
                    2 => input.push(0),
                    _ => input.extend_from_slice(&noise),
                }
            }
            for mode in [Mode::Text, Mode::Binary] {
                prop_assert_eq!(rewrite(&input, piece, b"/n", mode), model(&input, b"/n", mode));
                prop_assert_eq!(rewrite(&input, piece, OLD, mode), input.clone());
            }
        }
    }
}
