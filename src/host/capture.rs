//! Loads the modules of a set in a clean shell and takes its environment as a value.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::Metadata,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use miette::SourceSpan;
use serde::{Deserialize, Serialize};

use super::{
    HostError,
    shell::{self, Limits, Said},
    variables::{self, LOADED, MODULE_FILES},
};
use crate::{
    base::fs,
    workspace::{Host, ModuleStep, Verb},
};

/// A module that is loaded.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name and version, as the module system lists it.
    pub name: String,
    /// The module file, where the module system tells it.
    pub file: Option<PathBuf>,
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
    /// The files that were sourced, those that these sourced in their turn, and where module files are or might be.
    pub(super) consulted: BTreeSet<PathBuf>,
    /// Whether none of them was touched meanwhile.
    #[serde(skip)]
    pub(super) steady: bool,
}

/// Sources its files, does what the set says step by step, and leaves the environment after each step in a file. What
/// it has come to is told by files, too: a file or a module that calls `exit` can choose any status.
const SCRIPT: &str = r#"
__envbuild_at=$1 __envbuild_must=$2 __envbuild_inits=$3
shift 3
__envbuild_init=("${@:1:__envbuild_inits}") __envbuild_steps=("${@:__envbuild_inits+1}")
set --
__envbuild_note() {
  [ "${BASH_SOURCE[1]:-}" = "${__envbuild_last:-}" ] && return 0
  __envbuild_last=${BASH_SOURCE[1]:-}
  printf '%s\0' "$__envbuild_last" >>"$__envbuild_at/sourced"
}
set -T
trap __envbuild_note DEBUG
for __envbuild_file in "${__envbuild_init[@]}"; do
  printf %s "$__envbuild_file" >"$__envbuild_at/init"
  . "$__envbuild_file" || [ "$__envbuild_must" = no ] || { : >"$__envbuild_at/failed"; exit 1; }
