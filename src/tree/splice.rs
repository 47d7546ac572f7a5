//! Puts one prefix in the place of another in a stream, at places that are known.

use std::{
    io::{self, Read},
    sync::Arc,
};

/// What changes in a file when another prefix takes the place of one; see [`Places::splices`](super::Places::splices).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splices {
    from: Arc<[u8]>,
    to: Arc<[u8]>,
    cuts: Vec<Cut>,
}

/// One change; `at` is an offset in the file before all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The prefix is replaced.
    Prefix { at: u64 },
    /// As many NUL bytes are replaced by so many.
    Zeros { at: u64, old: u64, new: u64 },
}

impl Splices {
    /// The cuts must be in the order of their offsets.
    pub(super) fn new(from: Arc<[u8]>, to: Arc<[u8]>, cuts: Vec<Cut>) -> Self {
        Self { from, to, cuts }
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }

    /// The length of a file of `size` bytes afterwards, in bytes.
    pub fn size_after(&self, size: u64) -> u64 {
        let change = |size: u64, cut: &Cut| match cut {
            Cut::Prefix { .. } => (size + self.to.len() as u64).saturating_sub(self.from.len() as u64),
            Cut::Zeros { old, new, .. } => (size + new).saturating_sub(*old),
        };
        self.cuts.iter().fold(size, change)
    }
}

/// Reads a stream with [`Splices`] applied. Fails with [`io::ErrorKind::InvalidData`] when what should be replaced is not
/// there. The inner reader should be buffered.
#[derive(Debug)]
pub struct Splicer<'a, R> {
    inner: R,
    splices: &'a Splices,
    /// The next cut.
    next: usize,
    /// How many bytes of the inner stream are consumed.
    position: u64,
    /// What is still to be given of the new prefix, and of NUL bytes after it.
    text: usize,
    zeros: u64,
}

impl<'a, R: Read> Splicer<'a, R> {
    /// Applies the splices to a stream that stands at its beginning.
    pub fn new(inner: R, splices: &'a Splices) -> Self {
        Self { inner, splices, next: 0, position: 0, text: 0, zeros: 0 }
    }

    /// Consumes what a cut removes, when it is there.
    fn cut(&mut self, cut: Cut) -> io::Result<()> {
        let gone = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => strange(),
            _ => error,
        };
        match cut {
            Cut::Prefix { .. } => {
                let mut found = vec![0; self.splices.from.len()];
                self.inner.read_exact(&mut found).map_err(gone)?;
                if *found != *self.splices.from {
                    return Err(strange());
                }
                self.position += found.len() as u64;
                self.text = self.splices.to.len();
            }
            Cut::Zeros { old, new, .. } => {
                let mut left = old;
                let mut buffer = [0; 512];
                while left > 0 {
                    let piece = &mut buffer[..usize::try_from(left).unwrap_or(usize::MAX).min(512)];
                    self.inner.read_exact(piece).map_err(gone)?;
                    if piece.iter().any(|byte| *byte != 0) {
                        return Err(strange());
                    }
                    left -= piece.len() as u64;
                }
                self.position += old;
                self.zeros = new;
            }
        }
        Ok(())
    }
}

/// A link's target with every `from` in it replaced by `to`.
pub fn with_prefix(target: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = target;
    while let Some(at) = memchr::memmem::find(rest, from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

fn strange() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it does not hold its prefix where it should: it was changed")
}

impl<R: Read> Read for Splicer<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.text > 0 {
                let to = &self.splices.to;
                let rest = &to[to.len() - self.text..];
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                self.text -= count;
                return Ok(count);
            }
            if self.zeros > 0 {
                let count = usize::try_from(self.zeros).unwrap_or(usize::MAX).min(buffer.len());
                buffer[..count].fill(0);
                self.zeros -= count as u64;
                return Ok(count);
            }
            let cut = self.splices.cuts.get(self.next).copied();
            let room = match cut {
                Some(Cut::Prefix { at } | Cut::Zeros { at, .. }) => {
                    at.checked_sub(self.position).ok_or_else(strange)?
                }
                None => u64::MAX,
            };
            match cut {
                Some(cut) if room == 0 => {
                    self.cut(cut)?;
                    self.next += 1;
                }
                _ => {
                    let count = usize::try_from(room).unwrap_or(usize::MAX).min(buffer.len());
                    let read = self.inner.read(&mut buffer[..count])?;
                    self.position += read as u64;
                    return if read == 0 && cut.is_some() { Err(strange()) } else { Ok(read) };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::Splicer;
    use crate::tree::{Mode, Needles, Places};

    const OLD: &[u8] = b"/old/placeholder";

    fn splice(input: &[u8], places: &Places, from: &[u8], to: &[u8]) -> std::io::Result<Vec<u8>> {
        let splices = places.splices(OLD.len(), from, to);
        let mut out = Vec::new();
        Splicer::new(input, &splices).read_to_end(&mut out)?;
        assert_eq!(splices.size_after(input.len() as u64), out.len() as u64);
        Ok(out)
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
        let places = Needles::new(OLD, &[]).look(input.as_slice(), |_| {}).unwrap().places.unwrap();
        let out = splice(&input, &places, OLD, b"/new").unwrap();
        assert_eq!(out.len(), input.len());
        assert_eq!(&out[..11], b"/new/a:/new");
        assert!(memchr::memmem::find(&out, b"\0tail\0/new\0").is_some());
        assert!(splice(&input, &places, b"/new", OLD).is_err(), "it names another prefix");
        assert!(splice(&out[..20], &places, b"/new", OLD).is_err(), "it was cut");
        let mut edited = out.clone();
        edited[20] = b'x';
        assert!(splice(&edited, &places, b"/new", OLD).is_err(), "no room at the end of the string");
    }

    proptest! {
        #[test]
        fn any_prefix_can_follow_any_other(
            parts in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..20)), 0..20),
            text in any::<bool>(),
        ) {
            let mut input = Vec::new();
            for (kind, noise) in parts {
                match kind % 4 {
                    0 => input.extend_from_slice(OLD),
                    1 => input.extend_from_slice(&OLD[..usize::from(kind) % OLD.len()]),
                    2 if !text => input.push(0),
                    _ => input.extend(noise.iter().map(|byte| if text { byte | 1 } else { *byte })),
                }
            }
            let found = Needles::new(OLD, &[]).look(input.as_slice(), |_| {}).unwrap();
            let Some(places) = found.places else {
                prop_assert_eq!(memchr::memmem::find(&input, OLD), None);
                return Ok(());
            };
            let there = splice(&input, &places, OLD, b"/n").unwrap();
            prop_assert_eq!(&there, &model(&input, b"/n", places.mode()));
            let further = splice(&there, &places, b"/n", b"/new/longer").unwrap();
            prop_assert_eq!(&further, &model(&input, b"/new/longer", places.mode()));
            prop_assert_eq!(splice(&further, &places, b"/new/longer", OLD).unwrap(), input.clone());
            if places.mode() == Mode::Text {
                let long = b"/much/longer/than/the/placeholder";
                let there = splice(&input, &places, OLD, long).unwrap();
                prop_assert_eq!(splice(&there, &places, long, b"/n").unwrap(), model(&input, b"/n", Mode::Text));
            }
            prop_assert_eq!(Places::from_line(&places.to_line(), OLD.len(), input.len() as u64), Some(places));
        }
    }
}
