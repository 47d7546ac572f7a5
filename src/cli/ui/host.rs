//! `host`, for people and for programs.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::{Value, json};

use super::{data::data, json::print};
use crate::{
    base::FsError,
    exec::{Context, HostChange, Staleness},
    host::{Found, Saved},
};

/// All that `host` shows.
pub(in crate::cli) struct HostReport<'a> {
    /// The project.
    pub(in crate::cli) context: &'a Context,
    /// What was found.
    pub(in crate::cli) saved: &'a Saved,
    /// What a change of it makes stale.
    pub(in crate::cli) staleness: &'a Staleness,
    /// Whether that is against a saved probe.
    pub(in crate::cli) is_saved: bool,
}

impl HostReport<'_> {
    /// The packages that are built with a set.
    fn users(&self, set: usize) -> Vec<&str> {
        self.saved.packages.iter().filter(|(_, it)| **it == set).map(|(id, _)| id.as_str()).collect()
    }
}

/// How many packages of a set are named before the others are counted.
const NAMED: usize = 3;

/// `host`: each module set with what was found there, the external packages, and what is stale.
pub(in crate::cli) fn host_text(report: &HostReport<'_>) -> Result<(), FsError> {
    let mut text = String::new();
    for (number, found) in report.saved.sets.iter().enumerate() {
        let _ = writeln!(text, "{}", modules(found));
        let _ = writeln!(text, "  for {}", some(&report.users(number)));
        set(&mut text, found);
        text.push('\n');
    }
    for (name, version) in &report.saved.externals {
        let _ = writeln!(text, "external {name} {version}");
    }
    if !report.saved.externals.is_empty() {
        text.push('\n');
    }
    if report.saved.sets.is_empty() {
        text.push_str("no package is bound to the host\n");
    }
    stale(&mut text, report);
    data(text.trim_end())
}

fn modules(found: &Found) -> String {
    let names: Vec<&str> = found.loaded.iter().map(|it| it.name.as_str()).collect();
    if names.is_empty() { "no modules".to_owned() } else { format!("modules {}", names.join(" ")) }
}

fn some(names: &[&str]) -> String {
    match names.len().checked_sub(NAMED) {
        Some(more @ 1..) => format!("{} and {more} more", names[..NAMED].join(", ")),
        _ => names.join(", "),
    }
}

fn set(text: &mut String, found: &Found) {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for module in &found.loaded {
        let file = module.file.as_ref().map(|it| it.display().to_string()).unwrap_or_default();
        rows.push(["module".to_owned(), module.name.clone(), String::new(), file]);
    }
    for (name, fact) in &found.facts {
        let version = fact.version.clone().unwrap_or_default();
        let package = fact.virtual_package.clone().unwrap_or_default();
        let said = fact.command.as_ref().map(|it| format!("`{it}` {package}")).unwrap_or_default();
        rows.push(["fact".to_owned(), name.clone(), version, said.trim_end().to_owned()]);
        for (file, held) in &fact.files {
            let id = held.build_id.as_ref().map_or_else(String::new, |it| format!("build id {it}"));
            rows.push(["file".to_owned(), name.clone(), id, file.clone()]);
        }
    }
    for (name, compiler) in &found.compilers {
        let path = compiler.path.display().to_string();
        rows.push(["compiler".to_owned(), name.clone(), compiler.version.clone(), path]);
    }
    for (name, library) in &found.mpi {
        let path = library.path.display().to_string();
        rows.push(["library".to_owned(), name.clone(), library.version.clone(), path]);
    }
    let width = |column: usize| rows.iter().map(|it| it[column].chars().count()).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2)];
    for [kind, name, value, place] in &rows {
        let row = format!("  {kind:0$}  {name:1$}  {value:2$}  {place}", widths[0], widths[1], widths[2]);
        let _ = writeln!(text, "{}", row.trim_end());
    }
}

/// `cray-mpich 8.1.29 → 8.1.30`, or what came or went.
fn words(change: &HostChange) -> String {
    let HostChange { kind, name, old, new } = change;
    // The values of these are long; `why` shows them.
    let is_long = matches!(*kind, "variable" | "file" | "compiler" | "library" | "setting");
    match (old, new) {
        (Some(_), Some(_)) if is_long => format!("{kind} {name} changed"),
        (Some(old), Some(new)) => format!("{kind} {name} {old} → {new}"),
        (None, Some(new)) if !is_long => format!("{kind} {name} {new} is new").replace("  ", " "),
        (None, _) => format!("{kind} {name} is new"),
        (Some(_), None) => format!("{kind} {name} is gone"),
    }
}

fn stale(text: &mut String, report: &HostReport<'_>) {
    let Staleness { changes, behind, unknown, packages } = report.staleness;
    let since = if report.is_saved { "since the saved probe" } else { "since the packages were built" };
    for (change, ids) in changes {
        let _ = writeln!(text, "{}: {} of {packages} package cells", words(change), ids.len());
    }
    if changes.is_empty() {
        let _ = writeln!(text, "nothing of the host has changed {since}");
    } else {
        let stale = report.staleness.stale().len();
        let _ = writeln!(text, "{stale} of {packages} package cells are stale {since}, and {} need them", behind.len());
    }
    if !unknown.is_empty() {
        let why = if report.is_saved { "not in the saved probe" } else { "not built yet" };
        let _ = writeln!(
            text,
            "{} {why}: {}",
            unknown.len(),
            some(&unknown.iter().map(String::as_str).collect::<Vec<_>>())
        );
    }
}

/// `host --format json`.
pub(in crate::cli) fn host_json(report: &HostReport<'_>) -> Result<(), FsError> {
    let sets: Vec<Value> = report
        .saved
        .sets
        .iter()
        .enumerate()
        .map(|(number, found)| {
            let modules: Vec<Value> = found
                .loaded
                .iter()
                .map(|it| json!({ "name": it.name, "file": it.file, "folders": it.folders }))
                .collect();
            let facts: Vec<Value> = found
                .facts
                .iter()
                .map(|(name, it)| {
                    json!({
                        "name": name, "version": it.version, "virtual_package": it.virtual_package,
                        "command": it.command, "files": it.files,
                    })
                })
                .collect();
            let compilers: Vec<Value> = found
                .compilers
                .iter()
                .map(|(name, it)| json!({ "name": name, "version": it.version, "path": it.path, "file": it.file }))
                .collect();
            let mpi: Vec<Value> = found
                .mpi
                .iter()
                .map(|(name, it)| json!({ "name": name, "version": it.version, "path": it.path, "file": it.file }))
                .collect();
            json!({
                "modules": modules, "environment": found.environment, "facts": facts, "compilers": compilers,
                "mpi": mpi, "packages": report.users(number),
            })
        })
        .collect();
    let Staleness { changes, behind, unknown, packages } = report.staleness;
    let changes: Vec<Value> = changes
        .iter()
        .map(|(it, ids)| json!({ "kind": it.kind, "name": it.name, "old": it.old, "new": it.new, "packages": ids }))
        .collect();
    let stale: BTreeSet<&str> = report.staleness.stale();
    print(&json!({
        "project": report.context.workspace.name,
        "sets": sets,
        "externals": report.saved.externals,
        "changes": changes,
        "stale": stale,
        "behind": behind,
        "unknown": unknown,
        "packages": packages,
    }))
}
