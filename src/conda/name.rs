//! Build strings: the label leads, the content ends.

use crate::base::Digest;

/// How many hexadecimal digits of its content end a package's build string: 40 bits tell the packages of one name and
/// version apart, and a long site label still fits in conda's 64 characters.
pub(super) const DIGITS: usize = 10;

/// The longest build string that conda takes.
const LONGEST: usize = 64;

/// What stands in the digits' place while the package is built.
const BLANK: &str = "0000000000";

/// `derecho_py311h1234567_0_0000000000`, the build string under which a package is built: the host's label, the string
/// that the recipe renders to, and zeros. What is too long loses its middle: people select by the beginning, and the
/// digits that take the zeros' place keep it unique.
pub fn provisional(label: Option<&str>, rendered: &str) -> String {
    let mut text = match label {
        Some(label) => format!("{label}_{rendered}"),
        None => rendered.to_owned(),
    };
    text.truncate(LONGEST - DIGITS - 1);
    format!("{text}_{BLANK}")
}

/// The final build string; nothing when the provisional one is none.
pub(super) fn finished(provisional: &str, content: &Digest) -> Option<String> {
    Some(format!("{}{}", provisional.strip_suffix(BLANK)?, content.short(DIGITS)))
}

/// The provisional build string that a final one was made of, and its digits.
pub(super) fn unfinished(build: &str) -> Option<(String, &str)> {
    let (beginning, digits) = build.split_at_checked(build.len().checked_sub(DIGITS)?)?;
    let hex = digits.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    (hex && beginning.ends_with('_')).then(|| (format!("{beginning}{BLANK}"), digits))
}

#[cfg(test)]
mod tests {
    use super::{finished, provisional, unfinished};
    use crate::base::Digest;

    #[test]
    fn a_build_string_keeps_its_label_and_its_digits_within_condas_limit() {
        assert_eq!(provisional(None, "h123_0"), "h123_0_0000000000");
        assert_eq!(provisional(Some("derecho"), "py311h1_0"), "derecho_py311h1_0_0000000000");
        let long = provisional(Some("derecho"), &"x".repeat(100));
        assert_eq!(long.len(), 64);
        assert!(long.starts_with("derecho_xxx") && long.ends_with("x_0000000000"));

        let content = Digest::of("content");
        let last = finished(&long, &content).unwrap();
        assert_eq!(last.len(), 64);
        assert_eq!(unfinished(&last), Some((long, &*content.short(10))));
        assert_eq!(finished("h123_0", &content), None);
        for strange in ["", "h123_0", "h1230123456789", "h_012345678G", "käse_0"] {
            assert_eq!(unfinished(strange), None, "{strange}");
        }
    }
}
