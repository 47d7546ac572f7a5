//! Reads the entries of an archive that nobody vouches for, and lets pass only what an environment needs.

use std::io::{self, Read};

/// One entry that may be written to disk.
pub(super) struct Member<'a> {
    /// The name, relative, without empty, `.` and `..` parts.
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    /// Gives the content.
    pub(super) data: Box<dyn Read + 'a>,
}

/// What matters of a file beside its name and content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileInfo {
    pub(super) executable: bool,
    /// Seconds since 1970.
    pub(super) modified: u64,
    /// The content's length in bytes.
    pub(super) size: u64,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File(FileInfo),
    /// A symbolic link with its target.
    Link(Vec<u8>),
}

/// Why there is no next entry.
#[derive(Debug)]
pub(super) enum Fault {
    /// The stream cannot be read or is no archive.
    Stream(io::Error),
    /// An entry that no archive of ours holds.
    Entry { name: Vec<u8>, why: &'static str },
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Stream(error)
    }
}

/// Names and targets longer than this are not read; Linux has paths of at most 4096 bytes.
const LONGEST_NAME: u64 = 8192;

/// The next entry, or nothing at the end of the archive. `entries` must be raw.
pub(super) fn next<'a, R: Read>(entries: &mut tar::Entries<'a, R>) -> Result<Option<Member<'a>>, Fault> {
    let mut long_name = None;
    let mut long_target = None;
    loop {
        let Some(entry) = entries.next() else {
            return match (long_name, long_target) {
                (None, None) => Ok(None),
                _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            };
        };
        let mut data = entry?;
        let header = data.header().clone();
        let slot = match header.entry_type() {
            tar::EntryType::GNULongName => &mut long_name,
            tar::EntryType::GNULongLink => &mut long_target,
            kind => {
                let name = long_name.unwrap_or_else(|| header.path_bytes().into_owned());
                let target = long_target.or_else(|| header.link_name_bytes().map(|target| target.into_owned()));
                let executable = header.mode()? & 0o111 != 0;
                let info = FileInfo { executable, modified: header.mtime()?, size: data.size() };
                let kind = match what(kind, target, info) {
                    Ok(kind) => kind,
                    Err(why) => return Err(Fault::Entry { name, why }),
                };
                let clean = match clean(&name) {
                    Ok(clean) => clean,
                    Err(why) => return Err(Fault::Entry { name, why }),
                };
                return Ok(Some(Member { name: clean, kind, data: Box::new(data) }));
            }
        };
        if slot.is_some() || data.size() > LONGEST_NAME {
            let why = "has a name too long for any file system";
            return Err(Fault::Entry { name: header.path_bytes().into_owned(), why });
        }
        let mut text = Vec::new();
        data.read_to_end(&mut text)?;
        if text.last() == Some(&0) {
            text.pop();
        }
        *slot = Some(text);
    }
}

fn what(kind: tar::EntryType, target: Option<Vec<u8>>, info: FileInfo) -> Result<Kind, &'static str> {
    match kind {
        tar::EntryType::Regular => Ok(Kind::File(info)),
        tar::EntryType::Directory => Ok(Kind::Folder),
        tar::EntryType::Symlink => match target {
            Some(target) if !target.is_empty() && !target.contains(&0) => Ok(Kind::Link(target)),
            _ => Err("is a symbolic link to nothing"),
        },
        tar::EntryType::Link => Err("is a hard link"),
        tar::EntryType::Char | tar::EntryType::Block => Err("is a device"),
        tar::EntryType::Fifo => Err("is a named pipe"),
        _ => Err("is of a kind that environments do not hold"),
    }
}

/// Drops `.` parts and the slash that ends a folder's name; refuses whatever could lead out of the destination.
fn clean(name: &[u8]) -> Result<Vec<u8>, &'static str> {
    if name.starts_with(b"/") {
        return Err("has an absolute name");
    }
    if name.contains(&0) {
        return Err("has a NUL byte in its name");
    }
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    if parts.contains(&b"..".as_slice()) {
        return Err("leads out of the destination");
    }
    if parts.is_empty() {
        return Err("has no name");
    }
    Ok(parts.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn names_stay_inside() {
        assert_eq!(clean(b"./a//b/./c/").unwrap(), b"a/b/c");
        for bad in [&b"/etc/passwd"[..], b"../x", b"a/../../x", b"a/..", b"", b"./", b"a\0b"] {
            assert!(clean(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
