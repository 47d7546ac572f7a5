//! Reads one file once: its digest, and where it may name the prefix.

use std::{
    io::{self, Read},
    sync::Arc,
};

use memchr::memmem::Finder;
use rattler_digest::{Sha256, Sha256Hash, digest::Digest as _};

use super::spelling::{AFTER, BEFORE, Before, Spellings, before, is_end};
use crate::{
    base::with_buffer,
    tree::{MARKS, Seeing, Seen, Spare},
};

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) sha256: Sha256Hash,
    /// Whether there is a NUL byte, which texts do not have.
    pub(super) nul: bool,
    /// The strings that hold the prefix. A file without NUL bytes is one string.
    pub(super) strings: Vec<Text>,
    /// The beginning of a script, an ELF file or an archive of object files.
    pub(super) beginning: Vec<u8>,
    /// What others may want to know of the file as it is.
    pub(super) seen: Option<Arc<Seen>>,
}

/// A string that ends with a NUL byte or with the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) hits: Vec<Hit>,
    /// Where it ends, in bytes from the beginning of the file.
    pub(super) end: u64,
    /// How many NUL bytes stand there in a row; none at the end of the file.
    pub(super) zeros: u64,
}

/// A place where one of the spellings stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    /// Where, in bytes from the beginning of the file.
    pub(super) at: u64,
    /// Which spelling.
    pub(super) spelling: usize,
    pub(super) before: Before,
    /// Whether the path ends there, or goes on with `/`.
    pub(super) whole: bool,
}

const PIECE: usize = 256 * 1024;
/// How much is kept of the beginning of a script, and of other files.
const LINE: usize = 2048;
const HEAD: usize = 20;
/// What files begin with whose beginning matters.
const KINDS: [&[u8]; 3] = [b"#!", b"\x7fELF", b"!<arch>\n"];
/// As long as the longest mark at least.
const MARK: usize = 32;

/// Finds the spellings of a prefix in files.
pub(super) struct Scanner<'a> {
    finders: Vec<Finder<'a>>,
    longest: usize,
    marks: Vec<Finder<'static>>,
    absent: Arc<[Vec<u8>]>,
    spare: Spare,
}

impl<'a> Scanner<'a> {
    /// Looks for these spellings in about so many files.
    pub(super) fn new(spellings: &'a Spellings, files: usize) -> Self {
        Self {
            finders: spellings.0.iter().map(|it| Finder::new(&it[..])).collect(),
            longest: spellings.longest(),
            marks: MARKS.iter().map(Finder::new).collect(),
            absent: MARKS.iter().map(|it| it.as_bytes().to_vec()).collect(),
            spare: Spare::beside(files),
        }
    }

