//! What an archive and an environment say of themselves, checked.

use std::path::Path;

use super::error::UnpackError;
use crate::{
    base::Digest,
    tree::{Digests, FILES, FORMAT, HEADER, Header, LINKS, NEEDS, PLACES, Relocation, is_placeholder},
};

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