done </dev/null
trap - DEBUG
set +aeuT +o pipefail
/bin/rm -f "$__envbuild_at/init"
/usr/bin/env -0 >"$__envbuild_at/0.env" || exit 1
__envbuild_n=0
for __envbuild_step in "${__envbuild_steps[@]}"; do
  __envbuild_known=:${LOADEDMODULES:-}: __envbuild_new=()
  type module >/dev/null 2>&1 || { : >"$__envbuild_at/without"; exit 1; }
  __envbuild_n=$((__envbuild_n + 1))
  module ${__envbuild_step%% *} "${__envbuild_step#* }" </dev/null >"$__envbuild_at/$__envbuild_n.out" 2>"$__envbuild_at/$__envbuild_n.err"
  echo $? >"$__envbuild_at/$__envbuild_n.status"
  /usr/bin/env -0 >"$__envbuild_at/$__envbuild_n.env" || exit 1
  IFS=: read -ra __envbuild_loaded <<<"${LOADEDMODULES:-}"
  for __envbuild_name in "${__envbuild_loaded[@]}"; do
    case $__envbuild_known in *":$__envbuild_name:"*) ;; *) __envbuild_new+=("$__envbuild_name") ;; esac
  done
  ((${#__envbuild_new[@]} > 1)) || continue
  for __envbuild_name in "${__envbuild_new[@]}"; do
    module show "$__envbuild_name" </dev/null >"$__envbuild_at/$__envbuild_n.${__envbuild_name//\//+}.show" 2>&1
  done
done
: >"$__envbuild_at/done"
exit 0
"#;

/// The files that a login shell sources, where module systems define `module`. Not /etc/profile itself: it gives root
/// another PATH than others.
const PROFILE: &str = "/etc/profile.d";

/// The files that are sourced first: those of the manifest, or what every login shell sources when modules are wanted.
fn init_files(host: &Host, steps: &[ModuleStep]) -> Vec<PathBuf> {
    if !host.init.is_empty() || steps.is_empty() {
        return host.init.iter().map(|it| it.path.clone()).collect();
    }
    let listed = fs::list(Path::new(PROFILE)).unwrap_or_default().into_iter();
    let mut files: Vec<PathBuf> =
        listed.filter(|it| it.extension().is_some_and(|it| it == "sh") && it.is_file()).collect();
    files.sort();
    files
}

/// Loads a set.
///
/// # Errors
/// When a file that is sourced is not there, or a module cannot be loaded: every one that cannot.
pub(super) fn capture(host: &Host, steps: &[ModuleStep], limits: Limits<'_>) -> Result<Captured, Vec<HostError>> {
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
    fs::write_atomic(&at.path().join(BEGAN), b"").map_err(|error| vec![error.into()])?;
    let init = init_files(host, steps);
    let mut command = shell::bash();
    // Nobody answers for the status of what the system's own files do last.
    let must = if host.init.is_empty() { "no" } else { "yes" };
    command.args(["-c", SCRIPT, "envbuild"]).arg(at.path()).arg(must).arg(init.len().to_string()).args(&init);
    command.args(steps.iter().map(|it| format!("{} {}", verb(it.verb), it.name)));
    let ran = shell::run(command, at.path(), "the shell that loads modules", limits);
    let left = Left { at: at.path(), host, steps };
    match ran {
        Ok(_) if left.has("done") => left.captured(init),
        Ok(_) if left.has("without") => Err(vec![HostError::NoModules { at: steps[0].origin.clone().into() }]),
        Ok(said) => Err(vec![left.end(said)]),
        Err(HostError::Slow { seconds, .. }) => {
            let (what, at) = left.current();
            Err(vec![HostError::Slow { what: what.unwrap_or("the shell that loads modules".to_owned()), seconds, at }])
        }
        Err(error) => Err(vec![error]),
    }
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Load => "load",
        Verb::Unload => "unload",
    }
}

/// The file that is as old as the shell: no clock is asked but that of files.
const BEGAN: &str = "began";

fn touched(file: &Metadata) -> (i64, i64) {
    (file.ctime(), file.ctime_nsec())
}

/// What the script left in its folder.
struct Left<'a> {
    at: &'a Path,
    host: &'a Host,
    steps: &'a [ModuleStep],
}

impl Left<'_> {
    fn has(&self, file: &str) -> bool {
        self.at.join(file).exists()
    }

    fn text(&self, file: &str) -> Result<String, HostError> {
        Ok(String::from_utf8_lossy(&fs::read(&self.at.join(file))?).trim().to_owned())
    }

    /// What the module system said at a step. Some speak on standard output.
    fn said(&self, number: usize) -> Result<String, HostError> {
        let errors = self.text(&format!("{number}.err"))?;
        if errors.is_empty() { self.text(&format!("{number}.out")) } else { Ok(errors) }
    }

    /// The file that was being sourced, as the manifest writes it, and where.
    fn init(&self) -> Option<(String, Option<SourceSpan>)> {
        let path = self.text("init").ok()?;
        let named = self.host.init.iter().find(|it| it.path == Path::new(&path));
        Some((named.map_or(path, |it| it.written.clone()), named.map(|it| it.origin.clone().into())))
    }

    /// The module that was being loaded, by its number.
    fn step(&self) -> Option<(usize, &ModuleStep)> {
        (1..).zip(self.steps).find(|(number, _)| !self.has(&format!("{number}.status")))
    }

    /// What the shell was about in the end, and where the manifest says so.
    fn current(&self) -> (Option<String>, Option<SourceSpan>) {
        if let Some((file, at)) = self.init() {
            return (Some(format!("`{file}`")), at);
        }
        let module = self.step().map(|it| it.1).filter(|_| self.has("0.env"));
        let what = module.map(|it| format!("`module {} {}`", verb(it.verb), it.name));
        (what, module.map(|it| it.origin.clone().into()))
    }

    /// Why there is no result.
    fn end(&self, said: Said) -> HostError {
        if self.has("failed")
            && let Some((file, at)) = self.init()
        {
            return HostError::Init { file, said: said.errors, at };
        }
        let words = self.step().and_then(|(number, _)| self.said(number).ok());
        let said_last = words.filter(|it| !it.is_empty()).unwrap_or(said.errors);
        let (what, at) = self.current();
        let what = what.map(|it| format!(" in {it}")).unwrap_or_default();
        HostError::Ended { what, status: said.status.to_string(), said: said_last, at }
    }

    /// The environments before the first step and after each.
    fn environments(&self) -> Result<Vec<BTreeMap<String, String>>, HostError> {
        (0..=self.steps.len()).map(|number| dumped(&self.at.join(format!("{number}.env")))).collect()
    }

    fn captured(&self, init: Vec<PathBuf>) -> Result<Captured, Vec<HostError>> {
        let mut environments = self.environments().map_err(|error| vec![error])?;
        let mut loaded: Vec<Module> =
            is_loaded(&environments[0]).map(|name| Module { name, file: None, folders: Vec::new() }).collect();
        let mut problems = Vec::new();
        for ((number, step), around) in (1..).zip(self.steps).zip(environments.windows(2)) {
            let (before, after) = (&around[0], &around[1]);
            problems.extend(self.problem(number, step, (before, after)).map_err(|error| vec![error])?);
            let now: Vec<String> = is_loaded(after).collect();
            loaded.retain(|it| now.contains(&it.name));
            let new: Vec<String> = now.into_iter().filter(|it| !loaded.iter().any(|known| &known.name == it)).collect();
            loaded.extend(self.modules(number, new, &variables::new_folders(before, after)));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut consulted: BTreeSet<PathBuf> = environments.iter().flat_map(variables::places).collect();
        for step in self.steps {
            consulted.extend(environments.iter().flat_map(|it| variables::homes(it, &step.name)));
        }
        if self.host.init.is_empty() && !self.steps.is_empty() {
            consulted.insert(PathBuf::from(PROFILE));
        }
        let sourced = fs::read_if_there(&self.at.join("sourced")).ok().flatten().unwrap_or_default();
        let sourced = sourced.split(|it| *it == 0).filter_map(|it| std::str::from_utf8(it).ok()).map(PathBuf::from);
        consulted.extend(init.into_iter().chain(sourced));
        // What a process is handed by another is no file.
        consulted.retain(|it| it.is_absolute() && !["/dev", "/proc"].iter().any(|place| it.starts_with(place)));
        let environment = environments.pop().unwrap_or_default();
        // The two lists go together.
        let files: Vec<&str> = variables::listed(&environment, MODULE_FILES).collect();
        for (name, file) in is_loaded(&environment).zip(&files) {
            let known = loaded.iter_mut().find(|it| it.name == name);
            known.into_iter().for_each(|it| it.file = Some(PathBuf::from(file)));
        }
        let began = self.at.join(BEGAN).metadata().map_or((0, 0), |it| touched(&it));
        let later =
            |it: &PathBuf| [it.symlink_metadata(), it.metadata()].iter().flatten().any(|it| touched(it) > began);
        let steady = !consulted.iter().any(later);
        Ok(Captured { environment, loaded, consulted, steady })
    }

    /// The modules that came with one step, each with the folders that the module system shows for it. One that came
    /// alone was not asked for; what nobody tells of may be any's.
    fn modules(&self, number: usize, names: Vec<String>, folders: &[PathBuf]) -> Vec<Module> {
        let shown = |name: &String| self.text(&format!("{number}.{}.show", name.replace('/', "+"))).unwrap_or_default();
        let shown: Vec<String> = names.iter().map(shown).collect();
        let is_own = |text: &String, folder: &PathBuf| {
            variables::mentions(text, folder) || !shown.iter().any(|it| variables::mentions(it, folder))
        };
        let module = |(name, text): (String, &String)| {
            let folders = folders.iter().filter(|it| is_own(text, it)).cloned().collect();
            Module { name, file: None, folders }
        };
        names.into_iter().zip(&shown).map(module).collect()
    }

    /// What is wrong with a step.
    fn problem(
        &self,
        number: usize,
        step: &ModuleStep,
        (before, after): (&BTreeMap<String, String>, &BTreeMap<String, String>),
    ) -> Result<Option<HostError>, HostError> {
        let (status, said) = (self.text(&format!("{number}.status"))?, self.said(number)?);
        let unchanged = is_loaded(before).eq(is_loaded(after));
        let (module, at) = (step.name.clone(), step.origin.clone().into());
        Ok(match step.verb {
            // Old module systems say what is wrong and return 0.
            Verb::Load if status != "0" || (unchanged && !said.is_empty() && !names(before, &module)) => {
                Some(HostError::Module { module, said, at })
            }
            Verb::Unload if !names(before, &module) => {
                let loaded = is_loaded(before).collect::<Vec<_>>().join(", ");
                let loaded = if loaded.is_empty() { "no modules".to_owned() } else { loaded };
                Some(HostError::NotLoaded { module, loaded, at })
            }
            Verb::Unload if status != "0" => Some(HostError::Module { module, said, at }),
            _ => None,
        })
    }
}

/// What a module system says is loaded.
fn is_loaded(environment: &BTreeMap<String, String>) -> impl Iterator<Item = String> + '_ {
    variables::listed(environment, LOADED).map(str::to_owned)
}

/// Whether a module is loaded in any version, or in the one that is named.
fn names(environment: &BTreeMap<String, String>, module: &str) -> bool {
    is_loaded(environment).any(|it| it == module || it.strip_prefix(module).is_some_and(|rest| rest.starts_with('/')))
}

/// What `env -0` wrote. A variable that is not UTF-8 is left out: no build could be told of it. So is one whose name no
/// shell takes, and one of the script's own, which a file that says `set -a` exports.
fn dumped(file: &Path) -> Result<BTreeMap<String, String>, HostError> {
    let bytes = fs::read(file)?;
    let variable = |it: &[u8]| {
        let (name, value) = std::str::from_utf8(it).ok()?.split_once('=')?;
        (is_name(name) && !name.starts_with("__envbuild_")).then(|| (name.to_owned(), value.to_owned()))
    };
    Ok(bytes.split(|it| *it == 0).filter_map(variable).collect())
}

fn is_name(name: &str) -> bool {
    let fits = |it: char| it.is_ascii_alphanumeric() || it == '_';
    name.chars().all(fits) && name.chars().next().is_some_and(|it| !it.is_ascii_digit())
}
