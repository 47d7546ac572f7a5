//! What a machine has of the libraries that an environment was built with.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use super::{
    data::{data, note},
    json::print,
};
use crate::{
    base::FsError,
    cli::args::Global,
    ledger::{Held, State},
};

/// How many digits of a build-id people compare.
const SHORT: usize = 12;

fn word(state: &State) -> &'static str {
    match state {
        State::Same { .. } => "same",
        State::Different { .. } => "different",
        State::Missing { .. } => "missing",
    }
}

/// `check`: a line for each library of each package, and what is wrong in sentences.
pub(in crate::cli) fn held_text(held: &[Held], global: &Global) -> Result<(), FsError> {
    if held.is_empty() {
        if !global.quiet {
            note("nothing here needs a library of the host");
        }
        return Ok(());
    }
    let dash = || "-".to_owned();
    let mut rows = vec![["STATE", "LIBRARY", "VERSION", "MODULE", "PACKAGE", "PATH"].map(str::to_owned)];
    rows.extend(held.iter().map(|it| {
        let library = &it.library;
        let path = match &it.state {
            State::Same { path } | State::Different { path, .. } => path,
            State::Missing { .. } => &library.path,
        };
        [
            word(&it.state).to_owned(),
            library.name.clone(),
            library.version.clone().unwrap_or_else(dash),
            library.module.clone().unwrap_or_else(dash),
            it.package.clone(),
            path.display().to_string(),
        ]
    }));
    let widths: Vec<usize> = (0..6).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
    let line = |row: &[String; 6]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    data(&rows.iter().map(line).collect::<Vec<_>>().join("\n"))?;
    for sentence in sentences(&held.iter().collect::<Vec<_>>()) {
        note(&sentence);
    }
    Ok(())
}

/// `check --format json`.
pub(in crate::cli) fn held_json(held: &[Held]) -> Result<(), FsError> {
    let libraries: Vec<Value> = held
        .iter()
        .map(|it| {
            let (path, version, build_id) = match &it.state {
                State::Same { path } if it.library.c_library => (json!(path), Value::Null, Value::Null),
                State::Same { path } => (json!(path), json!(it.library.version), json!(it.library.build_id)),
                State::Different { path, version, build_id, .. } => (json!(path), json!(version), json!(build_id)),
                State::Missing { .. } => (Value::Null, Value::Null, Value::Null),
            };
            json!({
                "package": it.package,
                "package_version": it.package_version,
                "name": it.library.name,
                "path": it.library.path,
                "version": it.library.version,
                "build_id": it.library.build_id,
                "module": it.library.module,
                "direct": it.library.direct,
                "c_library": it.library.c_library,
                "state": word(&it.state),
                "here": { "path": path, "version": version, "build_id": build_id },
            })
        })
        .collect();
    let count = |state: &str| held.iter().filter(|it| word(&it.state) == state).count();
    let counts = json!({ "same": count("same"), "different": count("different"), "missing": count("missing") });
    print(&json!({ "libraries": libraries, "counts": counts }))
}

/// What is missing, and what is another one: a line for each library. Those that only libraries of the host need may be
/// others without anybody's harm, and are only counted.
pub(in crate::cli) fn held_warnings(held: &[Held], prefix: &Path) {
    let is_missing = |it: &Held| matches!(it.state, State::Missing { .. });
    let wrong = || held.iter().filter(|it| !it.state.is_same());
    let told: Vec<&Held> = wrong().filter(|it| it.library.direct || is_missing(it)).collect();
    for sentence in sentences(&told) {
        note(&format!("warning: {sentence}"));
    }
    let others = wrong().count() - told.len();
    if !told.is_empty() && others > 0 {
        note(&format!("warning: {others} more are others than before: envbuild check {}", prefix.display()));
    }
}

/// One sentence for each library that is not the same.
fn sentences(held: &[&Held]) -> Vec<String> {
    let mut by_library: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for it in held {
        let Some(trouble) = trouble(it) else { continue };
        let module = it.library.module.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
        let library = format!("{}{module}", it.library.name);
        let packages = by_library.entry((library, trouble)).or_default();
        packages.push(format!("{} {}", it.package, it.package_version));
    }
    let sentence = |((library, trouble), packages): ((String, String), Vec<String>)| {
        let verb = if packages.len() == 1 { "needs" } else { "need" };
        format!("{} {verb} {library}: {trouble}", packages.join(", "))
    };
    by_library.into_iter().map(sentence).collect()
}

fn trouble(held: &Held) -> Option<String> {
    let library = &held.library;
    let load = library.module.as_ref().map(|it| format!("; load the module {it}")).unwrap_or_default();
    let name = |version: &Option<String>, id: Option<String>| {
        let id =
            id.map_or_else(|| "no build-id".to_owned(), |it| format!("build-id {}", it.get(..SHORT).unwrap_or(&it)));
        version.as_ref().map_or(id.clone(), |it| format!("{it}, {id}"))
    };
    match &held.state {
        State::Same { .. } => None,
        State::Missing { is_there: false } => Some(format!("it is not on this machine{load}")),
        State::Missing { is_there: true } => {
            Some(format!("the loader does not look for it in {}{load}", folder(&library.path)))
        }
        State::Different { path, version, .. } if library.c_library => Some(format!(
            "version {} or newer, and {} is of {}",
            library.version.as_deref().unwrap_or_default(),
            path.display(),
            version.as_deref().unwrap_or("an unknown version"),
        )),
        State::Different { path, version, build_id, .. } => Some(format!(
            "{} is another one ({}) than at the build ({}){load}",
            path.display(),
            name(version, build_id.clone()),
            name(&library.version, library.build_id.clone()),
        )),
    }
}

fn folder(path: &Path) -> String {
    path.parent().unwrap_or(path).display().to_string()
}
