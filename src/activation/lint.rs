//! The verb: sources a package's scripts as a shell does, and finds what they do that nobody asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    ACTIVATE, DEACTIVATE, LintError, Problem, compare,
    session::{self, Session, Setup},
    touched::{sentinel, touched},
    values,
};
use crate::base::fs;

/// What to lint, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct LintRequest<'a> {
    /// The package.
    pub package: &'a str,
    /// The prefix that its files are in, as they will be where it is installed.
    pub prefix: &'a Path,
    /// Its files, relative to the prefix; only scripts of activation for POSIX shells count.
    pub files: &'a BTreeSet<PathBuf>,
    /// Variables that the scripts change although their text does not show it.
    pub variables: &'a BTreeSet<String>,
    /// The `LD_LIBRARY_PATH` that the build had, empty when it had none.
    pub library_path: &'a str,
    /// Folders that exist while the package is built and nowhere else.
    pub places: &'a [PathBuf],
    /// An empty folder for what trying them leaves.
    pub folder: &'a Path,
    /// The longest that a shell may take to source all of them.
    pub limit: Duration,
}

/// Sources the scripts of a package in a clean bash, those of activation by name and then those of deactivation in reverse
/// order, and compares the shell before and after: once where none of the variables that they change is set, once where
/// all of them are. Values that a package sets without a script are looked at, too; `.csh` and `.fish` scripts are not looked at.
///
/// # Errors
/// When the scripts leave something behind, change the device mask of a job, name a place of the build, fail, or do not
/// come to an end. The error tells all that was found.
pub fn lint(request: &LintRequest<'_>) -> Result<(), LintError> {
    let (activating, deactivating) = (below(request.files, ACTIVATE), below(request.files, DEACTIVATE));
    let scripts: Vec<PathBuf> = activating.iter().chain(deactivating.iter().rev()).map(|it| (*it).clone()).collect();
    let mut problems = values::problems(request)?;
    if !scripts.is_empty() {
        problems.extend(Bench { request, scripts, activating: activating.len() }.problems()?);
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(LintError::Harm { package: request.package.to_owned(), problems })
}

/// The scripts in a folder, by name.
fn below<'a>(files: &'a BTreeSet<PathBuf>, folder: &str) -> Vec<&'a PathBuf> {
    let is_script = |it: &&PathBuf| {
        it.parent() == Some(Path::new(folder)) && it.extension().is_some_and(|extension| extension == "sh")
    };
    files.iter().filter(is_script).collect()
}

/// The scripts of one package in the order in which they are sourced.
pub(super) struct Bench<'a> {
    pub(super) request: &'a LintRequest<'a>,
    /// Relative to the prefix.
    pub(super) scripts: Vec<PathBuf>,
    /// How many of them are of activation; they come first.
    pub(super) activating: usize,
}

impl Bench<'_> {
    fn problems(&self) -> Result<Vec<Problem>, LintError> {
        let bare = self.variables();
        let strict = self.session("unset", &bare, true)?;
        // Many scripts ask for variables that may be unset, which ends a strict shell and no other. That is no fault.
        let plain = if strict.is_whole() || strict.hung { None } else { Some(self.session("plain", &bare, false)?) };
        let told = plain.as_ref().unwrap_or(&strict);
        let mut problems = compare::problems(self, told, "");
        if !told.is_whole() {
            return Ok(problems);
        }
        let mut set = bare;
        for name in touched(&told.states, &self.texts()?).iter().chain(self.request.variables) {
            set.entry(name.clone()).or_insert_with(|| sentinel(name));
        }
        set.insert("CUDA_VISIBLE_DEVICES".to_owned(), DEVICES.to_owned());
        set.entry("LD_LIBRARY_PATH".to_owned()).or_insert_with(|| sentinel("LD_LIBRARY_PATH"));
        let again = self.session("set", &set, false)?;
        add(&mut problems, compare::problems(self, &again, " where its variables were set before"));
        Ok(problems)
    }

    /// What a shell has in which an environment is being activated, and nothing else.
    fn variables(&self) -> BTreeMap<String, String> {
        let prefix = self.request.prefix.to_string_lossy();
        let home = self.request.folder.to_string_lossy();
        let path = format!("{prefix}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        [
            ("PATH", path.as_str()),
            ("HOME", &home),
            ("USER", "nobody"),
            ("LOGNAME", "nobody"),
            ("SHELL", "/bin/bash"),
            ("LANG", "C.UTF-8"),
            ("TERM", "dumb"),
            ("CONDA_PREFIX", &prefix),
            ("CONDA_DEFAULT_ENV", &prefix),
            ("CONDA_SHLVL", "1"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }

    fn session(&self, name: &str, variables: &BTreeMap<String, String>, strict: bool) -> Result<Session, LintError> {
        let folder = self.request.folder.join(name);
        let scripts: Vec<PathBuf> = self.scripts.iter().map(|it| self.request.prefix.join(it)).collect();
        session::run(&Setup { folder: &folder, scripts: &scripts, variables, strict, limit: self.request.limit })
    }

    fn texts(&self) -> Result<Vec<String>, LintError> {
        let text = |it: &PathBuf| Ok(String::from_utf8_lossy(&fs::read(&self.request.prefix.join(it))?).into_owned());
        self.scripts.iter().map(text).collect()
    }
}

/// The devices of a job, neither all nor in order.
const DEVICES: &str = "3,1";

/// Adds what was not told yet.
fn add(problems: &mut Vec<Problem>, more: Vec<Problem>) {
    for problem in more {
        if !problems.iter().any(|it| it.subject() == problem.subject()) {
            problems.push(problem);
        }
    }
}
