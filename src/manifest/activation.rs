//! `[recipes.NAME.activation]`: what happens to variables when an environment with the recipe's packages is activated.

use std::{collections::BTreeMap, ops::Range};

use super::{
    error::ManifestError,
    model::{Activation, Spanned},
    problems::{Problems, clip},
    read::{Entry, Keys, Reader},
};

const ACTIVATION: Keys = Keys { known: &["set", "unset", "prepend", "append"], later: &[] };

/// What the manifest wants of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Set,
    Unset,
    Extend,
}

/// Variables that shells keep for themselves: setting one does nothing, or something else.
const OF_SHELLS: &[&str] = &[
    "_",
    "ARGC",
    "BASHOPTS",
    "BASHPID",
    "CDPATH",
    "EGID",
    "ENV",
    "EUID",
    "FUNCNAME",
    "GID",
    "GROUPS",
    "IFS",
    "LINENO",
    "OLDPWD",
    "OPTARG",
    "OPTIND",
    "PIPESTATUS",
    "POSIXLY_CORRECT",
    "PPID",
    "PS4",
    "PWD",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SHLVL",
    "UID",
    "USERNAME",
    "argv",
    "cdpath",
    "fpath",
    "manpath",
    "options",
    "path",
    "pipestatus",
    "signals",
    "status",
];

/// Reads the table at `activation`, if it is there. What could not be read is left out, with a problem for it.
pub(super) fn activation(recipe: &Reader<'_>, problems: &mut Problems) -> Option<Activation> {
    let table = recipe.table("activation", problems)?;
    table.only(&ACTIVATION, problems);
    let activation = Activation {
        set: set(&table, problems),
        unset: table.strings("unset", problems).unwrap_or_default(),
        prepend: folders(&table, "prepend", problems),
        append: folders(&table, "append", problems),
    };
    check(&activation, problems);
    Some(activation)
}

fn set(table: &Reader<'_>, problems: &mut Problems) -> Vec<(Spanned<String>, Spanned<String>)> {
    let Some(table) = table.table("set", problems) else { return Vec::new() };
    let mut values = Vec::new();
    for (name, item) in table.entries() {
        let value = table.string_of(&table.what(&name.value), Entry::of(item, name.span.clone()), problems);
        values.extend(value.map(|value| (name, value)));
    }
    values
}

/// A table of a folder or several for each variable.
fn folders(table: &Reader<'_>, key: &str, problems: &mut Problems) -> Vec<(Spanned<String>, Vec<Spanned<String>>)> {
    let Some(table) = table.table(key, problems) else { return Vec::new() };
    let mut lists = Vec::new();
    for (name, item) in table.entries() {
        let what = table.what(&name.value);
        let entry = Entry::of(item, name.span.clone());
        let folders = match item.is_str() {
            true => table.string_of(&what, entry, problems).map(|it| vec![it]),
            false => table.strings_of(&what, entry, problems),
        };
        let Some(folders) = folders else { continue };
        check_folders(&what, &folders, problems);
        lists.push((name, folders));
    }
    lists
}

fn check_folders(what: &str, folders: &[Spanned<String>], problems: &mut Problems) {
    let mut seen: BTreeMap<&str, &Range<usize>> = BTreeMap::new();
    for folder in folders {
        if folder.value.contains(':') {
            problems.push(ManifestError::InvalidActivation {
                what: format!("{what}, `{}`,", clip(&folder.value)),
                reason: "cannot be one folder: it has a colon",
                help: "write the folders as a list: [\"/one\", \"/two\"]".to_owned(),
                at: folder.span.clone().into(),
            });
        }
        if let Some(first) = seen.insert(&folder.value, &folder.span) {
            problems.push(ManifestError::Repeated {
                what: what.to_owned(),
                value: clip(&folder.value),
                first: first.clone().into(),
                at: folder.span.clone().into(),
            });
        }
    }
}

/// Names that no variable has or that are not the recipe's to change, and names that two keys want something of.
fn check(activation: &Activation, problems: &mut Problems) {
    let set = activation.set.iter().map(|(name, _)| (name, Verb::Set));
    let unset = activation.unset.iter().map(|name| (name, Verb::Unset));
    let extend = activation.prepend.iter().chain(&activation.append).map(|(name, _)| (name, Verb::Extend));
    let mut seen: BTreeMap<&str, &Range<usize>> = BTreeMap::new();
    for (name, verb) in set.chain(unset).chain(extend) {
        if let Some((reason, help)) = objection(&name.value, verb) {
            let (what, at) = (format!("the variable `{}`", clip(&name.value)), name.span.clone().into());
            problems.push(ManifestError::InvalidActivation { what, reason, help: help.to_owned(), at });
        }
        if let Some(first) = seen.insert(&name.value, &name.span) {
            problems.push(ManifestError::ActivatedTwice {
                name: clip(&name.value),
                first: first.clone().into(),
                at: name.span.clone().into(),
            });
        }
    }
}

/// Why an activation may not do this, and what to do instead.
fn objection(name: &str, verb: Verb) -> Option<(&'static str, &'static str)> {
    let is_name = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
        && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
    Some(match (name, verb) {
        _ if !is_name => {
            ("has a name that no variable can have", "use letters, digits and `_`, starting with a letter or `_`")
        }
        ("CUDA_VISIBLE_DEVICES", _) => (
            "is the scheduler's",
            "remove it: it holds the devices that a job was given, and a package does not know them",
        ),
        ("PATH", Verb::Set | Verb::Unset) => (
            "may only be extended",
            "write `prepend = { PATH = \"$CONDA_PREFIX/…\" }`: nothing runs without the rest of it",
        ),
        ("LD_LIBRARY_PATH", Verb::Set) => (
            "may only be extended",
            "write `prepend = { LD_LIBRARY_PATH = \"/folder\" }`: what the machine's modules put into it must stay; \
             a run path in the libraries (`rpaths` in [host]) is better still",
        ),
        _ if name.starts_with("CONDA_") => {
            ("is one of conda's own", "choose another name: activation itself sets what begins with `CONDA_`")
        }
        _ if name.starts_with("_ENVBUILD_") => {
            ("is one of envbuild's own", "choose another name: generated scripts keep old values under such names")
        }
        _ if OF_SHELLS.contains(&name) || name.starts_with("BASH_") => {
            ("is one of the shell's own", "remove it: shells give it a meaning or a value of their own")
        }
        _ => return None,
    })
}
