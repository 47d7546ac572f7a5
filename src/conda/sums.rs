//! What a written file is known by: its size and its digests.

use std::{
    io::{self, Read},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use rattler_digest::{Sha256, digest::Digest as _};

use crate::base::Digest;

/// The size of a file and the digests of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// How many bytes it has.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits, as it stands in checksum files.
    pub sha256: String,
    /// Its blake3 digest.
    pub digest: Digest,
}

/// Sums of what has passed until now.
#[derive(Debug, Default)]
pub struct Summing {
    bytes: u64,
    sha256: Sha256,
    blake3: blake3::Hasher,
}

impl Summing {
    /// Adds what comes next.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sha256.update(bytes);
        self.blake3.update(bytes);
    }

    /// The sums of everything.
    pub fn finish(self) -> Sums {
        Sums { bytes: self.bytes, sha256: hex::encode(self.sha256.finalize()), digest: self.blake3.into() }
    }
}

impl Sums {
    /// The sums of what a reader gives until its end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(mut reader: impl Read) -> io::Result<Self> {
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
