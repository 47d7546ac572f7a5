//! What the host's modules have set reaches the scripts of a build.

use std::collections::BTreeMap;

use rattler_build::script::Script;
use rattler_build_recipe::{Stage1Recipe, stage1::build::BuildPlan};

/// Variables that a build itself gives to its scripts, or takes from the process (`PATH`): a module's values for them
/// would point into another prefix.
const OWN: &[&str] = &[
    "BUILD",
    "BUILD_PREFIX",
    "CONDA_BUILD",
    "CONDA_PREFIX",
    "CPU_COUNT",
    "HOME",
    "LANG",
    "LC_ALL",
    "MAKEFLAGS",
    "PATH",
    "PREFIX",
    "PYTHON",
    "PYTHONHOME",
    "PYTHONPATH",
    "RECIPE_DIR",
    "SHELL",
    "SOURCE_DATE_EPOCH",
    "SP_DIR",
    "SRC_DIR",
    "STDLIB_DIR",
    "SYS_PREFIX",
    "TERM",
    "TMPDIR",
    "USER",
];

/// The variable in which linkers find run paths: the prefix is first, because it makes room for the final one.
const RUN_PATH: &str = "LD_RUN_PATH";

/// Gives the variables to every script of a recipe, beneath those that the recipe sets itself. The scripts stay isolated
/// from everything else.
pub(super) fn give_environment(recipe: &mut Stage1Recipe, environment: &BTreeMap<String, String>, prefix: &str) {
    let mut given: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in environment {
        if name == RUN_PATH {
            given.insert(name, format!("{prefix}/lib:{value}"));
        } else if !OWN.contains(&name.as_str()) {
            given.insert(name, value.clone());
        }
    }
    let give = |script: &mut Script| {
        for (name, value) in &given {
            script.env.entry((*name).to_owned()).or_insert_with(|| value.clone());
        }
    };
    let staged = recipe.staging_caches.iter_mut().map(|it| &mut it.build.plan);
    for plan in std::iter::once(&mut recipe.build.plan).chain(staged) {
        match plan {
            BuildPlan::Script(script) => give(script),
            BuildPlan::Steps(steps) => steps.iter_mut().for_each(|step| {
                for (name, value) in &given {
                    step.env.entry((*name).to_owned()).or_insert_with(|| value.clone());
                }
            }),
        }
    }
}
