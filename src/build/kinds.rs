//! Refuses what no package can hold: named pipes, sockets and devices.
//!
//! The library copies them as if they were files. From a pipe nobody writes to, it would read for ever.

use std::{collections::HashSet, os::unix::fs::FileTypeExt as _, path::PathBuf};

use rattler_build::{
    metadata::Output,
    packaging::{Files, read_package_files_list},
};

use crate::base::FsError;

/// Looks at what will be packaged. The inner error is the reason why that cannot be.
pub(super) fn check(output: &Output, installed: &HashSet<PathBuf>) -> Result<Result<(), String>, FsError> {
    let prefix = &output.build_configuration.directories.host_prefix;
    let mut found: Vec<String> = packaged(output, installed)?
        .iter()
        .filter_map(|file| Some((file, kind(file)?)))
        .map(|(file, kind)| format!("`{}` is {kind}", file.strip_prefix(prefix).unwrap_or(file).display()))
        .collect();
    found.sort();
    Ok(if found.is_empty() { Ok(()) } else { Err(found.join(", ")) })
}

/// The files that will be packaged, as far as they are in the prefix now: what the script wrote and the recipe did not
/// leave out.
pub(super) fn packaged(output: &Output, installed: &HashSet<PathBuf>) -> Result<HashSet<PathBuf>, FsError> {
    let directories = &output.build_configuration.directories;
    let prefix = &directories.host_prefix;
    let (build, listed) = (output.recipe.build(), directories.package_files_list_path());
    let list = read_package_files_list(&listed).map_err(|source| FsError::new("read", &listed, source))?;
    // A list that names what is not there is the library's to refuse.
    let files = match list {
        Some(list) => Files::from_paths(prefix, list, &build.always_include_files, build.files.as_ref()).ok(),
        None => {
            let files = Files::from_prefix(prefix, &build.always_include_files, build.files.as_ref(), Some(installed));
            Some(files.map_err(|source| FsError::new("list", prefix, source))?)
        }
    };
    Ok(files.map(|it| it.new_files).unwrap_or_default())
}

fn kind(file: &std::path::Path) -> Option<&'static str> {
    let kind = file.symlink_metadata().ok()?.file_type();
    if kind.is_fifo() {
        Some("a named pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else if kind.is_block_device() || kind.is_char_device() {
        Some("a device")
    } else {
        None
    }
}