    /// Reads everything; `size` is how many bytes it should have.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn scan(&self, reader: impl Read, size: u64) -> io::Result<(Scan, Seen)> {
        let margin = BEFORE + self.longest.max(MARK) + AFTER;
        let seeing = Seeing::begin(size, &self.spare);
        with_buffer(PIECE + margin, |buffer| self.scan_with(buffer, reader, seeing))
    }

    /// Reads everything, and looks for nothing but the marks of placeholders; `size` is how many bytes it should have.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn glance(&self, mut reader: impl Read, size: u64) -> io::Result<Seen> {
        with_buffer(PIECE + MARK, |buffer| {
            let (mut seeing, mut marked, mut kept) = (Seeing::begin(size, &self.spare), false, 0);
            loop {
                let read = match reader.read(&mut buffer[kept..]) {
                    Ok(0) => return Ok(self.seen(seeing, marked)),
                    Ok(read) => read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                seeing.see(&buffer[kept..kept + read]);
                let filled = kept + read;
                marked = marked || self.is_marked(&buffer[..filled]);
                kept = filled.min(MARK);
                buffer.copy_within(filled - kept..filled, 0);
            }
        })
    }

    fn is_marked(&self, window: &[u8]) -> bool {
        self.marks.iter().any(|mark| mark.find(window).is_some())
    }

    fn seen(&self, seeing: Seeing, marked: bool) -> Seen {
        seeing.done(if marked { [].into() } else { Arc::clone(&self.absent) })
    }

    fn scan_with(&self, buffer: &mut [u8], mut reader: impl Read, mut seeing: Seeing) -> io::Result<(Scan, Seen)> {
        let mut scan = Scan::default();
        let mut sha256 = Sha256::new();
        let mut strings = Strings::default();
        let mut marked = false;
        // Where the window begins in the file, how much of it is filled, and how far it was searched.
        let (mut base, mut filled, mut searched) = (0u64, 0, 0);
        loop {
            let read = match reader.read(&mut buffer[filled..]) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            sha256.update(&buffer[filled..filled + read]);
            keep_beginning(&mut scan.beginning, &buffer[filled..filled + read]);
            seeing.see(&buffer[filled..filled + read]);
            filled += read;
            let window = &buffer[..filled];
            // Whatever was seen of the window before, a mark may begin in it and go on now.
            let fresh = filled.saturating_sub(read + MARK);
            marked = marked || self.is_marked(&window[fresh..]);
            // What stands further back may still go on beyond the window.
            let sure = if read == 0 { filled } else { filled.saturating_sub(self.longest + AFTER) };
            for (at, spelling) in self.places(window, searched, sure) {
                if at > searched {
                    strings.plain(&window[searched..at], base + searched as u64);
                }
                let end = at + self.finders[spelling].needle().len();
                let whole = is_end(&window[end..]);
                strings.hit(Hit { at: base + at as u64, spelling, before: before(&window[..at]), whole });
                searched = end;
            }
            if sure > searched {
                strings.plain(&window[searched..sure], base + searched as u64);
                searched = sure;
            }
            if read == 0 {
                scan.sha256 = sha256.finalize();
                scan.nul = strings.nul;
                scan.strings = strings.finish(base + filled as u64);
                if !KINDS.iter().any(|kind| scan.beginning.starts_with(kind)) {
                    scan.beginning = Vec::new();
                }
                return Ok((scan, self.seen(seeing, marked)));
            }
            let keep = (filled - searched.min(filled) + BEFORE).min(filled);
            buffer.copy_within(filled - keep..filled, 0);
            base += (filled - keep) as u64;
            searched -= filled - keep;
            filled = keep;
        }
    }

    /// Where spellings begin from `from` up to `to`, the longest where two begin at once, and none inside another.
    fn places(&self, window: &[u8], from: usize, to: usize) -> Vec<(usize, usize)> {
        let mut all: Vec<(usize, usize)> = Vec::new();
        for (spelling, finder) in self.finders.iter().enumerate() {
            let found = finder.find_iter(&window[from.min(window.len())..]).map(|at| (at + from, spelling));
            all.extend(found.take_while(|(at, _)| *at < to));
        }
        if self.finders.len() > 1 {
            // The spellings are sorted by their lengths, the longest first.
            all.sort_unstable();
            let mut free = 0;
            all.retain(|(at, spelling)| {
                let is_free = *at >= free;
                if is_free {
                    free = at + self.finders[*spelling].needle().len();
                }
                is_free
            });
        }
        all
    }
}

fn keep_beginning(beginning: &mut Vec<u8>, piece: &[u8]) {
    let script = if beginning.is_empty() { piece.starts_with(b"#!") } else { beginning.starts_with(b"#!") };
    let room = if script { LINE } else { HEAD }.saturating_sub(beginning.len());
    beginning.extend_from_slice(&piece[..room.min(piece.len())]);
}

/// The strings that hold the prefix, as they come by.
#[derive(Debug, Default)]
struct Strings {
    nul: bool,
    open: bool,
    /// Whether the NUL bytes at the end of the last string are being counted.
    counting: bool,
    done: Vec<Text>,
}

