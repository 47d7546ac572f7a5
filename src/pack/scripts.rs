//! The shell scripts that envbuild adds to an environment.

use std::collections::BTreeMap;

use super::error::PackError;

/// What the scripts are made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scripts<'a> {
    pub(super) placeholder: &'a str,
    /// What activation sets; values may hold the placeholder.
    pub(super) variables: &'a BTreeMap<String, String>,
}

impl Scripts<'_> {
    /// Gives every environment variable a name that a shell can set.
    ///
    /// # Errors
    /// When one is not such a name, or its value holds a NUL byte.
    pub(super) fn check(&self) -> Result<(), PackError> {
        match self.variables.iter().find(|(name, value)| !is_variable(name) || value.contains('\0')) {
            Some((name, _)) => Err(PackError::Variable(name.clone())),
            None => Ok(()),
        }
    }

    /// `bin/conda-unpack`.
    pub(super) fn conda_unpack(&self) -> String {
        include_str!("conda-unpack.sh")
            .replace("@PLACEHOLDER@", self.placeholder)
            .replace("@LENGTH@", &self.placeholder.len().to_string())
    }

    /// `bin/activate`, which holds the placeholder and must be relocated as text.
    pub(super) fn activate(&self) -> String {
        let set: Vec<String> = self
            .settings()
            .iter()
            .map(|(name, value)| {
                format!(
                    "if [ -n \"${{{name}+x}}\" ]; then _ENVBUILD_OLD_{name}=${name}; else unset _ENVBUILD_OLD_{name}; \
                     fi\nexport {name}={value}"
                )
            })
            .collect();
        let text = include_str!("activate.sh").replace("@PLACEHOLDER@", self.placeholder);
        text.replace("@SET@", &set.join("\n"))
    }

    /// `bin/deactivate`.
    pub(super) fn deactivate(&self) -> String {
        let restore: Vec<String> = self
            .settings()
            .iter()
            .map(|(name, _)| {
                format!(
                    "    if [ -n \"${{_ENVBUILD_OLD_{name}+x}}\" ]; then {name}=$_ENVBUILD_OLD_{name}; else unset \
                     {name}; fi\n    unset _ENVBUILD_OLD_{name}"
                )
            })
            .collect();
        include_str!("deactivate.sh").replace("@RESTORE@", &restore.join("\n"))
    }

    /// Every variable with the shell words that make its value, in the order in which they are set.
    fn settings(&self) -> Vec<(&str, String)> {
        let prefix = "\"$_ENVBUILD_PREFIX\"";
        let mut settings = vec![
            ("CONDA_PREFIX", prefix.to_owned()),
            // As it is called where it stands: whoever moves it need not write it anew.
            ("CONDA_DEFAULT_ENV", "\"${_ENVBUILD_PREFIX##*/}\"".to_owned()),
            ("PATH", "\"$_ENVBUILD_PREFIX/bin${PATH:+:$PATH}\"".to_owned()),
        ];
        let fixed: Vec<&str> = settings.iter().map(|(name, _)| *name).collect();
        for (name, value) in self.variables {
            if !fixed.contains(&name.as_str()) {
                // The path is taken from the shell's variable, so that its characters need no quoting here.
                let words: Vec<String> = value.split(self.placeholder).map(quote).collect();
                settings.push((name, words.join(prefix)));
            }
        }
        settings
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A shell word that stands for exactly this text.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
