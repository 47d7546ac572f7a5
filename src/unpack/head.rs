//! What an archive begins with, read and checked, and its end.

use std::{
    fs::File,
    io::{BufReader, ErrorKind, Read as _},
    path::Path,
};

use super::{
    error::UnpackError,
    members::{self, Fault, FileInfo, Kind, Member},
};
use crate::{
    base::Digest,
    tree::{Digests, FORMAT, HEAD, Header, Relocation, is_placeholder},
};

/// The longest list that is read into memory, in bytes: two million files.
const LONGEST_LIST: u64 = 256 << 20;

pub(super) type Stream = zstd::Decoder<'static, BufReader<File>>;

/// What stands first.
pub(super) struct Head {
    pub(super) header: Header,
    pub(super) relocation: Relocation,
    /// A digest of every entry.
    pub(super) digests: Digests,
    /// The contents and times of the files among [`HEAD`], nothing for its folders.
    pub(super) contents: Vec<Option<(Vec<u8>, u64)>>,
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
        UnpackError::NotAnArchive { path: self.archive.to_owned(), reason: reason.into() }
    }

    pub(super) fn next<'a>(
        &self,
        entries: &mut tar::Entries<'a, Stream>,
    ) -> Result<Option<Member<'a, Stream>>, UnpackError> {
        members::next(entries).map_err(|fault| match fault {
            Fault::Stream(source) => self.damaged(source),
            Fault::Entry { name, why } => {
                UnpackError::Refused { path: self.archive.to_owned(), entry: name.escape_ascii().to_string(), why }
            }
        })
    }

    /// Reads the entries with which every archive begins.
    pub(super) fn head<'a>(&self, entries: &mut tar::Entries<'a, Stream>) -> Result<Head, UnpackError> {
        let mut contents = Vec::new();
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
            let Member { kind, info: FileInfo { modified, size, .. }, mut data, .. } = member;
            contents.push(match kind {
                Kind::Folder => None,
                Kind::File if size <= LONGEST_LIST => {
                    let mut bytes = Vec::new();
                    data.read_to_end(&mut bytes).map_err(|error| self.damaged(error))?;
                    if bytes.len() as u64 != size {
                        return Err(self.damaged(ErrorKind::UnexpectedEof.into()));
                    }
                    Some((bytes, modified))
                }
                Kind::File | Kind::Link(_) => return Err(self.strange(format!("`{name}` is no list"))),
            });
        }
        let [None, None, Some(header), rest @ ..] = contents.as_slice() else {
            return Err(self.strange("its first entries are not two folders and a file"));
        };
        // A later format may have other keys: the number is looked at first.
        let value: serde_json::Value =
            serde_json::from_slice(&header.0).map_err(|error| self.strange(error.to_string()))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(FORMAT) => {}
            Some(found) => return Err(UnpackError::Format { path: self.archive.to_owned(), found, known: FORMAT }),
            None => return Err(self.strange("it names no format")),
        }
        let header: Header = serde_json::from_value(value).map_err(|error| self.strange(error.to_string()))?;
        if !is_placeholder(&header.placeholder) {
            return Err(UnpackError::Placeholder(header.placeholder));
        }
        let [Some(_), Some(files), Some(places), Some(_), Some(links), Some(_)] = rest else {
            return Err(self.strange("its lists are no files"));
        };
        let malformed = || self.strange("its lists of files are malformed");
        if Digest::of(&files.0) != header.tree {
            return Err(self.strange("its list of digests is not the one that it names"));
        }
        let digests = Digests::parse(&files.0).ok_or_else(malformed)?;
        let canonical = header.placeholder.len();
        let relocation = Relocation::parse(&places.0, &links.0, canonical, &digests).ok_or_else(malformed)?;
        Ok(Head { header, relocation, digests, contents })
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
