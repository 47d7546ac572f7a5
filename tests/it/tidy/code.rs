//! Rust sources with comments and texts blanked out, and the paths that they name.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::files_below;

/// A source file.
pub(super) struct Source {
    /// Its path below `src/` or `tests/`.
    pub(super) path: String,
    /// As it is written.
    pub(super) text: String,
    /// The same with comments, strings and characters as blanks: every byte keeps its place.
    pub(super) code: String,
    /// Whether it is compiled for tests only.
    pub(super) is_test: bool,
}

/// What stands before a module for tests.
const TEST: &str = "#[cfg(test)]";

/// Every Rust file below a folder.
pub(super) fn sources(folder: &Path) -> Vec<Source> {
    let rust = files_below(folder).into_iter().filter(|it| it.extension().is_some_and(|it| it == "rs"));
    let read = |path: PathBuf| Source::new(&path.to_string_lossy(), &fs::read_to_string(folder.join(&path)).unwrap());
    let mut all: Vec<Source> = rust.map(read).collect();
    let tests: Vec<String> = all.iter().flat_map(Source::test_modules).collect();
    for source in &mut all {
        let module = source.path.trim_end_matches(".rs");
        source.is_test = tests.iter().any(|it| module == it || module.starts_with(&format!("{it}/")));
    }
    all
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: blank(text), is_test: false }
    }

    /// The room: the first folder, or the file that stands beside them.
    pub(super) fn room(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// The files and folders, without their ending, that this file declares for tests only.
    fn test_modules(&self) -> Vec<String> {
        let folder = self.path.trim_end_matches(".rs").trim_end_matches("mod").trim_end_matches('/');
        let declared = self.code.match_indices(TEST).filter_map(|(at, _)| {
            let item = self.code[at + TEST.len()..].split([';', '{']).next()?;
            let name = item.split_whitespace().skip_while(|it| *it != "mod").nth(1)?;
            self.code[at + TEST.len() + item.len()..].starts_with(';').then(|| format!("{folder}/{name}"))
        });
        declared.collect()
    }

    /// The code that is not in a test module of the file: those stand at its end.
    pub(super) fn product(&self) -> &str {
        if self.is_test {
            return "";
        }
        let inline = self.code.match_indices(TEST).find(|(at, _)| {
            let item = &self.code[at + TEST.len()..];
            item.trim_start().starts_with("mod ") && item.find('{') < item.find(';')
        });
        &self.code[..inline.map_or(self.code.len(), |(at, _)| at)]
    }

    /// `path:line`, for a place in the code.
    pub(super) fn at(&self, offset: usize) -> String {
        format!("{}:{}", self.path, self.text[..offset].matches('\n').count() + 1)
    }

    /// Every name that stands directly below `crate` in a path or a tree of imports, with its place.
    pub(super) fn below_crate(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for at in words(&self.code, "crate") {
            let Some(rest) = path_separator(&self.code, at + "crate".len()) else { continue };
            match self.code[rest..].chars().next() {
                Some('{') => found.extend(heads(&self.code, rest)),
                Some(_) => found.extend(name_at(&self.code, rest).map(|name| (rest, name))),
                None => {}
            }
        }
        found
    }

    /// Names that are reached by climbing to the crate's root with `super`, with their places.
    pub(super) fn climbs(&self) -> Vec<(usize, String)> {
        let folders = self.path.matches('/').count();
        let depth = if self.path.ends_with("/mod.rs") { folders } else { folders + 1 };
        let mut found = Vec::new();
        for at in words(&self.code, "super") {
            let (mut count, mut behind) = (0, at);
            while self.code[behind..].starts_with("super")
                && let Some(next) = path_separator(&self.code, behind + "super".len())
            {
                (count, behind) = (count + 1, next);
            }
            // The second `super` of a chain is not the beginning of another.
            let is_first = !self.code[..at].trim_end().ends_with("::");
            if is_first && count >= depth + modules_around(&self.code, at) {
                found.extend(name_at(&self.code, behind).map(|name| (at, name)));
            }
        }
        found
    }
}

/// How many `mod name { … }` are open at a place.
fn modules_around(code: &str, place: usize) -> usize {
    let mut open = Vec::new();
    for (at, brace) in code[..place].match_indices(['{', '}']) {
        if brace == "}" {
            open.pop();
        } else {
            let mut words = code[..at].split_whitespace().rev();
            open.push(words.next().is_some_and(|it| it.chars().all(is_word)) && words.next() == Some("mod"));
        }
    }
    open.into_iter().filter(|it| *it).count()
}

/// The places of a whole word.
pub(super) fn words(code: &str, word: &str) -> Vec<usize> {
    let whole = |at: &usize| {
        let before = code[..*at].chars().next_back().is_some_and(|it| is_word(it) || it == '$');
        let after = code[at + word.len()..].chars().next().is_some_and(is_word);
        !(before && word.starts_with(is_word) || after && word.ends_with(is_word))
    };
    code.match_indices(word).map(|(at, _)| at).filter(whole).collect()
}

pub(super) fn is_word(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

/// The place behind `::`, blanks around it allowed.
pub(super) fn path_separator(code: &str, at: usize) -> Option<usize> {
    let behind = code[at..].trim_start().strip_prefix("::")?.trim_start();
    Some(code.len() - behind.len())
}

fn name_at(code: &str, at: usize) -> Option<String> {
    let name: String = code[at..].chars().take_while(|it| is_word(*it)).collect();
    (!name.is_empty()).then_some(name)
}

/// The first name of each branch of the tree of imports that opens at `at`.
fn heads(code: &str, at: usize) -> Vec<(usize, String)> {
    let (mut found, mut depth, mut begins) = (Vec::new(), 0, true);
    for (offset, it) in code[at..].char_indices() {
        match it {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => begins = true,
            it if is_word(it) && begins => {
                begins = false;
                found.extend(name_at(code, at + offset).map(|name| (at + offset, name)));
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// Turns comments, strings and characters into blanks.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match &bytes[at..] {
            [b'/', b'/', ..] => at + text[at..].find('\n').unwrap_or(bytes.len() - at),
            [b'/', b'*', ..] => end_of_block(bytes, at),
            [b'"', ..] => end_of_string(bytes, at),
            [b'r', b'"' | b'#', ..] if at == 0 || !is_word(char::from(bytes[at - 1])) || bytes[at - 1] == b'b' => {
                end_of_raw(text, at)
            }
            [b'\'', b'\\', ..] => at + 2 + text[at + 2..].find('\'').map_or(0, |it| it + 1),
            [b'\'', ..] => end_of_character(text, at),
            _ => at,
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(out).expect("whole characters are blanked")
}

fn end_of_block(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// `r"…"`, `r#"…"#`; `start` itself when it is a raw name such as `r#type`.
fn end_of_raw(text: &str, start: usize) -> usize {
    let hashes: String = text[start + 1..].chars().take_while(|it| *it == '#').collect();
    let open = start + 1 + hashes.len();
    if !text[open..].starts_with('"') {
        return start;
    }
    let close = format!("\"{hashes}");
    text[open + 1..].find(&close).map_or(text.len(), |it| open + 1 + it + close.len())
}

/// `'x'`; `start` itself for a lifetime.
fn end_of_character(text: &str, start: usize) -> usize {
    let mut rest = text[start + 1..].chars();
    match (rest.next(), rest.next()) {
        (Some(it), Some('\'')) => start + 1 + it.len_utf8() + 1,
        _ => start,
    }
}
