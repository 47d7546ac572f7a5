//! YAML's scalars. The files are simple enough for that: lists and tables whose shape is known.

use std::fmt::Write as _;

/// Words that YAML 1.1 readers, such as Python's, take for something else than strings.
const WORDS: &[&str] = &["true", "false", "yes", "no", "on", "off", "null", "y", "n"];

/// A string as YAML: plain where no reader can take it for anything else, quoted otherwise.
pub(super) fn scalar(text: &str) -> String {
    let begins = text.starts_with(|it: char| it.is_ascii_alphabetic() || it == '/' || it == '_');
    let safe = text.chars().all(|it| it.is_ascii_alphanumeric() || " _-+./@=<>!~*,:;()[]'\"#%&?$|^".contains(it));
    let apart = text.contains(": ") || text.contains(" #") || text.ends_with([':', ' ']);
    let is_word = WORDS.contains(&text.to_ascii_lowercase().as_str());
    if begins && safe && !apart && !is_word {
        return text.to_owned();
    }
    if text.chars().all(|it| !it.is_control() && !"\u{85}\u{2028}\u{2029}\u{feff}".contains(it)) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for it in text.chars() {
        match it {
            '"' | '\\' => quoted.extend(['\\', it]),
            ' '..='~' => quoted.push(it),
            _ => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(it));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Lines of YAML, indented by two blanks a level.
#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    /// A line as it is.
    pub(super) fn line(&mut self, level: usize, text: &str) {
        let _ = writeln!(self.0, "{:1$}{text}", "", level * 2);
    }

    /// `key: value`.
    pub(super) fn pair(&mut self, level: usize, key: &str, value: &str) {
        self.line(level, &format!("{}: {}", scalar(key), scalar(value)));
    }

    /// `key: value`, when there is one.
    pub(super) fn pair_if(&mut self, level: usize, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.pair(level, key, value);
        }
    }

    /// `key:` and its entries, unless there are none.
    pub(super) fn list(&mut self, level: usize, key: &str, entries: &[String]) {
        if !entries.is_empty() {
            self.line(level, &format!("{key}:"));
            for entry in entries {
                self.line(level, &format!("- {}", scalar(entry)));
            }
        }
    }

    /// What each sentence says, as comments.
    pub(super) fn comments(&mut self, sentences: &[String]) {
        for sentence in sentences {
            self.line(0, &format!("# {}", sentence.replace(['\n', '\r'], " ")));
        }
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::scalar;

    #[test]
    fn what_could_be_taken_for_something_else_is_quoted() {
        for plain in ["numpy", "numpy=2.2.6=py311_0", "https://a.example/b#c", "a >=1,<2", "/srv/a b"] {
            assert_eq!(scalar(plain), plain);
        }
        for (text, quoted) in [
            ("", "''"),
            ("3.10", "'3.10'"),
            ("yes", "'yes'"),
            (">=1", "'>=1'"),
            ("a: b", "'a: b'"),
            ("a #b", "'a #b'"),
            ("it's: so", "'it''s: so'"),
            ("*", "'*'"),
            ("é", "'é'"),
            ("a\nb", "\"a\\U0000000ab\""),
        ] {
            assert_eq!(scalar(text), quoted);
        }
    }
}
