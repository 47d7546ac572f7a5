//! The C library: every machine has one, and one that is new enough does.

use std::path::Path;

use crate::elf::{defined_versions, needed_versions};

/// What the GNU C library consists of, and the loaders of it and of musl, by how their names begin.
const PARTS: &[&str] = &[
    "ld-linux",
    "ld-musl-",
    "ld.so.",
    "ld64.so.",
    "libBrokenLocale.so.",
    "libanl.so.",
    "libc.musl-",
    "libc.so.",
    "libc_malloc_debug.so.",
    "libdl.so.",
    "libm.so.",
    "libmvec.so.",
    "libnsl.so.",
    "libnss_",
    "libpthread.so.",
    "libresolv.so.",
    "librt.so.",
    "libthread_db.so.",
    "libutil.so.",
    "linux-gate.so.",
    "linux-vdso.so.",
];

/// Whether a library of this name belongs to the C library.
pub fn is_c_library(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    PARTS.iter().any(|part| name.starts_with(part))
}

/// How versions of the C library's symbols begin.
const VERSION: &str = "GLIBC_";

/// The newest version of a part of the C library that a file needs, such as `2.34`.
pub(super) fn needed_version(file: &Path, name: &str) -> Option<String> {
    let needed = needed_versions(file).ok()?;
    newest(needed.into_iter().filter(|it| it.library == name).map(|it| it.version))
}

/// The newest version that a part of the C library has symbols of.
pub(super) fn defined_version(file: &Path) -> Option<String> {
    newest(defined_versions(file).ok()?.into_iter().map(|it| it.version))
}

/// The newest of several versions.
pub(super) fn newest(versions: impl Iterator<Item = String>) -> Option<String> {
    let plain = versions.map(|it| it.strip_prefix(VERSION).unwrap_or(&it).to_owned());
    plain.filter(|it| !numbers(it).is_empty()).max_by_key(|it| numbers(it))
}

/// Whether what is needed is newer than what is there.
pub(super) fn is_newer(needed: &str, there: &str) -> bool {
    numbers(needed) > numbers(there)
}

/// The numbers of a version; none when it is no version, as `GLIBC_PRIVATE` is not.
fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|it| it.parse().ok()).collect::<Option<_>>().unwrap_or_default()
}
