//! The ways in which a prefix may be written in its files, and what is the prefix and not the beginning of another
//! path.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    io::Read as _,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::prefix::interpreter;
use crate::tree::{Content, Entries, Entry, File, MARKER};

/// How much of what stands before a text [`before`] has to see, in bytes.
pub(super) const BEFORE: usize = 256;
/// How much of what stands after it [`is_end`] has to see.
pub(super) const AFTER: usize = 16;

/// The spellings of a prefix, the longest first.
#[derive(Debug, Clone)]
pub(super) struct Spellings(pub(super) Vec<Arc<[u8]>>);

impl Spellings {
    /// The path as it was given, the one without symbolic links, and those by which the interpreters of the programs in
    /// `bin` are named, when they lead to the same folder.
    pub(super) fn of(prefix: &Path, entries: &Entries) -> Self {
        let canonical = prefix.canonicalize().unwrap_or_else(|_| prefix.to_owned());
        let mut all: BTreeSet<PathBuf> = BTreeSet::from([canonical.clone()]);
        all.extend(std::path::absolute(prefix).map(|it| it.components().collect::<PathBuf>()));
        // What was unpacked and then moved names the place that it was unpacked to, as its marker tells.
        let marker = std::fs::read(canonical.join(MARKER)).unwrap_or_default();
        let marked = Path::new(OsStr::from_bytes(marker.strip_suffix(b"\n").unwrap_or(&marker)));
        if marked.is_absolute() && marked.components().count() > 1 {
            all.insert(marked.to_owned());
        }
        let mut tried = BTreeSet::new();
        for path in entries.iter().filter(|(name, _)| name.starts_with(b"bin/")).filter_map(|(_, it)| above_bin(it)) {
            let same = || path.canonicalize().is_ok_and(|it| it == canonical);
            if tried.insert(path.clone()) && !all.contains(&path) && same() {
                all.insert(path);
            }
        }
        let mut texts: Vec<Arc<[u8]>> = all.iter().map(|it| Arc::from(it.as_os_str().as_bytes())).collect();
        texts.sort_by_key(|it| std::cmp::Reverse(it.len()));
        Self(texts)
    }

    /// The length of the longest, in bytes.
    pub(super) fn longest(&self) -> usize {
        self.0.first().map_or(0, |it| it.len())
    }

    /// The rest of a path that begins with the prefix: nothing, or `/` and more.
    pub(super) fn inside<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        let rests = self.0.iter().filter_map(|it| path.strip_prefix(&it[..]));
        rests.into_iter().find(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// A short text with another path wherever the prefix stands in it.
    pub(super) fn replaced(&self, text: &[u8], to: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let here = self.0.iter().find(|it| text[at..].starts_with(it) && is_end(&text[at + it.len()..]));
            match here.filter(|_| before(&text[..at]) != Before::Part) {
                Some(it) => {
                    out.extend_from_slice(to);
                    at += it.len();
                }
                None => {
                    out.push(text[at]);
                    at += 1;
                }
            }
        }
        out
    }
}

/// The folder above the `bin` in which the interpreter of a script lies.
fn above_bin(entry: &Entry) -> Option<PathBuf> {
    let Entry::File(File { content, executable: true, .. }) = entry else { return None };
    let Content::Disk { .. } = content else { return None };
    let mut beginning = Vec::new();
    content.open().ok()?.take(512).read_to_end(&mut beginning).ok()?;
    let bin = interpreter(&beginning)?.parent().filter(|it| it.ends_with("bin"))?;
    bin.parent().map(Path::to_owned)
}

/// What stands before a text that may be the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// A path begins here.
    Free,
    /// A letter, as in `-L/prefix`; or a length, which binary formats put before a string.
    Glued,
    /// A path goes on here.
    Part,
}

