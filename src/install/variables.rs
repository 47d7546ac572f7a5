//! The environment variables that an environment sets on activation without a script.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::InstallError;
use crate::base::fs;

/// The variables of `etc/conda/env_vars.d/*.json` in the order of their names, and those of `conda-meta/state`, which
/// are stronger, as conda has it.
///
/// # Errors
/// When a file is there and cannot be read. One that is not JSON sets nothing, as in conda.
pub fn variables(prefix: &Path) -> Result<BTreeMap<String, String>, InstallError> {
    let mut variables = BTreeMap::new();
    for file in fs::list(&prefix.join("etc/conda/env_vars.d"))? {
        if file.extension().is_some_and(|it| it == "json") {
            add(&mut variables, serde_json::from_slice(&fs::read(&file)?).ok().as_ref());
        }
    }
    if let Some(bytes) = fs::read_if_there(&prefix.join("conda-meta/state"))? {
        let state: Option<Value> = serde_json::from_slice(&bytes).ok();
        add(&mut variables, state.as_ref().and_then(|it| it.get("env_vars")));
    }
    Ok(variables)
}

fn add(variables: &mut BTreeMap<String, String>, object: Option<&Value>) {
    for (name, value) in object.and_then(Value::as_object).into_iter().flatten() {
        if let Some(text) = value.as_str() {
            variables.insert(name.clone(), text.to_owned());
        }
    }
}
