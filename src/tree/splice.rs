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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cut {
    /// The prefix is replaced.
    Prefix { at: u64 },
    /// A text is replaced by another one.
    Text { at: u64, old: Arc<[u8]>, new: Arc<[u8]> },
    /// As many NUL bytes are replaced by so many.
    Zeros { at: u64, old: u64, new: u64 },
}

/// One change for [`Splices::of_edits`]; `at` is an offset in the file before all of them, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The text `old`, which stands there, is replaced by `new`; either may be empty.
    Text {
        /// Where it stands.
        at: u64,
        /// What stands there.
        old: Arc<[u8]>,
        /// What takes its place.
        new: Arc<[u8]>,
    },
    /// `old` NUL bytes, which stand there, are replaced by `new` of them.
    Zeros {
        /// Where they stand.
        at: u64,
        /// How many stand there.
        old: u64,
        /// How many take their place.
        new: u64,
    },
}

impl Splices {
    /// The cuts must be in the order of their offsets.
    pub(super) fn new(from: Arc<[u8]>, to: Arc<[u8]>, cuts: Vec<Cut>) -> Self {
        Self { from, to, cuts }
    }

    /// Any changes, in the order of their offsets; none may begin before the one before it ends.
    pub fn of_edits(edits: Vec<Edit>) -> Self {
        let cut = |edit| match edit {
            Edit::Text { at, old, new } => Cut::Text { at, old, new },
            Edit::Zeros { at, old, new } => Cut::Zeros { at, old, new },
        };
        let nothing: Arc<[u8]> = Arc::from(&b""[..]);
        Self::new(Arc::clone(&nothing), nothing, edits.into_iter().map(cut).collect())
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }

    /// The length of a file of `size` bytes afterwards, in bytes.
    pub fn size_after(&self, size: u64) -> u64 {
        let change = |size: u64, cut: &Cut| match cut {
            Cut::Prefix { .. } => (size + self.to.len() as u64).saturating_sub(self.from.len() as u64),
            Cut::Text { old, new, .. } => (size + new.len() as u64).saturating_sub(old.len() as u64),
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
    /// What is still to be given of the new text, and of NUL bytes after it.
    text: &'a [u8],
    zeros: u64,
}

impl<'a, R: Read> Splicer<'a, R> {
    /// Applies the splices to a stream that stands at its beginning.
    pub fn new(inner: R, splices: &'a Splices) -> Self {
        Self { inner, splices, next: 0, position: 0, text: &[], zeros: 0 }
    }

    /// Consumes what a cut removes, when it is there.
    fn cut(&mut self, cut: &'a Cut) -> io::Result<()> {
        let gone = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => strange(),
            _ => error,
        };
        let mut replace = |old: &[u8], new: &'a [u8]| {
            let mut found = vec![0; old.len()];
            self.inner.read_exact(&mut found).map_err(gone)?;
            if *found != *old {
                return Err(strange());
            }
            self.position += found.len() as u64;
            self.text = new;
            Ok(())
        };
        match cut {
            Cut::Prefix { .. } => replace(&self.splices.from, &self.splices.to)?,
            Cut::Text { old, new, .. } => replace(old, new)?,
            Cut::Zeros { old, new, .. } => {
                let mut left = *old;
                let mut buffer = [0; 512];
                while left > 0 {
                    let piece = &mut buffer[..usize::try_from(left).unwrap_or(usize::MAX).min(512)];
                    self.inner.read_exact(piece).map_err(gone)?;
                    if piece.iter().any(|byte| *byte != 0) {
                        return Err(strange());
                    }
                    left -= piece.len() as u64;
                }
                self.position += *old;
                self.zeros = *new;
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
            if !self.text.is_empty() {
                let (now, later) = self.text.split_at(self.text.len().min(buffer.len()));
                buffer[..now.len()].copy_from_slice(now);
                self.text = later;
                return Ok(now.len());
            }
            if self.zeros > 0 {
                let count = usize::try_from(self.zeros).unwrap_or(usize::MAX).min(buffer.len());
                buffer[..count].fill(0);
                self.zeros -= count as u64;
                return Ok(count);
            }
            let cut = self.splices.cuts.get(self.next);
            let room = match cut {
                Some(Cut::Prefix { at } | Cut::Text { at, .. } | Cut::Zeros { at, .. }) => {
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

    use super::{Edit, Splicer, Splices};
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

    #[test]
    fn texts_of_several_lengths_are_replaced() {
        let text = |at, old: &str, new: &str| Edit::Text { at, old: old.as_bytes().into(), new: new.as_bytes().into() };
        let zeros = Edit::Zeros { at: 12, old: 3, new: 1 };
        let splices = Splices::of_edits(vec![text(0, "", "#!"), text(0, "/opt/e", "/P"), text(8, "long", "l"), zeros]);
        let input = &b"/opt/e: long\0\0\0end"[..];
        let mut out = Vec::new();
        Splicer::new(input, &splices).read_to_end(&mut out).unwrap();
        assert_eq!(out, b"#!/P: l\0end");
        assert_eq!(splices.size_after(input.len() as u64), out.len() as u64);
        assert!(Splicer::new(&b"/opt/x: long"[..], &splices).read_to_end(&mut out).is_err(), "another text");
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
