//! Variables that a package sets without a script: conda sets what the files of a folder say, and puts back what was there.
//! Nothing has to be sourced to see what is wrong with them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{
    LintError, LintRequest, Problem,
    compare::{DEVICES, baked_in, clip},
};
use crate::base::fs;

/// Where conda looks for such files, below a prefix.
const VALUES: &str = "etc/conda/env_vars.d";

/// What is wrong with the values of a package's files. One that is no JSON sets nothing, as in conda.
pub(super) fn problems(request: &LintRequest<'_>) -> Result<Vec<Problem>, LintError> {
    let is_list = |it: &&PathBuf| {
        it.parent() == Some(Path::new(VALUES)) && it.extension().is_some_and(|extension| extension == "json")
    };
    let mut problems = Vec::new();
    for file in request.files.iter().filter(is_list) {
        let values: Option<Value> = serde_json::from_slice(&fs::read(&request.prefix.join(file))?).ok();
        for (name, value) in values.as_ref().and_then(Value::as_object).into_iter().flatten() {
            let (script, held) = (file.display().to_string(), value.as_str().unwrap_or_default());
            if name == DEVICES {
                let (before, active) = ("what a job was given".to_owned(), format!("`{}`", clip(held)));
                problems.push(Problem::Devices { script: script.clone(), when: "", before, active });
            }
            for (value, place) in baked_in(request, name, held) {
                let (script, variable, value) = (script.clone(), name.clone(), format!("`{}`", clip(&value)));
                problems.push(Problem::Baked { script, variable, value, place });
            }
        }
    }
    Ok(problems)
}