impl Strings {
    /// Bytes without the prefix.
    fn plain(&mut self, mut bytes: &[u8], mut offset: u64) {
        if self.open
            && let Some(at) = memchr::memchr(0, bytes)
        {
            self.nul = true;
            self.open = false;
            self.counting = true;
            offset += at as u64;
            bytes = &bytes[at..];
            if let Some(text) = self.done.last_mut() {
                text.end = offset;
            }
        }
        if self.counting {
            let zeros = bytes.iter().position(|byte| *byte != 0);
            if let Some(text) = self.done.last_mut() {
                text.zeros += zeros.unwrap_or(bytes.len()) as u64;
            }
            self.counting = zeros.is_none();
        }
        self.nul = self.nul || memchr::memchr(0, bytes).is_some();
    }

    fn hit(&mut self, hit: Hit) {
        self.counting = false;
        match self.done.last_mut() {
            Some(text) if self.open => text.hits.push(hit),
            _ => self.done.push(Text { hits: vec![hit], end: 0, zeros: 0 }),
        }
        self.open = true;
    }

    fn finish(mut self, size: u64) -> Vec<Text> {
        if self.open
            && let Some(text) = self.done.last_mut()
        {
            text.end = size;
        }
        self.done
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, sync::Arc};

    use super::{Before, PIECE, Scanner, Spellings};

    fn spellings(texts: &[&str]) -> Spellings {
        Spellings(texts.iter().map(|it| Arc::from(it.as_bytes())).collect())
    }

    #[test]
    fn strings_are_found_with_their_room() {
        let two = spellings(&["/home/me/e", "/opt/e"]);
        let bytes = b"\x7fELF\0/opt/e/lib:/home/me/e/x\0\0\0\0y\0/opt/e2\0z/opt/e";
        let scan = Scanner::new(&two, 1).scan(&bytes[..], bytes.len() as u64).unwrap().0;
        assert!(scan.nul && scan.beginning.starts_with(b"\x7fELF"));
        let found: Vec<_> = scan.strings.iter().map(|it| (it.hits.len(), it.end, it.zeros)).collect();
        assert_eq!(found, [(2, 28, 4), (1, 41, 1), (1, 49, 0)]);
        let hits: Vec<_> =
            scan.strings.iter().flat_map(|it| &it.hits).map(|it| (it.at, it.spelling, it.whole)).collect();
        assert_eq!(hits, [(5, 1, true), (16, 0, true), (34, 1, false), (43, 1, true)]);
        assert_eq!(scan.strings[2].hits[0].before, Before::Glued);
        assert_eq!(hex::encode(scan.sha256), hex::encode(rattler_digest::compute_bytes_digest::<super::Sha256>(bytes)));
    }

    /// Gives a few bytes at a time.
    struct Slowly<'a>(&'a [u8], usize);

    impl Read for Slowly<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn it_does_not_matter_how_the_bytes_come() {
        let two = spellings(&["/home/me/e", "/opt/e"]);
        let scanner = Scanner::new(&two, 1);
        for at in [0, 1, 300, PIECE - 3, PIECE, PIECE + 280, 2 * PIECE + 560] {
            let mut bytes = vec![b' '; at];
            bytes.extend_from_slice(b"/opt/e/a:/home/me/e\0\0\0");
            bytes.resize(bytes.len() + PIECE, 0);
            bytes.extend_from_slice(b"/opt/e.x");
            let whole = scanner.scan(&bytes[..], bytes.len() as u64).unwrap();
            let found: Vec<_> = whole.0.strings.iter().map(|it| (it.hits[0].at, it.end, it.zeros)).collect();
            let (end, last) = (at as u64 + 19, at as u64 + 22 + PIECE as u64);
            assert_eq!(found, [(at as u64, end, PIECE as u64 + 3), (last, last + 8, 0)]);
            assert!(!whole.0.strings[1].hits[0].whole);
            for step in [1, 7, 1000] {
                if step > 1 || at < PIECE {
                    assert_eq!(
                        scanner.scan(Slowly(&bytes, step), bytes.len() as u64).unwrap(),
                        whole,
                        "{at} by {step}"
                    );
                }
            }
        }
    }
}
