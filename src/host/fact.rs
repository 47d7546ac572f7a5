//! Facts: what a command says, and what files hold.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::{
    File, HostError,
    shell::{self, Limits},
};
use crate::{
    base::{Stamps, fs},
    elf,
    workspace::{Fact, InitFile},
};

/// A fact as it was found.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundFact {
    /// What the pattern found in the command's words.
    pub version: Option<String>,
    /// What solvers call it.
    pub virtual_package: Option<String>,
    /// Its command, as the manifest writes it.
    pub command: Option<String>,
    /// Its files, as the manifest writes them.
    pub files: BTreeMap<String, File>,
}

/// Finds a fact out in an environment.
///
/// # Errors
/// When the command fails or its words hold no version, or a file is not there: everything that is wrong.
pub(super) fn find_out(
    fact: &Fact,
    environment: &BTreeMap<String, String>,
    stamps: &Stamps,
    limits: Limits<'_>,
) -> Result<FoundFact, Vec<HostError>> {
    let mut problems = Vec::new();
    let mut found = FoundFact { virtual_package: fact.virtual_package.clone(), ..FoundFact::default() };
    found.command = fact.command.as_ref().map(|it| it.0.clone());
    match version(fact, environment, limits) {
        Ok(version) => found.version = version,
        Err(problem) => problems.push(problem),
    }
    for file in &fact.files {
        let path = place(file, environment);
        match path.as_ref().map_or(Ok(None), |it| identify(it, stamps)) {
            Ok(Some(known)) => drop(found.files.insert(file.written.clone(), known)),
            Ok(None) => {
                let (fact, written) = (fact.name.clone(), file.written.clone());
                let (there, at) = (path.is_some_and(|it| it.exists()), file.origin.clone().into());
                problems.push(HostError::FactFile { fact, file: written, there, at });
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

fn version(
    fact: &Fact,
    environment: &BTreeMap<String, String>,
    limits: Limits<'_>,
) -> Result<Option<String>, HostError> {
    let Some((command, at)) = &fact.command else { return Ok(None) };
    let folder = fs::Scratch::new()?;
    let mut bash = shell::bash();
    bash.envs(environment).arg("-c").arg(command);
    let what = format!("the command of the fact `{}`", fact.name);
    let said = shell::run(bash, folder.path(), &what, limits).map_err(|error| match error {
        HostError::Slow { what, seconds, .. } => HostError::Slow { what, seconds, at: Some(at.clone().into()) },
        other => other,
    })?;
    let name = || fact.name.clone();
    if !said.status.success() {
        let (status, at) = (said.status.to_string(), at.clone().into());
        let said = if said.errors.is_empty() { said.out } else { said.errors };
        return Err(HostError::FactCommand { fact: name(), status, said, at });
    }
    // Many programs tell their version on the other output.
    let words = format!("{}\n{}", said.out, said.errors);
    let found = match &fact.pattern {
        None => said.out.lines().next().map(str::to_owned),
        Some((pattern, _)) => Regex::new(pattern).ok().and_then(|it| {
            let groups = it.captures(&words)?;
            Some(groups.get(1).or_else(|| groups.get(0))?.as_str().to_owned())
        }),
    };
    let is_version = |it: &String| it.parse::<rattler_conda_types::Version>().is_ok();
    // A hyphen would end the version in the name of a package's file; conda reads it as an underscore, too.
    let found = found.map(|it| it.trim().replace('-', "_")).filter(is_version);
    let said = words.trim().to_owned();
    found.map(Some).ok_or_else(|| match &fact.pattern {
        Some((_, at)) => HostError::FactPattern { fact: name(), said, at: at.clone().into() },
        None => HostError::FactVersion { fact: name(), said, at: at.clone().into() },
    })
}

/// Where a file of a fact is: a module may say so by `$NAME` or `${NAME}`. Nowhere when it does not.
fn place(file: &InitFile, environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let variable = Regex::new(r"\$(?:\{(\w+)\}|(\w+))").expect("the pattern is a constant");
    let mut all = true;
    let expanded = variable.replace_all(&file.written, |found: &regex::Captures<'_>| {
        let name = found.get(1).or_else(|| found.get(2)).map_or("", |it| it.as_str());
        let value = environment.get(name).filter(|it| !it.is_empty());
        all &= value.is_some();
        value.cloned().unwrap_or_default()
    });
    // What is written is the end of the path, where a `.` at its beginning is no part.
    let parts = Path::new(&file.written).components().filter(|it| *it != Component::CurDir).count();
    let folder = file.path.ancestors().nth(parts).unwrap_or(Path::new("/"));
    let path = folder.join(&*expanded);
    all.then_some(path)
}

/// What a file holds; nothing when it is not there.
pub(super) fn identify(path: &Path, stamps: &Stamps) -> Result<Option<File>, HostError> {
    let Ok(metadata) = path.metadata() else { return Ok(None) };
    if !metadata.is_file() {
        return Ok(None);
    }
    let content = stamps.digest(path, &metadata)?;
    let build_id = stamps.fact("build-id", path, &metadata, || {
        // What is no ELF file, or cannot be read as one, has none.
        Ok::<_, HostError>(elf::linkage(path).ok().and_then(|it| it.build_id).unwrap_or_default())
    })?;
    Ok(Some(File { content, build_id: Some(build_id).filter(|it| !it.is_empty()) }))
}
