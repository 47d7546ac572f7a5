//! The text that stands for the prefix inside an archive, and which prefixes can take its place.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path};

use super::error::PackError;

/// The longest placeholder, in bytes. Conda's own packages reserve as many, so none can be longer.
pub const PLACEHOLDER_MAX: usize = 255;

const HEAD: &str = "/opt/envbuild_placehold";
const TAIL: &str = "_placehold";

/// Characters that no prefix may hold: a script cannot quote its interpreter's path with the first four, `:` separates
/// the folders of `PATH`, and the last two end or escape the strings in which Python's modules hold the path.
pub(super) const FORBIDDEN: [(u8, &str); 7] = [
    (b'\n', "a line break"),
    (b'"', "`\"`"),
    (b'$', "`$`"),
    (b'`', "a backtick"),
    (b':', "`:`"),
    (b'\'', "`'`"),
    (b'\\', "`\\`"),
];

/// A placeholder of `length` bytes: an absolute path of letters, `_` and `/` that cannot occur by chance. The length
/// bounds that of every prefix to which the environment can move; it is clamped to 32 ..= [`PLACEHOLDER_MAX`].
pub fn placeholder(length: usize) -> String {
    let length = length.clamp(32, PLACEHOLDER_MAX);
    let mut text = HEAD.to_owned();
    while text.len() < length {
        text.push_str(TAIL);
    }
    text.truncate(length);
    text
}

/// Whether the text can be searched and replaced without quoting by `sed`, and is long enough not to occur by chance.
pub(super) fn is_placeholder(text: &str) -> bool {
    (32..=PLACEHOLDER_MAX).contains(&text.len())
        && text.starts_with('/')
        && !text.ends_with('/')
        && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'/')
}

/// Checks that the environment can live at `prefix`, an absolute path.
pub(super) fn check_prefix(prefix: &Path, placeholder: &str) -> Result<(), PackError> {
    let bytes = OsStr::as_bytes(prefix.as_os_str());
    if let Some((_, what)) = FORBIDDEN.iter().find(|(byte, _)| bytes.contains(byte)) {
        return Err(PackError::PrefixCharacter { prefix: prefix.to_owned(), what });
    }
    if bytes.len() > placeholder.len() {
        return Err(PackError::PrefixLength {
            prefix: prefix.to_owned(),
            length: bytes.len(),
            limit: placeholder.len(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{PLACEHOLDER_MAX, check_prefix, is_placeholder, placeholder};

    #[test]
    fn placeholders_have_the_length_asked_for() {
        for length in [32, 33, 100, 254, PLACEHOLDER_MAX] {
            let text = placeholder(length);
            assert_eq!(text.len(), length);
            assert!(is_placeholder(&text), "{text}");
        }
        assert_eq!(placeholder(1).len(), 32);
        assert_eq!(placeholder(1000).len(), PLACEHOLDER_MAX);
    }

    #[test]
    fn prefixes_that_cannot_work_are_refused() {
        let text = placeholder(64);
        let long = format!("/{}", "x".repeat(64));
        for bad in [long.as_str(), "/a\nb", "/a\"b", "/a$b", "/a`b", "/a:b", "/a'b", "/a\\b"] {
            assert!(check_prefix(Path::new(bad), &text).is_err(), "{bad}");
        }
        for good in ["/", "/a b", "/a&b|c", &long[..64]] {
            assert!(check_prefix(Path::new(good), &text).is_ok(), "{good}");
        }
    }
}
