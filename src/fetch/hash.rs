//! The hashes that a recipe gives, and those of a file.

use std::{io, path::Path};

use rattler_digest::{Md5, Sha256, digest::Digest as _};

use super::{FetchError, SourceRef};
use crate::base::FsError;

/// What a source's file must hash to.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    pub(super) sha256: Option<String>,
    pub(super) md5: Option<String>,
}

/// What a file hashes to.
pub(super) struct Found {
    pub(super) sha256: String,
    md5: String,
}

impl Expected {
    /// Reads the hashes of a source.
    pub(super) fn of(source: &SourceRef, url: &str) -> Result<Self, FetchError> {
        let read = |kind, text: &Option<String>, digits| {
            let Some(text) = text else { return Ok(None) };
            if text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Ok(Some(text.to_ascii_lowercase()));
            }
            Err(FetchError::BadHash { url: url.to_owned(), kind, text: text.clone(), digits })
        };
        Ok(Self { sha256: read("sha256", &source.sha256, 64)?, md5: read("md5", &source.md5, 32)? })
    }

    /// Whether the recipe gives no hash at all.
    pub(super) fn is_none(&self) -> bool {
        self.sha256.is_none() && self.md5.is_none()
    }

    /// Compares; on a difference gives the expected and the found hash, each with its kind.
    pub(super) fn check(&self, found: &Found) -> Result<(), (String, String)> {
        let pairs = [("sha256", &self.sha256, &found.sha256), ("md5", &self.md5, &found.md5)];
        for (kind, expected, found) in pairs {
            if let Some(expected) = expected
                && expected != found
            {
                return Err((format!("{kind} {expected}"), format!("{kind} {found}")));
            }
        }
        Ok(())
    }
}

impl Found {
    /// Reads a file once for both hashes.
    pub(super) fn in_file(path: &Path) -> Result<Self, FsError> {
        struct Both(Sha256, Md5);
        impl io::Write for Both {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.update(bytes);
                self.1.update(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let fail = |source| FsError::new("read", path, source);
        let mut file = std::fs::File::open(path).map_err(fail)?;
        let mut both = Both(Sha256::new(), Md5::new());
        io::copy(&mut file, &mut both).map_err(fail)?;
        Ok(Self { sha256: hex::encode(both.0.finalize()), md5: hex::encode(both.1.finalize()) })
    }
}
