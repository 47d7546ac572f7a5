//! The line by which a script with a long prefix finds its interpreter.
//!
//! Linux reads at most 127 bytes after `#!`, so installers write a shell line that Python sees as a string:
//! `'''exec' /prefix/bin/python "$0" "$@"`. Some leave the path unquoted, and then a prefix with a space breaks it.

const FIRST: &[u8] = b"#!/bin/sh\n'''exec' ";

/// Whether a file may need [`quoted`]; it looks at the beginning only.
pub(super) fn may_need_quotes(beginning: &[u8], placeholder: &[u8]) -> bool {
    beginning.strip_prefix(FIRST).is_some_and(|rest| rest.starts_with(placeholder))
}

/// How many bytes [`may_need_quotes`] has to see.
pub(super) fn beginning(placeholder: &[u8]) -> usize {
    FIRST.len() + placeholder.len()
}

/// The script with the interpreter's path in double quotes, or nothing when it has nothing to quote.
pub(super) fn quoted(script: &[u8], placeholder: &[u8]) -> Option<Vec<u8>> {
    if !may_need_quotes(script, placeholder) {
        return None;
    }
    let rest = script.strip_prefix(FIRST)?;
    let end = rest.iter().position(|byte| byte.is_ascii_whitespace())?;
    let (interpreter, rest) = rest.split_at(end);
    Some([FIRST, b"\"", interpreter, b"\"", rest].concat())
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn only_an_unquoted_interpreter_is_quoted() {
        let script = b"#!/bin/sh\n'''exec' /ph/bin/python3.11 -E \"$0\" \"$@\"\n' '''\nimport sys\n";
        let expected = b"#!/bin/sh\n'''exec' \"/ph/bin/python3.11\" -E \"$0\" \"$@\"\n' '''\nimport sys\n";
        assert_eq!(quoted(script, b"/ph").unwrap(), expected);
        assert_eq!(quoted(expected, b"/ph"), None);
        assert_eq!(quoted(b"#!/bin/sh\n'''exec' /usr/bin/python \"$0\"", b"/ph"), None);
        assert_eq!(quoted(b"#!/ph/bin/python\n", b"/ph"), None);
    }
}
