//! The environment variables that an environment sets on activation without a script.

use std::{collections::BTreeMap, io::Read as _};

use serde_json::Value;

use crate::{
    base::FsError,
    tree::{Entries, Entry},
};

/// The variables of `etc/conda/env_vars.d/*.json` in the order of their names, as conda has it; values may hold the
/// tree's placeholder.
///
/// # Errors
/// When a file cannot be read. One that is not JSON sets nothing, as in conda.
pub fn variables(entries: &Entries) -> Result<BTreeMap<String, String>, FsError> {
    let mut variables = BTreeMap::new();
    let folder = &b"etc/conda/env_vars.d/"[..];
    for (name, entry) in entries.range(folder.to_vec()..).take_while(|(name, _)| name.starts_with(folder)) {
        let Entry::File(file) = entry else { continue };
        if name[folder.len()..].contains(&b'/') || !name.ends_with(b".json") {
            continue;
        }
        let mut bytes = Vec::new();
        file.content.open()?.read_to_end(&mut bytes).map_err(|error| file.content.fault(error))?;
        let object: Option<Value> = serde_json::from_slice(&bytes).ok();
        for (name, value) in object.as_ref().and_then(Value::as_object).into_iter().flatten() {
            if let Some(text) = value.as_str() {
                variables.insert(name.clone(), text.to_owned());
            }
        }
    }
    Ok(variables)
}
