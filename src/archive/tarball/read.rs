//! Reads tar archives that nobody vouches for.

use std::io::{self, Read};

use super::{
    header::{BLOCK, Parsed, parse},
    pax::Extra,
};
use crate::archive::{
    error::Fault,
    names,
    source::{Budget, FileInfo, Kind, Limits, Member, Source, executable},
};

/// Reads a tar archive from a stream.
pub(in crate::archive) struct TarSource<R> {
    content: Content<R>,
    budget: Budget,
    done: bool,
}

/// What is left of the content of the entry that was given last.
struct Content<R> {
    stream: R,
    left: u64,
    padding: u64,
}

impl<R: Read> Read for Content<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        match self.stream.read(&mut buffer[..wanted])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.left -= read as u64;
                Ok(read)
            }
        }
    }
}

impl<R: Read> Content<R> {
    fn expect(&mut self, size: u64) {
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
    }

    /// Goes to the next header.
    fn skip(&mut self) -> io::Result<()> {
        let skipped = self.left + std::mem::take(&mut self.padding);
        self.left = 0;
        match io::copy(&mut (&mut self.stream).take(skipped), &mut io::sink())? {
            copied if copied == skipped => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The next block, or nothing when it is all zeros.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        self.stream.read_exact(&mut block)?;
        Ok(block.iter().any(|byte| *byte != 0).then_some(block))
    }
}

/// Headers that may come before the one of the entry itself.
const MOST_EXTRA: usize = 6;
/// The bytes of an extended header.
const LONGEST_EXTRA: u64 = 64 << 10;
/// The zeros after an archive's end: GNU tar fills its last record, of which the largest usual one has so many bytes.
const MOST_ZEROS: u64 = 1 << 20;

impl<R: Read + Send> TarSource<R> {
    pub(in crate::archive) fn new(stream: R, limits: Limits) -> Self {
        Self { content: Content { stream, left: 0, padding: 0 }, budget: Budget::new(limits), done: false }
    }

    /// The text of an entry that only speaks of the next one.
    fn text(&mut self, header: &Parsed, longest: u64) -> Result<Vec<u8>, Fault> {
        if header.size > longest {
            return Err(Fault::entry(&header.name, "has a name too long for any file system"));
        }
        self.content.expect(header.size);
        let mut text = Vec::new();
        self.content.read_to_end(&mut text)?;
        Ok(text)
    }

    /// Makes sure that nothing but zeros comes after the end.
    fn end(&mut self) -> Result<(), Fault> {
        let after = || Fault::damaged("something comes after its end");
        if self.content.block()?.is_some() {
            return Err(after());
        }
        let mut rest = (&mut self.content.stream).take(MOST_ZEROS + 1);
        let mut buffer = [0; 8192];
        let mut zeros = 0;
        loop {
            match rest.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) if buffer[..read].iter().all(|byte| *byte == 0) => zeros += read as u64,
                Ok(_) => return Err(after()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        if zeros > MOST_ZEROS || zeros % BLOCK as u64 != 0 { Err(after()) } else { Ok(()) }
    }

    /// The entry that a header begins.
    fn member(&mut self, header: Parsed, extra: Extra) -> Result<Option<Member<'_>>, Fault> {
        let name = extra.name.unwrap_or(header.name);
        let fault = |why| Fault::entry(&name, why);
        let clean = names::clean(&name).map_err(fault)?;
        let size = extra.size.unwrap_or(header.size);
        let kind = match header.kind {
            // Old programs mark a folder by a slash alone, and a file by nothing.
            0 | b'0' | b'7' if name.ends_with(b"/") => Kind::Folder,
            0 | b'0' | b'7' => Kind::File(FileInfo {
                executable: executable(&name, header.mode)?,
                modified: extra.modified.unwrap_or(header.modified),
                size,
            }),
            b'2' => Kind::Link(names::target(extra.target.unwrap_or(header.target)).map_err(fault)?),
            b'5' => Kind::Folder,
            b'1' => return Err(fault("is a hard link")),
            b'3' | b'4' => return Err(fault("is a device")),
            b'6' => return Err(fault("is a named pipe")),
            b'S' => return Err(fault("is a sparse file, which is not read here")),
            _ => return Err(fault("is of a kind that environments do not hold")),
        };
        let content = if matches!(kind, Kind::File(_)) { size } else { 0 };
        if size > 0 && content == 0 {
            return Err(fault("has a content although it is no file"));
        }
        if clean.is_empty() && kind != Kind::Folder {
            return Err(fault("has no name"));
        }
        self.budget.take(content)?;
        self.content.expect(content);
        // The root itself is not an entry of it.
        Ok((!clean.is_empty()).then_some(Member { name: clean, kind, data: &mut self.content }))
    }

    /// The next header with what was said before it; nothing at the end.
    fn header(&mut self) -> Result<Option<(Parsed, Extra)>, Fault> {
        let mut extra = Extra::default();
        let mut extras = 0;
        loop {
            self.content.skip()?;
            let Some(block) = self.content.block()? else {
                if extras > 0 {
                    return Err(Fault::damaged("it ends where an entry should come"));
                }
                self.end()?;
                return Ok(None);
            };
            let header = parse(&block)?;
            let slot = match header.kind {
                b'L' => &mut extra.name,
                b'K' => &mut extra.target,
                b'x' | b'g' => {
                    let text = self.text(&header, LONGEST_EXTRA)?;
                    // What is said of all that follows is a comment or a default, of which none matters.
                    if header.kind == b'x' {
                        extra.read(&text)?;
                    }
                    extras += 1;
                    if extras > MOST_EXTRA {
                        return Err(Fault::damaged("headers follow each other without an entry"));
                    }
                    continue;
                }
                _ => return Ok(Some((header, extra))),
            };
            if slot.is_some() {
                return Err(Fault::entry(&header.name, "has two names"));
            }
            let mut text = self.text(&header, names::LONGEST as u64 + 1)?;
            if text.last() == Some(&0) {
                text.pop();
            }
            match header.kind {
                b'L' => extra.name = Some(text),
                _ => extra.target = Some(text),
            }
            extras += 1;
        }
    }
}

impl<R: Read + Send> Source for TarSource<R> {
    fn next(&mut self) -> Result<Option<Member<'_>>, Fault> {
        while !self.done {
            // Until it has come to its end well, it is over.
            self.done = true;
            let Some((header, extra)) = self.header()? else { break };
            let is_root = names::clean(extra.name.as_deref().unwrap_or(&header.name)).is_ok_and(|it| it.is_empty());
            if is_root {
                self.member(header, extra)?;
                self.done = false;
                continue;
            }
            self.done = false;
            return self.member(header, extra);
        }
        Ok(None)
    }
}
