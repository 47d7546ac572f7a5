//! Versions of symbols: those of the C library, and of others.

use crate::{elf::SymbolVersion, ledger::is_c_library};

/// What the GNU C library calls the feature that came with 2.36: relocations of the kind `DT_RELR`.
const RELR: &str = "GLIBC_ABI_DT_RELR";

/// Whether a library is a part of the GNU C library, and not of another one.
pub(super) fn is_gnu(library: &str) -> bool {
    is_c_library(library) && !library.contains("musl")
}

/// The newest GNU C library that these versions ask for.
pub(super) fn newest(needed: &[SymbolVersion]) -> Option<String> {
    let of_libc = needed.iter().filter(|it| !it.weak && is_gnu(&it.library));
    let versions = of_libc.filter_map(|it| match it.version.as_str() {
        RELR => Some("2.36"),
        // `GLIBC_PRIVATE` is for the library's own parts.
        other => other.strip_prefix("GLIBC_").filter(|it| numbers(it).is_some()),
    });
    versions.max_by_key(|it| numbers(it)).map(str::to_owned)
}

/// The kind of symbols and the version, as `GLIBCXX` and `3.4.29`; nothing for versions that are no numbers.
pub(super) fn split(version: &str) -> Option<(&str, &str)> {
    version.rsplit_once('_').filter(|(name, version)| !name.is_empty() && numbers(version).is_some())
}

/// The numbers of a version, without zeros at its end; nothing when it is none.
pub(super) fn numbers(version: &str) -> Option<Vec<u64>> {
    let mut numbers: Vec<u64> = version.split('.').map(|it| it.parse().ok()).collect::<Option<_>>()?;
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    Some(numbers)
}

/// Whether what is there is too old; a version that cannot be understood never is.
pub(super) fn is_older(there: &str, needed: &str) -> bool {
    numbers(there).zip(numbers(needed)).is_some_and(|(there, needed)| there < needed)
}

#[cfg(test)]
mod tests {
    use super::{is_older, newest, split};
    use crate::elf::SymbolVersion;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (there, needed, older) in
            [("2.17", "2.2.5", false), ("2.9", "2.10", true), ("2.28", "2.28.0", false), ("2.28", "2.28.1", true)]
        {
            assert_eq!(is_older(there, needed), older, "{there} {needed}");
        }
        assert_eq!(split("GLIBCXX_3.4.29"), Some(("GLIBCXX", "3.4.29")));
        assert_eq!(split("OPENSSL_1_1_0"), Some(("OPENSSL_1_1", "0")));
        assert_eq!((split("GLIBC_PRIVATE"), split("_1")), (None, None));
    }

    #[test]
    fn the_c_library_counts_and_what_looks_like_it_does_not() {
        let version = |library: &str, version: &str, weak| SymbolVersion {
            library: library.to_owned(),
            version: version.to_owned(),
            weak,
        };
        let mut needed = vec![
            version("libc.so.6", "GLIBC_2.2.5", false),
            version("libm.so.6", "GLIBC_2.29", false),
            version("libc.so.6", "GLIBC_2.38", true),
            version("libc.so.6", "GLIBC_PRIVATE", false),
            version("libmine.so.1", "GLIBC_2.99", false),
        ];
        assert_eq!(newest(&needed).as_deref(), Some("2.29"));
        needed.push(version("libc.so.6", "GLIBC_ABI_DT_RELR", false));
        assert_eq!(newest(&needed).as_deref(), Some("2.36"));
    }
}