/// Judges what stands before a text that begins with `/`. Only the last [`BEFORE`] bytes count.
pub(super) fn before(bytes: &[u8]) -> Before {
    let bytes = &bytes[bytes.len().saturating_sub(BEFORE)..];
    let is_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./+~@%-${}()\\".contains(byte) || *byte >= 0x80;
    let word = &bytes[bytes.iter().rposition(|byte| !is_path(byte)).map_or(0, |at| at + 1)..];
    // `\n` and the like end a word inside a string.
    let word = match word.iter().rposition(|byte| *byte == b'\\') {
        Some(at) => &word[(at + 2).min(word.len())..],
        None => word,
    };
    match (word.first(), word.last()) {
        (None, _) => Before::Free,
        // A URL: `file:///prefix`.
        _ if word == b"//" && bytes.ends_with(b"://") => Before::Free,
        _ if word.contains(&b'/') => Before::Part,
        // `$ROOT/prefix`, `../prefix`, `~/prefix`, `$(pwd)/prefix`, `{x}/prefix`.
        (Some(b'.' | b'~' | b'$'), _) | (_, Some(b'}' | b')')) => Before::Part,
        (Some(b'-' | b'@' | b'{' | b'('), _) => Before::Free,
        _ => Before::Glued,
    }
}

/// Whether a file's name ends where these bytes follow: after `/opt/env` neither `2`, `-x` nor `.bak` may stand.
pub(super) fn is_end(after: &[u8]) -> bool {
    let goes_on = |bytes: &[u8]| match bytes {
        [byte, ..] if byte.is_ascii_alphanumeric() || *byte == b'_' => true,
        // The beginning of a character that is not ASCII.
        [0xc2..=0xf4, 0x80..=0xbf, ..] => true,
        _ => false,
    };
    match after {
        [b'~' | b'+', ..] => false,
        // At the end of a sentence or in `->` they are no part of a name.
        [b'.' | b'-' | b'@', ..] => {
            let rest = after.iter().position(|byte| !b".-@".contains(byte)).map_or(&[][..], |at| &after[at..]);
            !goes_on(rest)
        }
        _ => !goes_on(after),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Before, Spellings, before, is_end};

    #[test]
    fn only_a_whole_path_is_the_prefix() {
        for end in ["", "/bin", "\"", "'", ":/x", " ", "\n", ", ", ".", ". Then", "->", ";", "\\n", "%s", "=", "|", ")"]
        {
            assert!(is_end(end.as_bytes()), "{end:?}");
        }
        for part in ["2", "-x", ".bak", "_old", "~", "+x", "@2", "ä", "x"] {
            assert!(!is_end(part.as_bytes()), "{part:?}");
        }
        assert!(is_end(b"\x94"), "what follows a string in a pickle");
        for (text, expected) in [
            ("", Before::Free),
            ("PATH=", Before::Free),
            ("x:", Before::Free),
            ("file://", Before::Free),
            ("-L", Before::Free),
            ("-isystem", Before::Free),
            ("\\n", Before::Free),
            ("a\\n", Before::Free),
            ("-I/usr/include -I", Before::Free),
            ("R", Before::Glued),
            ("/work", Before::Part),
            ("//", Before::Part),
            ("..", Before::Part),
            ("~", Before::Part),
            ("$HOME", Before::Part),
            ("${HOME}", Before::Part),
            ("$(pwd)", Before::Part),
            ("usr/x", Before::Part),
        ] {
            assert_eq!(before(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_text_gets_another_prefix_where_it_is_one() {
        let spellings = Spellings(vec![Arc::from(&b"/home/me/e"[..]), Arc::from(&b"/opt/e"[..])]);
        let replaced = |text: &str| String::from_utf8(spellings.replaced(text.as_bytes(), b"/P")).unwrap();
        assert_eq!(replaced("/opt/e/bin:/opt/e2:/home/me/e:/x/opt/e"), "/P/bin:/opt/e2:/P:/x/opt/e");
        assert_eq!(spellings.inside(b"/opt/e/x"), Some(&b"/x"[..]));
        assert_eq!(spellings.inside(b"/opt/e"), Some(&b""[..]));
        assert_eq!(spellings.inside(b"/opt/e2"), None);
    }
}
