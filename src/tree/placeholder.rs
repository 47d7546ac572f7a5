//! The text that stands for the prefix inside an archive, and which prefixes can take its place.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path};

/// The longest placeholder, in bytes. Conda's own packages reserve as many, so none can be longer.
pub const PLACEHOLDER_MAX: usize = 255;

/// The shortest, in bytes: anything less could occur by chance.
pub const PLACEHOLDER_MIN: usize = 8;

/// Every text that [`placeholder`] gives begins with one of these.
pub const MARKS: [&str; 2] = [HEAD, "/pLaCeHo"];

const HEAD: &str = "/opt/envbuild_placehold";
const TAIL: &str = "_placehold";
/// Where there is no room for the beginning above, nothing that is likely to stand in a file.
const SHORT: &str = "/pLaCeHoLdEr_pLaCeHoLdEr_pLaCeHoLdEr";

/// Characters that no prefix may hold: a script cannot quote its interpreter's path with the first four, `:` separates
/// the folders of `PATH`, and the last two end or escape the strings in which Python's modules hold the path.
const FORBIDDEN: [(u8, &str); 7] = [
    (b'\n', "a line break"),
    (b'"', "`\"`"),
    (b'$', "`$`"),
    (b'`', "a backtick"),
    (b':', "`:`"),
    (b'\'', "`'`"),
    (b'\\', "`\\`"),
];

/// A placeholder of `length` bytes: an absolute path of letters, `_` and `/` that cannot occur by chance. The length
/// bounds that of every prefix to which the environment can move; it is clamped to [`PLACEHOLDER_MIN`] ..=
/// [`PLACEHOLDER_MAX`].
pub fn placeholder(length: usize) -> String {
    let length = length.clamp(PLACEHOLDER_MIN, PLACEHOLDER_MAX);
    let mut text = if length < 32 { SHORT } else { HEAD }.to_owned();
    while text.len() < length {
        text.push_str(TAIL);
    }
    text.truncate(length);
    text
}

/// Whether the text can be searched and replaced without quoting by `sed`, and is long enough not to occur by chance.
pub fn is_placeholder(text: &str) -> bool {
    (PLACEHOLDER_MIN..=PLACEHOLDER_MAX).contains(&text.len())
        && text.starts_with('/')
        && !text.ends_with('/')
        && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'/')
}

/// Why an environment cannot live at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrefixFault {
    /// It holds this character, which scripts or modules cannot quote.
    Character(&'static str),
    /// It is so many bytes long, and there is room for `limit`.
    Length {
        /// The length of the path, in bytes.
        length: usize,
        /// The longest that fits, in bytes.
        limit: usize,
    },
}

/// Why an environment whose placeholder is `limit` bytes long cannot live at `prefix`, an absolute path; nothing when it
/// can.
pub fn prefix_fault(prefix: &Path, limit: usize) -> Option<PrefixFault> {
    let bytes = OsStr::as_bytes(prefix.as_os_str());
    if let Some((_, what)) = FORBIDDEN.iter().find(|(byte, _)| bytes.contains(byte)) {
        return Some(PrefixFault::Character(what));
    }
    (bytes.len() > limit).then_some(PrefixFault::Length { length: bytes.len(), limit })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{MARKS, PLACEHOLDER_MAX, PLACEHOLDER_MIN, is_placeholder, placeholder, prefix_fault};

    #[test]
    fn placeholders_have_the_length_asked_for() {
        for length in [PLACEHOLDER_MIN, 31, 32, 33, 100, 254, PLACEHOLDER_MAX] {
            let text = placeholder(length);
            assert_eq!(text.len(), length);
            assert!(is_placeholder(&text), "{text}");
            assert!(MARKS.iter().any(|mark| text.starts_with(mark)), "{text}");
        }
        assert_eq!(placeholder(1).len(), PLACEHOLDER_MIN);
        assert_eq!(placeholder(1000).len(), PLACEHOLDER_MAX);
    }

    #[test]
    fn prefixes_that_cannot_work_are_refused() {
        let long = format!("/{}", "x".repeat(64));
        for bad in [long.as_str(), "/a\nb", "/a\"b", "/a$b", "/a`b", "/a:b", "/a'b", "/a\\b"] {
            assert!(prefix_fault(Path::new(bad), 64).is_some(), "{bad}");
        }
        for good in ["/", "/a b", "/a&b|c", &long[..64]] {
            assert!(prefix_fault(Path::new(good), 64).is_none(), "{good}");
        }
    }
}
