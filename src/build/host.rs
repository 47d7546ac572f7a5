//! What the host's modules have set reaches the scripts of a build.

use std::collections::BTreeMap;

use rattler_build::script::Script;
use rattler_build_recipe::{Stage1Recipe, stage1::build::BuildPlan};

/// Variables that a build itself gives to its scripts, or takes from the process (`PATH`): a module's values for them
/// would point into another prefix, or speak of another package.
const OWN: &[&str] = &[
    "ARCH",
    "BUILD",
    "BUILD_DIR",
    "BUILD_PREFIX",
    "CPU_COUNT",
    "EDITOR",
    "HOME",
    "LANG",
    "LC_ALL",
    "MAKEFLAGS",
    "NPY_VER",
    "PATH",
    "PREFIX",
    "PY3K",
    "PYTHON",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONNOUSERSITE",
    "PYTHONPATH",
    "PY_VER",
    "R",
    "RECIPE_DIR",
    "R_USER",
    "R_VER",
    "SHELL",
    "SHLIB_EXT",
    "SOURCE_DATE_EPOCH",
    "SP_DIR",
    "SRC_DIR",
    "STDLIB_DIR",
    "SUBDIR",
    "SYS_PREFIX",
    "TERM",
    "TMPDIR",
    "USER",
    "build_platform",
    "host_platform",
    "target_platform",
];

/// How the names of more of them begin.
const OWN_FAMILIES: &[&str] = &["CONDA_", "PIP_", "PKG_", "RATTLER_"];

/// The variable in which linkers find run paths: the prefix is first, because it makes room for the final one.
const RUN_PATH: &str = "LD_RUN_PATH";

/// Gives the variables to every script of a recipe, beneath those that the recipe or one of its axes sets itself. The
/// scripts stay isolated from everything else.
pub(super) fn give_environment(
    recipe: &mut Stage1Recipe,
    environment: &BTreeMap<String, String>,
    axes: &BTreeMap<String, String>,
    prefix: &str,
) {
    let mut given: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in environment {
        if name == RUN_PATH {
            given.insert(name, written(&format!("{prefix}/lib:{value}")));
        } else if !sets_itself(name) && !axes.contains_key(name) {
            given.insert(name, written(value));
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

/// Whether a build gives this variable to its scripts, whatever a module has set it to.
pub fn sets_itself(name: &str) -> bool {
    OWN.contains(&name) || OWN_FAMILIES.iter().any(|it| name.starts_with(it))
}

/// A value as the library has to be told of it: one with a `$` in it is written between double quotes, where a shell
/// expands it; only its own double quotes are taken care of.
fn written(value: &str) -> String {
    if !value.contains('$') {
        return value.to_owned();
    }
    let mut text = String::with_capacity(value.len() + 8);
    for letter in value.chars() {
        if matches!(letter, '$' | '`' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}
