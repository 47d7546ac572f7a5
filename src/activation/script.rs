//! The two scripts that an activation becomes: one does it, one undoes it.
//!
//! They are for any shell that speaks POSIX, under `set -eu` too. What they have to remember is in exported variables, so
//! that a shell can undo what the one before it has done. Each package has such variables of its own, and a new set of
//! them for each environment that is activated on top of another.

use super::Activation;

/// The version of the scripts' text: raised when the same settings would give other bytes.
pub const FORM: &str = "1";

/// Where conda looks for scripts to source on activation, below a prefix.
pub const ACTIVATE: &str = "etc/conda/activate.d";

/// Where conda looks for scripts to source on deactivation.
pub const DEACTIVATE: &str = "etc/conda/deactivate.d";

/// The texts of a package's scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripts {
    /// For [`ACTIVATE`].
    pub activate: String,
    /// For [`DEACTIVATE`].
    pub deactivate: String,
}

/// Writes the scripts of a package. The same settings give the same text.
pub fn scripts(package: &str, activation: &Activation) -> Scripts {
    let memory = format!("_ENVBUILD_{}", tag(package));
    let fill = |template: &str, steps: Vec<String>| {
        template.replace("@MEMORY@", &memory).replace("@STEPS@", &steps.join("\n"))
    };
    Scripts {
        activate: fill(include_str!("activate.sh"), doing(activation)),
        deactivate: fill(include_str!("deactivate.sh"), undoing(activation)),
    }
}

fn doing(activation: &Activation) -> Vec<String> {
    let mut steps = Vec::new();
    for (name, value) in &activation.set {
        let value = word(value, "${CONDA_PREFIX-}");
        steps.push(format!("_envbuild_remember {name}\nexport {name}={value}"));
    }
    for name in &activation.unset {
        steps.push(format!("_envbuild_remember {name}\nunset {name}"));
    }
    for (name, folders) in &activation.prepend {
        steps.push(format!("_envbuild_remember {name}"));
        // Each goes in front of the one before.
        steps.extend(
            folders.iter().rev().map(|it| format!("_envbuild_add first {name} {}", word(it, "${CONDA_PREFIX-}"))),
        );
    }
    for (name, folders) in &activation.append {
        steps.push(format!("_envbuild_remember {name}"));
        steps.extend(folders.iter().map(|it| format!("_envbuild_add last {name} {}", word(it, "${CONDA_PREFIX-}"))));
    }
    steps
}

fn undoing(activation: &Activation) -> Vec<String> {
    let mut steps = Vec::new();
    for (verb, lists) in [("last", &activation.append), ("first", &activation.prepend)] {
        for (name, folders) in lists.iter().rev() {
            steps.extend(folders.iter().map(|it| format!("    _envbuild_drop {verb} {name} {}", word(it, PREFIX))));
            steps.push(format!("    _envbuild_settle {name}"));
        }
    }
    steps.extend(activation.unset.iter().rev().map(|name| format!("    _envbuild_reset {name}")));
    for (name, value) in activation.set.iter().rev() {
        steps.push(format!("    _envbuild_restore {name} {}", word(value, PREFIX)));
    }
    steps
}

/// Where a deactivation finds the prefix: as it was on activation.
const PREFIX: &str = "$_envbuild_prefix";

/// A package's name as a part of a variable's name; no two packages have the same. An underscore with another letter than
/// these begins what follows it.
fn tag(package: &str) -> String {
    let mut tag = String::new();
    for letter in package.chars() {
        match letter {
            '_' => tag.push_str("__"),
            '-' => tag.push_str("_h"),
            '.' => tag.push_str("_d"),
            other => tag.push(other),
        }
    }
    tag
}

/// A shell word that stands for a value, with `prefix`, which a shell expands, in the place of the environment.
fn word(value: &str, prefix: &str) -> String {
    let mut word = String::new();
    let mut literal = String::new();
    let mut rest = value;
    while let Some(next) = rest.chars().next() {
        match after_prefix(rest) {
            Some(after) => {
                if !literal.is_empty() {
                    word.push_str(&quote(&std::mem::take(&mut literal)));
                }
                word.push_str(&format!("\"{prefix}\""));
                rest = after;
            }
            None => {
                literal.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    if !literal.is_empty() || word.is_empty() {
        word.push_str(&quote(&literal));
    }
    word
}

/// What comes after a mention of the environment at the beginning of a text.
fn after_prefix(text: &str) -> Option<&str> {
    if let Some(after) = text.strip_prefix("${CONDA_PREFIX}") {
        return Some(after);
    }
    let after = text.strip_prefix("$CONDA_PREFIX")?;
    (!after.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '_')).then_some(after)
}

/// A shell word that stands for exactly this text.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
