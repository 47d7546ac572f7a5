//! What a path of the command line is, where a command takes something else: the error says which command is right.

use std::path::Path;

use super::project::UsageError;
use crate::{archive, image};

/// What the commands take that look after environments.
pub(super) const ENVIRONMENT: &str = "an environment";

/// Fails when there is nothing at a path, or a file: `command` takes the folder of what is `wanted`. What is in a folder is for
/// the command to see.
pub(super) fn require_folder(path: &Path, command: &'static str, wanted: &'static str) -> Result<(), UsageError> {
    match path.metadata() {
        Err(_) => Err(UsageError::NothingThere(path.to_owned())),
        Ok(it) if it.is_dir() => Ok(()),
        Ok(_) if is_archive(path) => Err(UsageError::AnArchive { path: path.to_owned(), command, wanted }),
        Ok(_) => Err(UsageError::AFile { path: path.to_owned(), command, wanted }),
    }
}

fn is_archive(path: &Path) -> bool {
    image::is_bundle(path) || archive::format_of(path).is_ok()
}
