//! Loads the modules of a set in a clean shell and takes its environment as a value.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    HostError, shell,
    variables::{self, LOADED},
};
use crate::{
    base::{Cancel, fs},
    workspace::{Host, ModuleStep, Verb},
};

/// A module that is loaded.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name and version, as the module system lists it.
    pub name: String,
    /// The folders that came into variables with it, sorted.
    pub folders: Vec<PathBuf>,
}

/// A module set as it was loaded.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub(super) struct Captured {
    /// All of the shell's environment.
    pub(super) environment: BTreeMap<String, String>,
    /// What is loaded, in the order of loading.
    pub(super) loaded: Vec<Module>,
}

/// Sources its files, does what the set says step by step, and leaves the environment after each step in a file.
const SCRIPT: &str = r#"
__envbuild_at=$1 __envbuild_inits=$2
shift 2
__envbuild_init=("${@:1:__envbuild_inits}") __envbuild_steps=("${@:__envbuild_inits+1}")
set --
for __envbuild_file in "${__envbuild_init[@]}"; do
  . "$__envbuild_file" || { echo "$__envbuild_file" >"$__envbuild_at/init"; exit 90; }
done </dev/null
/usr/bin/env -0 >"$__envbuild_at/0.env" || exit 92
((${#__envbuild_steps[@]})) || exit 0
type module >/dev/null 2>&1 || exit 91
__envbuild_n=0
for __envbuild_step in "${__envbuild_steps[@]}"; do
  __envbuild_n=$((__envbuild_n + 1))
  module ${__envbuild_step%% *} "${__envbuild_step#* }" </dev/null >"$__envbuild_at/$__envbuild_n.out" 2>"$__envbuild_at/$__envbuild_n.err"
  echo $? >"$__envbuild_at/$__envbuild_n.status"
  /usr/bin/env -0 >"$__envbuild_at/$__envbuild_n.env" || exit 92
done
exit 0
"#;

/// The files that a login shell sources, where module systems define `module`. Not /etc/profile itself: it gives root
/// another PATH than others.
const PROFILE: &str = "/etc/profile.d";

/// The files that are sourced first: those of the manifest, or what every login shell sources when modules are wanted.
pub(super) fn init_files(host: &Host, steps: &[ModuleStep]) -> Vec<PathBuf> {
    if !host.init.is_empty() || steps.is_empty() {
        return host.init.iter().map(|it| it.path.clone()).collect();
    }
    let listed = std::fs::read_dir(PROFILE).into_iter().flatten().flatten().map(|it| it.path());
    let mut files: Vec<PathBuf> =
        listed.filter(|it| it.extension().is_some_and(|it| it == "sh") && it.is_file()).collect();
    files.sort();
    files
}

/// Loads a set.
///
/// # Errors
/// When a file that is sourced is not there, or a module cannot be loaded: every one that cannot.
pub(super) fn capture(host: &Host, steps: &[ModuleStep], cancel: &Cancel) -> Result<Captured, Vec<HostError>> {
    let missing: Vec<HostError> = host
        .init
        .iter()
        .filter(|it| !it.path.is_file())
        .map(|it| HostError::NoInit { file: it.written.clone(), at: it.origin.clone().into() })
        .collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    let at = fs::Scratch::new().map_err(|error| vec![error.into()])?;
    let init = init_files(host, steps);
    let mut command = shell::bash();
    command.args(["-c", SCRIPT, "envbuild"]).arg(at.path()).arg(init.len().to_string()).args(&init);
    command.args(steps.iter().map(|it| format!("{} {}", verb(it.verb), it.name)));
    let said = shell::run(command, at.path(), cancel).map_err(|error| vec![error])?;
    match said.status.code() {
        Some(0) => read(at.path(), steps),
        Some(90) => {
            let path = fs::read_text(&at.path().join("init")).unwrap_or_default().trim().to_owned();
            let named = host.init.iter().find(|it| it.path == Path::new(&path));
            let at = named.map(|it| it.origin.clone().into());
            let file = named.map_or(path, |it| it.written.clone());
            Err(vec![HostError::Init { file, said: said.errors, at }])
        }
        Some(91) => Err(vec![HostError::NoModules { at: steps[0].origin.clone().into() }]),
        _ => Err(vec![HostError::Ended { status: said.status.to_string(), said: said.errors }]),
    }
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Load => "load",
        Verb::Unload => "unload",
    }
}

fn read(at: &Path, steps: &[ModuleStep]) -> Result<Captured, Vec<HostError>> {
    let text = |file: String| fs::read(&at.join(file)).map(|it| String::from_utf8_lossy(&it).trim().to_owned());
    let environment = |number: usize| dumped(&at.join(format!("{number}.env")));
    let mut before = environment(0).map_err(|error| vec![error])?;
    let mut loaded: Vec<Module> = is_loaded(&before).map(|name| Module { name, folders: Vec::new() }).collect();
    let mut problems = Vec::new();
    for (number, step) in (1..).zip(steps) {
        let one = || -> Result<(String, String, BTreeMap<String, String>), HostError> {
            let (status, said) = (text(format!("{number}.status"))?, text(format!("{number}.err"))?);
            Ok((status, said, environment(number)?))
        };
        let (status, said, after) = one().map_err(|error| vec![error])?;
        let unchanged = is_loaded(&before).eq(is_loaded(&after));
        let (module, at) = (step.name.clone(), step.origin.clone().into());
        match step.verb {
            // Old module systems say what is wrong and return 0.
            Verb::Load if status != "0" || (unchanged && !said.is_empty() && !names(&before, &module)) => {
                problems.push(HostError::Module { module, said, at });
            }
            Verb::Unload if !names(&before, &module) => {
                let loaded = is_loaded(&before).collect::<Vec<_>>().join(", ");
                problems.push(HostError::NotLoaded { module, loaded, at });
            }
            Verb::Unload if status != "0" => problems.push(HostError::Module { module, said, at }),
            _ => {}
        }
        let now: Vec<String> = is_loaded(&after).collect();
        loaded.retain(|it| now.contains(&it.name));
        let folders = variables::new_folders(&before, &after);
        for name in now.into_iter().filter(|it| !loaded.iter().any(|known| &known.name == it)).collect::<Vec<_>>() {
            loaded.push(Module { name, folders: folders.clone() });
        }
        before = after;
    }
    if problems.is_empty() { Ok(Captured { environment: before, loaded }) } else { Err(problems) }
}

/// What a module system says is loaded.
fn is_loaded(environment: &BTreeMap<String, String>) -> impl Iterator<Item = String> + '_ {
    variables::listed(environment, LOADED).map(str::to_owned)
}

/// Whether a module is loaded in any version, or in the one that is named.
fn names(environment: &BTreeMap<String, String>, module: &str) -> bool {
    is_loaded(environment).any(|it| it == module || it.strip_prefix(module).is_some_and(|rest| rest.starts_with('/')))
}

/// What `env -0` wrote. A variable that is not UTF-8 is left out: no build could be told of it.
fn dumped(file: &Path) -> Result<BTreeMap<String, String>, HostError> {
    let bytes = fs::read(file)?;
    let variable = |it: &[u8]| {
        let (name, value) = std::str::from_utf8(it).ok()?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    Ok(bytes.split(|it| *it == 0).filter_map(variable).collect())
}
