//! What activation does to a process's variables, found out by running it.

use std::{collections::BTreeMap, path::Path};

use rattler_conda_types::Subdir;
use rattler_shell::{
    activation::{ActivationVariables, Activator, PathModificationBehavior},
    shell::{Bash, Shell as _},
};

use super::error::InstallError;
use crate::base::with_causes;

/// Variables that every shell sets on its own.
const OF_THE_SHELL: [&str; 4] = ["_", "SHLVL", "PWD", "OLDPWD"];

/// Stands between what scripts print and the variables. They print no NUL.
const MARK: &str = "\0envbuild:activated\0";

/// The end of what bash runs: it prints the mark and the variables.
const TELL: &str = "builtin printf '\\0envbuild:activated\\0'\nenv -0\n";

/// All variables after a prefix was activated: `PATH`, `CONDA_PREFIX` and whatever the prefix's activation scripts set are
/// there, and what they unset is not. The scripts are really sourced, by bash. `current` is the caller's whole environment.
///
/// # Errors
/// When a script fails or ends the shell.
pub fn activation(
    prefix: &Path,
    platform: Subdir,
    current: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, InstallError> {
    let failed = |reason: String| InstallError::Activation { prefix: prefix.to_owned(), reason };
    let script = || {
        let variables = ActivationVariables {
            conda_prefix: None,
            path: None,
            path_modification_behavior: PathModificationBehavior::Prepend,
            current_env: current.clone().into_iter().collect(),
        };
        let activator = Activator::from_path(prefix, Bash::default(), platform)?;
        Ok(activator.activation(variables)?.script.contents()?)
    };
    let script = script().map_err(|error: rattler_shell::activation::ActivationError| failed(with_causes(&error)))?;
    // As a text and not as a file: there may be no place to write one. The child stays in this process's group, outside
    // of which it would be taken for something that a job has left behind.
    let mut bash = Bash::default().create_run_script_command(Path::new("-c"));
    bash.arg(format!("{script}\n{TELL}")).env_clear().envs(current);
    let ran = bash.output().map_err(|error| failed(format!("bash does not start: {error}")))?;
    if !ran.status.success() {
        return Err(failed(format!("{}: {}", ran.status, String::from_utf8_lossy(&ran.stderr).trim())));
    }
    let printed = String::from_utf8_lossy(&ran.stdout);
    let Some((_, after)) = printed.rsplit_once(MARK) else {
        return Err(failed("a script ends the shell".to_owned()));
    };
    // What is no name to a shell, a shell may drop; it is not a script's work.
    let mut all = current.clone();
    all.retain(|name, _| OF_THE_SHELL.contains(&name.as_str()) || !is_name(name));
    for (name, value) in after.split('\0').filter_map(|it| it.split_once('=')) {
        if !OF_THE_SHELL.contains(&name) {
            all.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(all)
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|it: char| it.is_ascii_digit()) && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
}
