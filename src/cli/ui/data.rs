//! The only two functions that write to the program's streams.

use std::io::{ErrorKind, Write as _};

use crate::base::FsError;

/// Writes data to standard output. A reader that went away is no error.
///
/// # Errors
/// When it cannot be written: data that was asked for and is cut short may not look like success.
pub(in crate::cli) fn data(text: &str) -> Result<(), FsError> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(FsError::new("write to", "standard output", error)),
        _ => Ok(()),
    }
}

/// Says something on standard error.
pub(in crate::cli) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
