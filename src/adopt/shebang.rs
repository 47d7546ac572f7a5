//! The line by which a script finds its interpreter, when the prefix is long.
//!
//! Linux reads at most 127 bytes of it. Installers write another line then, and so does this, because the placeholder
//! is long where the real prefix may be short: the archive is to run at a long path, too.

/// The longest line that Linux reads, with `#!`, in bytes.
const LONGEST: usize = 127;

/// What an installer writes in the place of a first line that has become too long (without the line's end); nothing
/// when it fits. Python scripts call it by the shell, in a line that Python takes for a string; all others look for
/// their interpreter in `PATH`.
pub(super) fn long_form(line: &[u8]) -> Option<Vec<u8>> {
    if line.len() <= LONGEST {
        return None;
    }
    let rest = line.strip_prefix(b"#!")?.trim_ascii_start();
    let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
    let (path, arguments) = rest.split_at(end);
    if !path.starts_with(b"/") {
        return None;
    }
    let name = &path[path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1)..];
    Some(if is_python(name) {
        [b"#!/bin/sh\n'''exec' \"", path, b"\"", arguments, b" \"$0\" \"$@\" #'''"].concat()
    } else {
        [b"#!/usr/bin/env ", name, arguments].concat()
    })
}

/// The first line as it was in the package whose placeholder is given, and how many bytes stand for it now; nothing
/// when it is no long form.
pub(super) fn short_form(beginning: &[u8], placeholder: &[u8]) -> Option<(usize, Vec<u8>)> {
    let line = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    if let Some(rest) = beginning.strip_prefix(b"#!/bin/sh\n'''exec' \"") {
        let rest = &rest[..line(rest)];
        let quote = rest.iter().position(|byte| *byte == b'"')?;
        let (path, rest) = (&rest[..quote], &rest[quote + 1..]);
        let arguments = rest.strip_suffix(b" \"$0\" \"$@\" #'''")?;
        let bin = memchr::memmem::rfind(path, b"/bin/")?;
        let length = 20 + quote + 1 + rest.len();
        return Some((length, [b"#!", placeholder, &path[bin..], arguments].concat()));
    }
    let rest = beginning.strip_prefix(b"#!/usr/bin/env ")?;
    let rest = &rest[..line(rest)];
    Some((15 + rest.len(), [b"#!", placeholder, b"/bin/", rest].concat()))
}

/// `python`, `python3` or `python3.11`.
fn is_python(name: &[u8]) -> bool {
    let Some(version) = name.strip_prefix(b"python") else { return false };
    let mut parts = version.split(|byte| *byte == b'.');
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    version.is_empty() || (parts.by_ref().take(2).all(digits) && parts.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::{is_python, long_form, short_form};

    #[test]
    fn a_long_line_calls_python_by_the_shell() {
        let prefix = format!("/{}", "p".repeat(150));
        let line = |rest: &str| format!("#!{prefix}{rest}").into_bytes();
        let expected = format!("#!/bin/sh\n'''exec' \"{prefix}/bin/python3.11\" -E \"$0\" \"$@\" #'''");
        assert_eq!(long_form(&line("/bin/python3.11 -E")).unwrap(), expected.as_bytes());
        assert_eq!(long_form(&line("/bin/perl -w")).unwrap(), b"#!/usr/bin/env perl -w");
        assert_eq!(long_form(b"#!/opt/e/bin/python"), None);
        let (length, back) = short_form(format!("{expected}\nimport x\n").as_bytes(), b"/ph").unwrap();
        assert_eq!((length, back.as_slice()), (expected.len(), &b"#!/ph/bin/python3.11 -E"[..]));
        let env = b"#!/usr/bin/env perl -w";
        let (length, back) = short_form(&[&env[..], b"\nuse x;"].concat(), b"/ph").unwrap();
        assert_eq!((length, back.as_slice()), (env.len(), &b"#!/ph/bin/perl -w"[..]));
        assert_eq!(short_form(b"#!/bin/sh\necho", b"/ph"), None);
    }

    #[test]
    fn python_has_versions() {
        for (name, is) in [("python", true), ("python3", true), ("python3.11", true), ("pythonw", false)] {
            assert_eq!(is_python(name.as_bytes()), is, "{name}");
        }
        assert!(!is_python(b"python3.11.2") && !is_python(b"python3.") && !is_python(b"perl"));
    }
}
