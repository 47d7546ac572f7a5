//! What activation does to a process's variables, found out by running it.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    path::Path,
};

use rattler_conda_types::Subdir;
use rattler_shell::{
    activation::{ActivationError, ActivationVariables, Activator, PathModificationBehavior},
    shell::Bash,
};

use super::error::InstallError;
use crate::{base::with_causes, rt::Rt};

/// Variables that every shell sets on its own.
const OF_THE_SHELL: [&str; 4] = ["_", "SHLVL", "PWD", "OLDPWD"];

/// The variables that activating a prefix sets or changes, with their new values: `PATH`, `CONDA_PREFIX` and whatever the
/// prefix's activation scripts set. The scripts are really sourced, by bash. `current` is the caller's whole environment.
///
/// # Errors
/// When a script fails.
pub fn activation(
    rt: &Rt,
    prefix: &Path,
    platform: Subdir,
    current: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, InstallError> {
    let failed = |reason: String| InstallError::Activation { prefix: prefix.to_owned(), reason };
    let activator =
        Activator::from_path(prefix, Bash::default(), platform).map_err(|error| failed(with_causes(&error)))?;
    let current = current.clone();
    let run = move || {
        let variables = ActivationVariables {
            conda_prefix: None,
            path: None,
            path_modification_behavior: PathModificationBehavior::Prepend,
            current_env: current.clone().into_iter().collect::<HashMap<_, _>>(),
        };
        let environment = current.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value))).collect();
        activator.run_activation(variables, Some(environment))
    };
    let set =
        rt.block_on(async { tokio::task::spawn_blocking(run).await }).map_err(|error| failed(with_causes(&error)))?;
    let set = set.map_err(|error| match &error {
        ActivationError::FailedToRunActivationScript { stderr, status, .. } => {
            failed(format!("{status}: {}", stderr.trim()))
        }
        _ => failed(with_causes(&error)),
    })?;
    Ok(set.into_iter().filter(|(name, _)| !OF_THE_SHELL.contains(&name.as_str())).collect())
}
