//! What a written file is known by: its size and its digest.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use rattler_digest::{Sha256, digest::Digest as _};

use crate::base::FsError;

/// The size of a file and the digest of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// How many bytes it has.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits, as it stands in checksum files.
    pub sha256: String,
}

/// Sums of what has passed until now.
#[derive(Debug, Default)]
pub struct Summing {
    bytes: u64,
    sha256: Sha256,
}

impl Summing {
    /// Adds what comes next.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sha256.update(bytes);
    }

    /// The sums of everything.
    pub fn finish(self) -> Sums {
        Sums { bytes: self.bytes, sha256: hex::encode(self.sha256.finalize()) }
    }
}

impl Sums {
    /// The sums of a file.
    ///
    /// # Errors
    /// When it cannot be read; the error names it.
    pub fn of_file(path: &Path) -> Result<Self, FsError> {
        File::open(path).and_then(Self::of).map_err(|source| FsError::new("read", path, source))
    }

    /// The sums of what a reader gives until its end.
    ///
    /// # Errors
    /// When it cannot be read.
    fn of(mut reader: impl Read) -> io::Result<Self> {
        let mut summing = Summing::default();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(summing.finish()),
                Ok(read) => summing.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The line that `sha256sum --check` reads beside a file. `sha256` has hexadecimal digits.
pub fn checksum_line(file: &Path, sha256: &str) -> Vec<u8> {
    let name = file.file_name().unwrap_or_default().as_bytes();
    [sha256.as_bytes(), b"  ", name, b"\n"].concat()
}
