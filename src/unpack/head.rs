//! What an archive begins with, read and checked, and its end.

use std::{
    fs::File,
    io::{BufReader, ErrorKind, Read as _},
    path::Path,
};

use super::{
    error::UnpackError,
    members::{self, Fault, Kind, Member},
};
use crate::{
    base::Digest,
    tree::{Digests, FILES, FORMAT, HEAD, HEADER, Header, LINKS, NEEDS, PLACES, Relocation, is_placeholder},
};

/// How long all lists together may be, in bytes: they are held in memory. A tree of half a million files has 60 MB.
const LONGEST_LISTS: u64 = 96 << 20;

pub(super) type Stream = zstd::Decoder<'static, BufReader<File>>;

/// What stands first.
pub(super) struct Head {
    pub(super) header: Header,
    pub(super) relocation: Relocation,
    /// A digest of every entry.
    pub(super) digests: Digests,
    /// The entries of [`HEAD`]: the contents and times of files, nothing for folders.
    pub(super) contents: Vec<(&'static str, Option<Content>)>,
}

/// One of the files that stand first.
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) executable: bool,
    pub(super) modified: u64,
}

impl Head {
    /// What the environment needs of a machine.
    pub(super) fn needs(&self) -> Option<&[u8]> {
        let content = self.contents.iter().find(|(name, _)| *name == NEEDS)?;
        content.1.as_ref().map(|content| content.bytes.as_slice())
    }

    /// Reads what the files hold; the text says what is wrong with them.
    pub(super) fn parse(contents: Vec<(&'static str, Option<Content>)>) -> Result<Self, Strange> {
        let bytes = |wanted: &str| {
            let content = contents.iter().find(|(name, _)| *name == wanted);
            content.and_then(|(_, content)| content.as_ref()).map(|content| content.bytes.as_slice())
        };
        let list = |name: &str| bytes(name).ok_or_else(|| Strange::Reason(format!("`{name}` is not there")));
        // A later format may have other keys: the number is looked at first.
        let json = |error: serde_json::Error| Strange::Reason(error.to_string());
        let value: serde_json::Value = serde_json::from_slice(list(HEADER)?).map_err(json)?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(FORMAT) => {}
            Some(found) => return Err(Strange::Format(found)),
            None => return Err(Strange::Reason("it names no format".to_owned())),
        }
        let header: Header = serde_json::from_value(value).map_err(json)?;
        if !is_placeholder(&header.placeholder) {
            return Err(Strange::Placeholder(header.placeholder));
        }
        let malformed = || Strange::Reason("its lists of files are malformed".to_owned());
        let files = list(FILES)?;
        if Digest::of(files) != header.tree {
            return Err(Strange::Reason("its list of digests is not the one that it names".to_owned()));
        }
        let digests = Digests::parse(files).ok_or_else(malformed)?;
        if digests.counts() != header.holds {
            return Err(Strange::Reason("its list of digests does not count what it says".to_owned()));
        }
        let canonical = header.placeholder.len();
        let relocation = Relocation::parse(list(PLACES)?, list(LINKS)?, canonical, &digests).ok_or_else(malformed)?;
        Ok(Self { header, relocation, digests, contents })
    }
}

/// The list of digests cannot hold its own, nor that of the file that holds the list's.
pub(super) fn is_beside_the_list(name: &[u8]) -> bool {
    [HEADER, FILES].iter().any(|it| it.as_bytes() == name)
}

/// What is wrong with what stands first.
pub(super) enum Strange {
    Reason(String),
    Format(u64),
    Placeholder(String),
}

impl Strange {
    /// As an error about a file.
    pub(super) fn about(self, path: &Path) -> UnpackError {
        let path = path.to_owned();
        match self {
            Self::Reason(reason) => UnpackError::NotAnArchive { path, reason },
            Self::Format(found) => UnpackError::Format { path, found, known: FORMAT },
            Self::Placeholder(text) => UnpackError::Placeholder(text),
        }
    }
}

/// Reads an archive, and says what is wrong with it.
pub(super) struct Reader<'a> {
    pub(super) archive: &'a Path,
}

impl Reader<'_> {
    pub(super) fn damaged(&self, source: std::io::Error) -> UnpackError {
        UnpackError::Damaged { path: self.archive.to_owned(), source }
    }

    fn strange(&self, reason: impl Into<String>) -> UnpackError {
        Strange::Reason(reason.into()).about(self.archive)
    }

    pub(super) fn next<'a>(&self, entries: &mut tar::Entries<'a, Stream>) -> Result<Option<Member<'a>>, UnpackError> {
        members::next(entries).map_err(|fault| match fault {
            Fault::Stream(source) => self.damaged(source),
            Fault::Entry { name, why } => {
                UnpackError::Refused { path: self.archive.to_owned(), entry: name.escape_ascii().to_string(), why }
            }
        })
    }

    /// Reads the entries with which every archive begins.
    pub(super) fn head(&self, entries: &mut tar::Entries<'_, Stream>) -> Result<Head, UnpackError> {
        let mut contents = Vec::new();
        let mut room = LONGEST_LISTS;
        for name in HEAD {
            // Whatever is wrong here, most likely the file is something else.
            let member = match members::next(entries) {
                Ok(Some(member)) if member.name == name.as_bytes() => member,
                Ok(Some(member)) => {
                    return Err(self.strange(format!("`{}` stands first", member.name.escape_ascii())));
                }
                Ok(None) => return Err(self.strange(format!("it ends before `{name}`"))),
                Err(Fault::Stream(error)) => return Err(self.strange(error.to_string())),
                Err(Fault::Entry { name, why }) => {
                    return Err(self.strange(format!("the entry `{}` {why}", name.escape_ascii())));
                }
            };
            let Member { kind, mut data, .. } = member;
            let content = match kind {
                Kind::Folder => None,
                Kind::File(info) if info.size <= room => {
                    room -= info.size;
                    let mut bytes = Vec::new();
                    data.read_to_end(&mut bytes).map_err(|error| self.damaged(error))?;
                    if bytes.len() as u64 != info.size {
                        return Err(self.damaged(ErrorKind::UnexpectedEof.into()));
                    }
                    Some(Content { bytes, executable: info.executable, modified: info.modified })
                }
                Kind::File(_) => return Err(self.strange("its lists are too long")),
                Kind::Link(_) => return Err(self.strange(format!("`{name}` is no list"))),
            };
            contents.push((name, content));
        }
        Head::parse(contents).map_err(|strange| strange.about(self.archive))
    }

    /// Reads to the end, so that the checksum is verified. After the last entry stand blocks of zeros; without them the
    /// archive was cut between two entries.
    pub(super) fn end(&self, mut stream: Stream) -> Result<(), UnpackError> {
        let mut zeros = 0;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.damaged(error)),
            };
            if buffer[..read].iter().any(|byte| *byte != 0) {
                return Err(self.damaged(std::io::Error::other("something follows the last entry")));
            }
            zeros += read;
        }
        // `tar` has consumed the first of the two blocks.
        if zeros < 512 {
            return Err(self.damaged(ErrorKind::UnexpectedEof.into()));
        }
        Ok(())
    }
}
