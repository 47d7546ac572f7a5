//! Which variables of a captured environment say something about the host.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// What belongs to the shell, its user or its session: it may differ between two machines of one site, and no build
/// has a use for it.
const SHELL: &[&str] = &[
    "BASH_ENV",
    "COLORTERM",
    "DISPLAY",
    "EDITOR",
    "ENV",
    "HISTCONTROL",
    "HISTFILE",
    "HISTSIZE",
    "HOME",
    "HOST",
    "HOSTNAME",
    "INFOPATH",
    "LANG",
    "LC_ALL",
    "LESSOPEN",
    "LOGNAME",
    "LS_COLORS",
    "MAIL",
    "MANPATH",
    "OLDPWD",
    "PAGER",
    "PROMPT_COMMAND",
    "PS1",
    "PWD",
    "SHELL",
    "SHELLOPTS",
    "SHLVL",
    "TERM",
    "TMPDIR",
    "USER",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_ID",
    "_",
];

/// How the names begin in which module systems keep their own state: Lmod's tables and settings, those of Environment
/// Modules, exported shell functions.
const STATE: &[&str] =
    &["BASH_FUNC_", "LMOD_", "MODULES_", "MODULE_VERSION", "_ModuleTable", "__LMOD", "__MODULES_", "FPATH"];

/// More of their state.
const MODULE_STATE: &[&str] = &[
    "LOADEDMODULES",
    "MODULECONTACT",
    "MODULEPATH",
    "MODULEPATH_ROOT",
    "MODULERCFILE",
    "MODULESHOME",
    "_LMFILES_",
    "__Init_Default_Modules",
];

/// The programs and settings of module systems, by the variables that name them.
const PROGRAMS: &[&str] = &["LMOD_CMD", "MODULES_CMD", "LMOD_RC", "MODULERCFILE", "LMOD_MODULERCFILE"];

/// The files in a folder that say which of its modules is the default.
const DEFAULTS: &[&str] = &[".version", ".modulerc", ".modulerc.lua", "default"];

/// Where a module system lists what is loaded, separated by colons.
pub(super) const LOADED: &str = "LOADEDMODULES";

/// Where it lists the files of these modules.
pub(super) const MODULE_FILES: &str = "_LMFILES_";

/// Where it looks for modules.
const MODULE_PATH: &str = "MODULEPATH";

/// The environment without what is no input of a build.
pub(super) fn of_host(environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let says_something = |name: &str| {
        !SHELL.contains(&name) && !MODULE_STATE.contains(&name) && !STATE.iter().any(|it| name.starts_with(it))
    };
    environment
        .iter()
        .filter(|(name, _)| says_something(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The elements of a list with colons.
pub(super) fn listed<'a>(environment: &'a BTreeMap<String, String>, name: &str) -> impl Iterator<Item = &'a str> {
    environment.get(name).map_or("", String::as_str).split(':').filter(|it| !it.is_empty())
}

/// The folders that came into variables between two environments, sorted. The root and its children provide anything.
pub(super) fn new_folders(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let before = of_host(before);
    let mut folders: Vec<PathBuf> = of_host(after)
        .iter()
        .filter(|(name, value)| before.get(*name) != Some(value))
        .flat_map(|(name, value)| {
            let old: Vec<&str> = listed(&before, name).collect();
            value.split(':').filter(|it| !old.contains(it)).map(str::to_owned).collect::<Vec<_>>()
        })
        // Words with spaces are options of a compiler or names of folders.
        .filter(|it| it.starts_with('/') && (!it.contains(char::is_whitespace) || Path::new(it).is_dir()))
        .map(|it| PathBuf::from(it.trim_end_matches('/')))
        .filter(|it| it.components().count() > 2)
        .collect();
    folders.sort();
    folders.dedup();
    folders
}

/// The files and folders that decided about an environment: the module system's own, and for each module that is
/// loaded its file and all the folders in which another file might have been taken instead.
pub(super) fn places(environment: &BTreeMap<String, String>) -> BTreeSet<PathBuf> {
    let mut places: BTreeSet<PathBuf> =
        PROGRAMS.iter().flat_map(|it| listed(environment, it)).map(PathBuf::from).collect();
    places.extend(listed(environment, MODULE_PATH).map(PathBuf::from));
    places.extend(listed(environment, MODULE_FILES).map(PathBuf::from));
    places.extend(listed(environment, LOADED).flat_map(|it| homes(environment, it)));
    places
}

/// Where a module of this name might be: below each folder in which modules are looked for, whether it is there or not.
pub(super) fn homes(environment: &BTreeMap<String, String>, module: &str) -> BTreeSet<PathBuf> {
    let mut homes = BTreeSet::new();
    for folder in listed(environment, MODULE_PATH).map(Path::new) {
        for part in Path::new(module).ancestors().filter(|it| !it.as_os_str().is_empty()) {
            let home = folder.join(part);
            homes.extend(DEFAULTS.iter().map(|it| home.join(it)));
            homes.insert(home);
        }
    }
    homes
}

/// Whether a text names a folder, and not only one that begins like it or is inside it.
pub(super) fn mentions(text: &str, folder: &Path) -> bool {
    let Some(folder) = folder.to_str() else { return false };
    let goes_on = |it: char| it.is_alphanumeric() || "-_.+/".contains(it);
    text.match_indices(folder).any(|(at, _)| {
        let rest = &text[at + folder.len()..];
        !rest.strip_prefix('/').unwrap_or(rest).starts_with(goes_on)
    })
}
