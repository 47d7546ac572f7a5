//! How an environment is packed.

use super::{
    check::check_once,
    error::ManifestError,
    model::Environment,
    problems::{Problems, clip},
};

/// The format that an environment is packed into when nothing is said.
pub const DEFAULT_PACK_FORMAT: &str = "tar.zst";

/// The formats that an environment can be packed into, as they stand in the manifest and at the end of a file's name.
pub const PACK_FORMATS: [&str; 11] = [
    DEFAULT_PACK_FORMAT,
    "tar.gz",
    "tar.bz2",
    "tar.xz",
    "tar",
    "zip",
    "squashfs",
    "bundle",
    "sh",
    "folder",
    "bundle-folder",
];

/// The format that is mounted where it is to be used, so that its place must be known beforehand.
const MOUNTED: &str = "squashfs";

/// Checks the keys `pack` and `dest-prefix`.
pub(super) fn check_packs(environment: &Environment, problems: &mut Problems) {
    let name = clip(&environment.name.value);
    let formats = environment.pack.as_deref().unwrap_or_default();
    check_once(&format!("`pack` in [environments.{name}]"), formats, problems);
    for format in formats {
        let at = format.span.clone().into();
        if !PACK_FORMATS.contains(&format.value.as_str()) {
            let help = problems.help(&format.value, "the formats", PACK_FORMATS.iter().copied(), "");
            problems.push(ManifestError::UnknownPack { format: clip(&format.value), help, at });
        } else if format.value == MOUNTED && environment.dest_prefix.is_none() {
            problems.push(ManifestError::NoDestPrefix { format: clip(&format.value), at });
        }
    }
    if let Some(prefix) = environment.dest_prefix.as_ref().filter(|it| !is_dest_prefix(&it.value)) {
        let at = prefix.span.clone().into();
        problems.push(ManifestError::DestPrefix { prefix: clip(&prefix.value), at });
    }
}

/// Whether a path is absolute, and written as the files of an environment are to name it.
pub fn is_dest_prefix(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..")))
}
