//! Reads values out of TOML tables by hand: the value with its place, or a problem and nothing.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike, Value};

use super::{
    error::ManifestError,
    model::Spanned,
    problems::{Problems, clip, listed},
    suggest::closest,
};

/// The keys of one kind of table.
pub(super) struct Keys {
    /// Keys that are read.
    pub(super) known: &'static [&'static str],
    /// Keys that the manifest's contract has and this version does nothing about.
    pub(super) later: &'static [&'static str],
}

/// One table and what it is called in messages.
pub(super) struct Reader<'a> {
    text: &'a str,
    table: &'a dyn TableLike,
    /// `[recipes.mpi4py]`, or `the manifest` for the root.
    pub(super) name: String,
    /// The last word of the table's header, or the whole of an inline table.
    pub(super) at: Range<usize>,
}

impl<'a> Reader<'a> {
    pub(super) fn root(document: &'a Document<&'a str>) -> Self {
        Self { text: document.raw(), table: document.as_table(), name: "the manifest".to_owned(), at: 0..0 }
    }

    fn child(&self, name: String, table: &'a dyn TableLike, at: Range<usize>) -> Self {
        Self { text: self.text, table, name, at }
    }

    /// Every key with its place and its item, in the order written.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Spanned<String>, &'a Item)> + use<'a> {
        let (table, at) = (self.table, self.at.clone());
        table.iter().filter(|(_, item)| !item.is_none()).map(move |(key, item)| {
            let span = table.key(key).and_then(toml_edit::Key::span).unwrap_or(at.clone());
            (Spanned { value: key.to_owned(), span }, item)
        })
    }

    fn get(&self, key: &str) -> Option<(Range<usize>, &'a Item)> {
        let (name, item) = self.table.get_key_value(key)?;
        (!item.is_none()).then(|| (name.span().unwrap_or(self.at.clone()), item))
    }

    /// Reports every key that is not among `keys`.
    pub(super) fn only(&self, keys: &Keys, problems: &mut Problems) {
        for (key, _) in self.entries() {
            let Spanned { value: key, span } = key;
            let dashed = key.replace('_', "-");
            if keys.known.contains(&key.as_str()) {
                continue;
            }
            if keys.later.contains(&dashed.as_str()) {
                problems.push(ManifestError::NotSupported { key, table: self.name.clone(), at: span.into() });
            } else {
                let help = match closest(&key, keys.known.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("the keys of {}: {}", self.name, listed(keys.known.iter().copied())),
                };
                let table = self.name.clone();
                problems.push(ManifestError::UnknownKey { key: clip(&key), table, help, at: span.into() });
            }
        }
    }

    /// Reports that `key` is not there.
    pub(super) fn missing(&self, key: &str, example: &str, problems: &mut Problems) {
        let (table, at) = (self.name.clone(), self.at.clone().into());
        problems.push(ManifestError::MissingKey { key: key.to_owned(), table, example: example.to_owned(), at });
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn is_table(&self, key: &str) -> bool {
        self.get(key).is_some_and(|(_, item)| item.as_table_like().is_some())
    }

    /// The string at `key`, if it is there.
    pub(super) fn string(&self, key: &str, problems: &mut Problems) -> Option<Spanned<String>> {
        let (span, item) = self.get(key)?;
        self.string_of(&self.what(key), Entry::of(item, span), problems)
    }

    /// `true` or `false` at `key`, if it is there.
    pub(super) fn boolean(&self, key: &str, problems: &mut Problems) -> Option<Spanned<bool>> {
        let (at, item) = self.get(key)?;
        let entry = Entry::of(item, at);
        if let Some(value) = item.as_bool() {
            return Some(Spanned { value, span: entry.span });
        }
        let help = format!("write `{key} = true` or `{key} = false`, without quotes");
        problems.push(entry.wrong(self.what(key), "`true` or `false`", help));
        None
    }

    /// The whole number at `key`, if it is there.
    pub(super) fn integer(&self, key: &str, problems: &mut Problems) -> Option<Spanned<i64>> {
        let (at, item) = self.get(key)?;
        let entry = Entry::of(item, at);
        if let Some(value) = item.as_integer() {
            return Some(Spanned { value, span: entry.span });
        }
        let help = format!("write a whole number without quotes, as in `{key} = 4`");
        problems.push(entry.wrong(self.what(key), "a whole number", help));
        None
    }

    /// The table at `key` of this table, if it is there, as a rule written in braces.
    pub(super) fn inline_table(&self, key: &str, problems: &mut Problems) -> Option<Reader<'a>> {
        let (at, item) = self.get(key)?;
        self.table_of(self.what(key), Entry::of(item, at), problems)
    }

    /// The list of strings at `key`, if it is there; elements that are no strings are left out and reported.
    pub(super) fn strings(&self, key: &str, problems: &mut Problems) -> Option<Vec<Spanned<String>>> {
        let (at, item) = self.get(key)?;
        self.strings_of(&self.what(key), Entry::of(item, at), problems)
    }

    /// The table at `key`, if it is there.
    pub(super) fn table(&self, key: &str, problems: &mut Problems) -> Option<Reader<'a>> {
        let (at, item) = self.get(key)?;
        let name = match self.name.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            Some(outer) => format!("[{outer}.{key}]"),
            None => format!("[{key}]"),
        };
        self.table_of(name, Entry::of(item, at), problems)
    }

    /// The tables `[key.NAME]`, in the order written, each with its name.
    pub(super) fn tables(&self, key: &str, problems: &mut Problems) -> Vec<(Spanned<String>, Reader<'a>)> {
        let Some(parent) = self.table(key, problems) else { return Vec::new() };
        let mut tables = Vec::new();
        let path = parent.name.trim_matches(['[', ']']);
        for (name, item) in parent.entries() {
            let entry = Entry::of(item, name.span.clone());
            if let Some(table) = parent.table_of(format!("[{path}.{}]", clip(&name.value)), entry, problems) {
                tables.push((name, table));
            }
        }
        tables
    }

    /// The list of tables at `key`: `[{ … }, …]`, or `[[name.key]]`.
    pub(super) fn list_of_tables(&self, key: &str, problems: &mut Problems) -> Vec<Reader<'a>> {
        let Some((at, item)) = self.get(key) else { return Vec::new() };
        let name = format!("an entry of {}", self.what(key));
        if let Some(tables) = item.as_array_of_tables() {
            return tables.iter().map(|it| self.child(name.clone(), it, it.span().unwrap_or(at.clone()))).collect();
        }
        let Some(array) = item.as_array() else {
            let help = format!("write a list of tables, as in `{key} = [{{ python = \"3.12\" }}]`");
            problems.push(Entry::of(item, at).wrong(self.what(key), "a list of tables", help));
            return Vec::new();
        };
        let entry = |value: &'a Value| Entry::of_value(value, at.clone());
        array.iter().filter_map(|value| self.table_of(name.clone(), entry(value), problems)).collect()
    }

    /// The list of lists of strings at `key`, each with its place.
    pub(super) fn list_of_lists(
        &self,
        key: &str,
        help: &str,
        problems: &mut Problems,
    ) -> Vec<(Range<usize>, Vec<Spanned<String>>)> {
        let Some((at, item)) = self.get(key) else { return Vec::new() };
        // One flat list is a single slip, however many strings are in it.
        let Some(array) = item.as_array().filter(|array| array.iter().all(Value::is_array)) else {
            let wrong = Entry::of(item, at).wrong(self.what(key), "a list of lists of strings", help.to_owned());
            problems.push(wrong);
            return Vec::new();
        };
        let mut lists = Vec::new();
        for value in array {
            let entry = Entry::of_value(value, at.clone());
            let span = entry.span.clone();
            if let Some(strings) = self.strings_of(&format!("a group of {}", self.what(key)), entry, problems) {
                lists.push((span, strings));
            }
        }
        lists
    }

    /// Reads an entry of this table as a string; `what` names it in messages.
    pub(super) fn string_of(&self, what: &str, entry: Entry<'a>, problems: &mut Problems) -> Option<Spanned<String>> {
        let what = what.to_owned();
        match entry.value {
            Some(Value::String(string)) => {
                let value = string.value();
                let found = if value.trim().is_empty() {
                    "the text is empty"
                } else if value.contains(char::is_control) {
                    "the text has a line break or another control character"
                } else {
                    return Some(Spanned { value: value.clone(), span: entry.span });
                };
                problems.push(ManifestError::BadText { what, found, at: entry.span.into() });
            }
            Some(Value::Integer(_) | Value::Float(_)) => {
                let written = clip(self.written(&entry.span));
                let help = match changed(entry.value, &written) {
                    Some(changed) => format!("{changed}: put it in quotes, \"{written}\""),
                    None => format!("put it in quotes: \"{written}\""),
                };
                problems.push(ManifestError::Unquoted { what, written, help, at: entry.span.into() });
            }
            Some(Value::Array(array)) if array.len() == 1 && array.iter().all(Value::is_str) => {
                let written = array.iter().next().and_then(Value::as_str).unwrap_or_default();
                let help = format!("write it without the brackets: \"{}\"", clip(written));
                problems.push(entry.wrong(what, "a string", help));
            }
            _ => problems.push(entry.wrong(what, "a string", "write a text in quotes".to_owned())),
        }
        None
    }

    /// Reads an entry of this table as a list of strings; `what` names it in messages.
    pub(super) fn strings_of(
        &self,
        what: &str,
        entry: Entry<'a>,
        problems: &mut Problems,
    ) -> Option<Vec<Spanned<String>>> {
        let Some(Value::Array(array)) = entry.value else {
            let help = match entry.value {
                Some(Value::String(string)) => format!("write it as a list: [\"{}\"]", clip(string.value())),
                Some(Value::Integer(_) | Value::Float(_)) => {
                    let written = clip(self.written(&entry.span));
                    let changed = changed(entry.value, &written).map(|it| it + "; ").unwrap_or_default();
                    format!("{changed}write it as a list of strings: [\"{written}\"]")
                }
                _ => "write strings in brackets: [\"one\", \"two\"]".to_owned(),
            };
            problems.push(entry.wrong(what.to_owned(), "a list of strings", help));
            return None;
        };
        let element = format!("an element of {what}");
        let entry = |value: &'a Value| Entry::of_value(value, entry.span.clone());
        Some(array.iter().filter_map(|value| self.string_of(&element, entry(value), problems)).collect())
    }

    /// Reads an entry of this table as a table called `name`.
    fn table_of(&self, name: String, entry: Entry<'a>, problems: &mut Problems) -> Option<Reader<'a>> {
        match entry.table {
            Some(table) => Some(self.child(name, table, entry.span)),
            None => {
                let help = match name.strip_prefix('[') {
                    Some(_) => format!("write a line with {name}, and its keys under it"),
                    None => "write keys and values in braces: { key = \"value\" }".to_owned(),
                };
                problems.push(entry.wrong(name, "a table", help));
                None
            }
        }
    }

    /// How messages name a key of this table.
    pub(super) fn what(&self, key: &str) -> String {
        format!("`{}` in {}", clip(key), self.name)
    }

    fn written(&self, span: &Range<usize>) -> &'a str {
        self.text.get(span.clone()).unwrap_or_default()
    }
}

