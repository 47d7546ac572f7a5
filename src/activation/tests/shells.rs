//! The shells of this machine, and a prefix whose scripts they source.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::super::{ACTIVATE, Activation, DEACTIVATE, scripts};

/// The shells that the scripts are for, as far as they are here.
pub(super) fn shells() -> Vec<&'static str> {
    let is_here = |name: &&str| Command::new(name).args(["-c", ":"]).status().is_ok_and(|it| it.success());
    let found: Vec<&str> = ["sh", "bash", "dash", "zsh"].into_iter().filter(is_here).collect();
    assert!(found.contains(&"sh") && found.contains(&"bash"), "{found:?}");
    found
}

/// A folder with scripts below it.
pub(super) struct Prefix {
    folder: TempDir,
}

impl Prefix {
    pub(super) fn new() -> Self {
        let prefix = Self { folder: tempfile::Builder::new().prefix("a prefix's $HOME").tempdir().unwrap() };
        for folder in [ACTIVATE, DEACTIVATE] {
            fs::create_dir_all(prefix.path(folder)).unwrap();
        }
        prefix
    }

    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Adds the generated scripts of a package.
    pub(super) fn with(self, package: &str, activation: &Activation) -> Self {
        let made = scripts(package, activation);
        self.script(&format!("{ACTIVATE}/{package}.sh"), &made.activate)
            .script(&format!("{DEACTIVATE}/{package}.sh"), &made.deactivate)
    }

    /// Adds a script.
    pub(super) fn script(self, path: &str, text: &str) -> Self {
        fs::write(self.path(path), text).unwrap();
        self
    }

    /// Runs a text in a shell under `set -eu` and gives what it prints. In it, `on NAME` and `off NAME` source the scripts
    /// of a package, and `tell NAME` prints whether a variable is set, exported, and what it holds.
    pub(super) fn run(&self, shell: &str, text: &str) -> String {
        let body = format!(
            r#"set -eu
on() {{ . "$CONDA_PREFIX/{ACTIVATE}/$1.sh"; }}
off() {{ . "$CONDA_PREFIX/{DEACTIVATE}/$1.sh"; }}
tell() {{
    eval "_is=\${{$1+set}}"
    if [ -z "$_is" ]; then echo "$1 unset"; return 0; fi
    eval "_is=\$$1"
    if env | grep -q "^$1="; then printf '%s=[%s]\n' "$1" "$_is"; else printf '%s:[%s]\n' "$1" "$_is"; fi
}}
{text}
"#
        );
        let mut command = Command::new(shell);
        if shell == "zsh" {
            command.arg("-f");
        }
        let output = command
            .args(["-c", &body])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("CONDA_PREFIX", self.root())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{shell}: {:?}\n{said}\n{text}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }
}

/// An activation of texts: `set` pairs, `unset` names, `prepend` and `append` pairs of a name and its folders.
pub(super) fn activation(
    set: &[(&str, &str)],
    unset: &[&str],
    prepend: &[(&str, &[&str])],
    append: &[(&str, &[&str])],
) -> Activation {
    let lists = |lists: &[(&str, &[&str])]| -> BTreeMap<String, Vec<String>> {
        lists
            .iter()
            .map(|(name, list)| ((*name).to_owned(), list.iter().map(|it| (*it).to_owned()).collect()))
            .collect()
    };
    Activation {
        set: set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        unset: unset.iter().map(|it| (*it).to_owned()).collect(),
        prepend: lists(prepend),
        append: lists(append),
    }
}
