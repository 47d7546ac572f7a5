//! The state of a shell, written by bash and read here.

use std::{collections::BTreeMap, path::Path};

use crate::base::{FsError, fs};

/// All that sourcing a script can change in a shell, by what it is and its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) items: BTreeMap<Item, Value>,
}

/// One thing of a shell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Variable(String),
    Function(String),
    Alias(String),
    Option(String),
    /// Working directory, mask, traps.
    Plain(String),
}

/// How it is, and how it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// As bash declares it, with its attributes.
    pub(super) declared: String,
    /// For a variable, what it holds.
    pub(super) held: String,
}

impl Value {
    /// Whether it is a variable that programs see.
    pub(super) fn is_exported(&self) -> bool {
        let flags = self.declared.strip_prefix("declare ").and_then(|it| it.split(' ').next());
        flags.is_some_and(|it| it.contains('x'))
    }
}

/// bash changes these by itself.
const VOLATILE: &[&str] = &[
    "_",
    "BASHOPTS",
    "BASHPID",
    "BASH_ALIASES",
    "BASH_CMDS",
    "BASH_ARGC",
    "BASH_ARGV",
    "BASH_COMMAND",
    "BASH_LINENO",
    "BASH_REMATCH",
    "BASH_SOURCE",
    "BASH_SUBSHELL",
    "BASH_EXECUTION_STRING",
    "BASH_MONOSECONDS",
    "COLUMNS",
    "DIRSTACK",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "FUNCNAME",
    "LINENO",
    "LINES",
    "OLDPWD",
    "PIPESTATUS",
    "PWD",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SRANDOM",
];

/// The names that the linter's own commands use.
pub(super) const OWN: &str = "__envbuild_lint_";

/// Reads what [`shot`](super::driver) wrote: a letter, a name, and one or two texts for each thing, each ended by a NUL.
/// Nothing when the file is not there: the shell has ended before.
pub(super) fn read(file: &Path) -> Result<Option<Snapshot>, FsError> {
    let Some(bytes) = fs::read_if_there(file)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let mut fields = text.split('\0');
    let mut snapshot = Snapshot::default();
    while let (Some(kind), Some(name), Some(declared), Some(held)) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    {
        let (name, declared) = (name.to_owned(), declared.trim_end_matches('\n').to_owned());
        let item = match kind {
            "variable" if VOLATILE.contains(&name.as_str()) || name.starts_with(OWN) => continue,
            "variable" => Item::Variable(name),
            "function" => Item::Function(name),
            "alias" => Item::Alias(name),
            "options" => {
                for line in declared.lines() {
                    let value = Value { declared: line.to_owned(), held: line.to_owned() };
                    snapshot.items.extend(option(line).map(|name| (Item::Option(name), value)));
                }
                continue;
            }
            _ => Item::Plain(name),
        };
        snapshot.items.insert(item, Value { declared, held: held.to_owned() });
    }
    Ok(Some(snapshot))
}

impl Snapshot {
    /// What is not in `other` as it is here, or is only there.
    pub(super) fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Item> {
        let here = self.items.iter().filter(|(item, value)| other.items.get(item) != Some(value)).map(|it| it.0);
        here.chain(other.items.keys().filter(|item| !self.items.contains_key(item)))
    }

    pub(super) fn variable(&self, name: &str) -> Option<&Value> {
        self.items.get(&Item::Variable(name.to_owned()))
    }
}

/// The name of the option that a line of `set +o` or `shopt -p` sets.
fn option(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("set" | "shopt"), Some(_), Some(name)) => Some(name.to_owned()),
        _ => None,
    }
}
