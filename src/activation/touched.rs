//! Which variables scripts change: only those are given a value before, to see whether it comes back.

use std::collections::BTreeSet;

use super::snapshot::{Item, Snapshot};

/// Variables that keep the value that the linter gives them, whatever the scripts do: a shell or the scripts themselves
/// need them as they are.
const KEPT: &[&str] = &[
    "CUDA_VISIBLE_DEVICES",
    "HOME",
    "IFS",
    "LANG",
    "LOGNAME",
    "PATH",
    "POSIXLY_CORRECT",
    "PS1",
    "PS2",
    "PS3",
    "PS4",
    "PWD",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TMOUT",
    "TZ",
    "USER",
];

/// Parts of names under which scripts keep old values. Nobody else has such a variable.
const MEMORY: &[&str] = &["BACKUP", "OLD", "ORIG", "PREV", "SAVE", "SAVED"];

/// The names of exported variables that some state has and the first has not, or has otherwise, and of those that the
/// texts of the scripts set or unset.
pub(super) fn touched(states: &[Snapshot], texts: &[String]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Some((first, rest)) = states.split_first() {
        for state in rest {
            for item in first.differing(state) {
                if let Item::Variable(name) = item
                    && [first, state].iter().any(|it| it.variable(name).is_some_and(|it| it.is_exported()))
                {
                    names.insert(name.clone());
                }
            }
        }
    }
    names.extend(texts.iter().flat_map(|it| written(it)));
    names.retain(|name| !is_memory(name) && !KEPT.contains(&name.as_str()) && !is_of_the_shell(name));
    names
}

fn is_of_the_shell(name: &str) -> bool {
    ["BASH", "CONDA_", "LC_", "COMP_"].iter().any(|it| name.starts_with(it))
}

/// Whether scripts keep something of their own in a variable: its name begins with an underscore, or a word of it says so.
fn is_memory(name: &str) -> bool {
    name.starts_with('_') || name.to_ascii_uppercase().split('_').any(|word| MEMORY.contains(&word))
}

/// The names that a script exports or unsets in so many words, also where it does not come by this time.
fn written(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in text.lines() {
        let line = line.split_once('#').map_or(line, |(before, _)| before);
        let mut naming = false;
        for word in line.split_inclusive([' ', '\t', ';', '&', '|', '(', ')', '`', '{', '}']) {
            let ends = word.ends_with([';', '&', '|', '(', ')', '`', '{', '}']);
            let word = word.trim_end_matches([' ', '\t', ';', '&', '|', '(', ')', '`', '{', '}']);
            match word {
                "unset" | "export" => naming = true,
                _ if naming => {
                    let name = word.split_once('=').map_or(word, |(name, _)| name);
                    names.extend(is_name(name).then(|| name.to_owned()));
                }
                _ => {}
            }
            naming &= !ends;
        }
    }
    names
}

fn is_name(word: &str) -> bool {
    word.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
        && word.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
}

/// What a variable holds before, when it has to hold something. A blank in it shows who forgets to quote; a list of
/// folders has none.
pub(super) fn sentinel(name: &str) -> String {
    let is_folder = ["PATH", "DIR", "DIRS", "HOME", "ROOT", "PREFIX"].iter().any(|it| name.ends_with(it));
    if is_folder { format!("/before/{name}") } else { format!("before {name}") }
}

#[cfg(test)]
mod tests {
    use super::{is_memory, written};

    #[test]
    fn words_of_a_script_name_variables() {
        let text = "export A=\"x y\" B\nif true; then unset C D; fi # unset E\nF=1 export G=2; H=3\n\tunset I\n";
        assert_eq!(written(text), ["A", "B", "C", "D", "G", "I"]);
    }

    #[test]
    fn what_scripts_keep_for_themselves_has_a_telling_name() {
        for name in ["_OLD", "CONDA_BACKUP_CC", "NCCL_NET_OLD", "_ENVBUILD_a_n", "SAVED_PATH"] {
            assert!(is_memory(name), "{name}");
        }
        for name in ["NCCL_NET", "GOLDEN", "PRESERVE"] {
            assert!(!is_memory(name), "{name}");
        }
    }
}
