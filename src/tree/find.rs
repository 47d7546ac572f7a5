//! Looks through one file for the prefix, in pieces.

use std::io::{self, Read};

use memchr::memmem::Finder;

use super::place::{Places, Words};
use crate::base::with_buffer;

/// What was found in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Where the placeholder stands, when it does.
    pub places: Option<Places>,
    /// Whether one of the other texts stands in it.
    pub other: bool,
    /// How many bytes it has.
    pub size: u64,
}

/// What to look for.
#[derive(Debug)]
pub struct Needles<'a> {
    placeholder: Finder<'a>,
    others: Vec<Finder<'a>>,
    longest: usize,
}

const PIECE: usize = 256 * 1024;

impl<'a> Needles<'a> {
    /// The placeholder, whose places are found, and other texts, of which it is only said whether one is there.
    pub fn new(placeholder: &'a [u8], others: &'a [Vec<u8>]) -> Self {
        let longest = others.iter().map(Vec::len).chain([placeholder.len()]).max().unwrap_or(1);
        let others = others.iter().map(Finder::new).collect();
        Self { placeholder: Finder::new(placeholder), others, longest }
    }

    /// All texts that are looked for.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        [&self.placeholder].into_iter().chain(&self.others).map(Finder::needle)
    }

    /// Reads everything, and shows each piece to `see` once, in order.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn look(&self, reader: impl Read, see: impl FnMut(&[u8])) -> io::Result<Found> {
        with_buffer(PIECE + self.longest, |buffer| self.look_with(buffer, reader, see))
    }

    fn look_with(&self, buffer: &mut [u8], mut reader: impl Read, mut see: impl FnMut(&[u8])) -> io::Result<Found> {
        let mut strings = Strings::default();
        let mut found = Found::default();
        // Where the window begins in the file, how much of it is filled, and how far it was searched.
        let (mut base, mut filled, mut searched) = (0u64, 0, 0);
        loop {
            let read = match reader.read(&mut buffer[filled..]) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            see(&buffer[filled..filled + read]);
            filled += read;
            let window = &buffer[..filled];
            while let Some(at) = self.placeholder.find(&window[searched..]) {
                strings.plain(&window[searched..searched + at], base + searched as u64);
                strings.placeholder(base + (searched + at) as u64);
                searched += at + self.placeholder.needle().len();
            }
            let sure = if read == 0 { filled } else { (filled + 1).saturating_sub(self.placeholder.needle().len()) };
            if sure > searched {
                strings.plain(&window[searched..sure], base + searched as u64);
                searched = sure;
            }
            found.other = found.other || self.others.iter().any(|needle| needle.find(window).is_some());
            if read == 0 {
                found.size = base + filled as u64;
                found.places = strings.finish(found.size);
                return Ok(found);
            }
            let keep = filled.min(self.longest - 1).max(filled - searched);
            buffer.copy_within(filled - keep..filled, 0);
            base += (filled - keep) as u64;
            searched -= filled - keep;
            filled = keep;
        }
    }
}

/// The strings that hold the placeholder, as they come by.
#[derive(Debug, Default)]
struct Strings {
    nul: bool,
    open: bool,
    words: Vec<Words>,
}

impl Strings {
    /// Bytes without a placeholder; the first NUL among them ends the string that is open.
    fn plain(&mut self, bytes: &[u8], offset: u64) {
        if !self.open && self.nul {
            return;
        }
        if let Some(at) = memchr::memchr(0, bytes) {
            self.nul = true;
            if std::mem::take(&mut self.open)
                && let Some(words) = self.words.last_mut()
            {
                words.end = offset + at as u64;
            }
        }
    }

    fn placeholder(&mut self, at: u64) {
        match self.words.last_mut() {
            Some(words) if self.open => words.at.push(at),
            _ => self.words.push(Words { at: vec![at], end: 0 }),
        }
        self.open = true;
    }

    fn finish(mut self, size: u64) -> Option<Places> {
        if self.open
            && let Some(words) = self.words.last_mut()
        {
            words.end = size;
        }
        match (self.words.is_empty(), self.nul) {
            (true, _) => None,
            (false, true) => Some(Places::Binary(self.words)),
            (false, false) => Some(Places::Text(self.words.into_iter().flat_map(|it| it.at).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::{Found, Needles, PIECE};
    use crate::tree::{Places, Words};

    #[test]
    fn a_needle_across_pieces_is_found() {
        let others = vec![b"/stage".to_vec()];
        let needles = Needles::new(b"/placeholder", &others);
        for at in [0, 1, PIECE - 5, PIECE, PIECE + 3, 2 * PIECE + 7] {
            let mut bytes = vec![b'x'; at];
            bytes.extend_from_slice(b"/placeholder");
            let mut seen = 0;
            let found = needles.look(Cursor::new(bytes), |piece| seen += piece.len()).unwrap();
            let places = Some(Places::Text(vec![at as u64]));
            assert_eq!(found, Found { places, other: false, size: at as u64 + 12 }, "{at}");
            assert_eq!(seen, at + 12);
        }
        let mut all = std::io::repeat(b'y').take(PIECE as u64).chain(Cursor::new(b"/stage\0".to_vec()));
        let found = needles.look(&mut all, |_| {}).unwrap();
        assert_eq!(found, Found { places: None, other: true, size: PIECE as u64 + 7 });
    }

    #[test]
    fn a_string_may_be_longer_than_a_piece() {
        let long = vec![b'z'; PIECE + 9];
        let bytes = [b"\0/placeholder", long.as_slice(), b"/placeholder/x\0yy"].concat();
        let found = Needles::new(b"/placeholder", &[]).look(bytes.as_slice(), |_| {}).unwrap();
        let second = 13 + long.len() as u64;
        let words = vec![Words { at: vec![1, second], end: second + 14 }];
        assert_eq!(found.places, Some(Places::Binary(words)));
    }
}
