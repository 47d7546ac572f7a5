//! What activation does to a process's variables, found out by running it.

use std::{collections::BTreeMap, path::Path, time::Duration};

use rattler_conda_types::Subdir;
use rattler_shell::{
    activation::{ActivationVariables, Activator, BoundedActivationError, PathModificationBehavior},
    environment::EnvironmentSnapshot,
    process::ProcessLimits,
    shell::Bash,
};

use super::error::InstallError;
use crate::{base::with_causes, rt::Rt};

/// Variables that every shell sets on its own.
const OF_THE_SHELL: [&str; 4] = ["_", "SHLVL", "PWD", "OLDPWD"];

/// Scripts of packages are not ours to hurry; what never ends is ended all the same.
const LIMITS: ProcessLimits = ProcessLimits { timeout: Duration::from_secs(60 * 60), output_limit: 256 << 20 };

/// All variables after a prefix was activated: `PATH`, `CONDA_PREFIX` and whatever the prefix's activation scripts set are
/// there, and what they unset is not. The scripts are really sourced, by bash. `current` is the caller's whole environment.
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
    let variables = ActivationVariables {
        conda_prefix: None,
        path: None,
        path_modification_behavior: PathModificationBehavior::Prepend,
        // Filled in from the environment.
        current_env: Default::default(),
    };
    let environment: EnvironmentSnapshot = current.iter().collect();
    let ran = rt.block_on(async { activator.run_activation_bounded(variables, &environment, LIMITS).await });
    let after = ran.map_err(|error| match &error {
        BoundedActivationError::Failed { status, stderr } => {
            failed(format!("{status}: {}", String::from_utf8_lossy(stderr).trim()))
        }
        _ => failed(with_causes(&error)),
    })?;
    let mut after: BTreeMap<String, String> = after.unicode_variables().into_iter().collect();
    for name in OF_THE_SHELL {
        match current.get(name) {
            Some(value) => after.insert(name.to_owned(), value.clone()),
            None => after.remove(name),
        };
    }
    Ok(after)
}