/// An item of a table or an element of a list, with its place.
pub(super) struct Entry<'a> {
    value: Option<&'a Value>,
    table: Option<&'a dyn TableLike>,
    found: &'static str,
    pub(super) span: Range<usize>,
}

impl<'a> Entry<'a> {
    /// The item that belongs to the key at `key`.
    pub(super) fn of(item: &'a Item, key: Range<usize>) -> Self {
        let table = item.as_table_like();
        // A table is as long as its section, so it is its key that is pointed at.
        let span = if item.is_value() { item.span() } else { None };
        Self { value: item.as_value(), table, found: named(item.type_name()), span: span.unwrap_or(key) }
    }

    fn of_value(value: &'a Value, list: Range<usize>) -> Self {
        let table = value.as_inline_table().map(|table| table as &dyn TableLike);
        Self { value: Some(value), table, found: named(value.type_name()), span: value.span().unwrap_or(list) }
    }

    fn wrong(&self, what: String, expected: &'static str, help: String) -> ManifestError {
        ManifestError::WrongType { what, expected, found: self.found, help, at: self.span.clone().into() }
    }
}

/// What TOML makes of a number that is not written as TOML would write it: 3.10 is 3.1.
fn changed(value: Option<&Value>, written: &str) -> Option<String> {
    let number = value?.as_float()?.to_string();
    (number != written).then(|| format!("TOML reads {written} as the number {number}"))
}

fn named(type_name: &str) -> &'static str {
    match type_name {
        "string" => "a string",
        "integer" | "float" => "a number",
        "boolean" => "a boolean",
        "datetime" => "a date",
        "array" => "a list",
        "array of tables" => "a list of tables",
        _ => "a table",
    }
}
