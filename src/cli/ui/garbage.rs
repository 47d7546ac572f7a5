//! What `gc` and `clean` have deleted and kept.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    data::{data, note},
    message::{bytes, relative},
};
use crate::{
    base::FsError,
    cli::args::Global,
    exec::{Category, Garbage},
};

/// What came of tidying a project up.
pub(in crate::cli) struct Tidied<'a> {
    /// The project's folder.
    pub(in crate::cli) root: &'a Path,
    /// What was deleted, or would be, with its size in bytes.
    pub(in crate::cli) deleted: Vec<(&'a Garbage, u64)>,
    /// What was left, and why.
    pub(in crate::cli) kept: &'a [(PathBuf, String)],
    /// Whether all of it is still there.
    pub(in crate::cli) dry_run: bool,
}

impl Tidied<'_> {
    fn by_category(&self) -> BTreeMap<Category, (Vec<&Path>, u64)> {
        let mut categories: BTreeMap<Category, (Vec<&Path>, u64)> = BTreeMap::new();
        for (garbage, size) in &self.deleted {
            let (paths, bytes) = categories.entry(garbage.category).or_default();
            paths.push(&garbage.path);
            *bytes += size;
        }
        categories
    }

    fn total(&self) -> u64 {
        self.deleted.iter().map(|(_, size)| size).sum()
    }
}

/// `1 package`, `2 packages`.
fn counted(category: Category, count: usize) -> String {
    let (one, many) = match category {
        Category::Packages => ("package", "packages"),
        Category::Builds => ("build record", "build records"),
        Category::Records => ("record", "records"),
        Category::Logs => ("log", "logs"),
        Category::Prefixes => ("prefix", "prefixes"),
        Category::Packs => ("file in dist", "files in dist"),
        Category::Sources => ("source", "sources"),
        Category::Recipes => ("rendered recipe", "rendered recipes"),
        Category::Scratch => ("left-over of a build or run", "left-overs of builds or runs"),
    };
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `gc`, for people.
pub(in crate::cli) fn gc_text(tidied: &Tidied<'_>, global: &Global) {
    if global.quiet {
        return;
    }
    let verb = if tidied.dry_run { "would delete" } else { "deleted" };
    for (category, (paths, size)) in tidied.by_category() {
        note(&format!("{verb} {} ({})", counted(category, paths.len()), bytes(size)));
        if global.verbose || tidied.dry_run {
            paths.iter().for_each(|it| note(&format!("  {}", relative(it, tidied.root))));
        }
    }
    tell_kept(tidied.kept, tidied.root);
    note(&if tidied.deleted.is_empty() { "nothing to delete".to_owned() } else { bytes(tidied.total()) });
}

/// Says what was left and why.
pub(in crate::cli) fn tell_kept(kept: &[(PathBuf, String)], root: &Path) {
    for (path, why) in kept {
        note(&format!("kept {}: {why}", relative(path, root)));
    }
}

/// `gc --format json`.
pub(in crate::cli) fn gc_json(tidied: &Tidied<'_>) -> Result<(), FsError> {
    let categories: Vec<Value> = tidied
        .by_category()
        .into_iter()
        .map(|(category, (paths, size))| {
            let paths: Vec<String> = paths.iter().map(|it| relative(it, tidied.root)).collect();
            json!({ "category": category, "paths": paths, "bytes": size })
        })
        .collect();
    let kept: Vec<Value> =
        tidied.kept.iter().map(|(path, why)| json!({ "path": relative(path, tidied.root), "reason": why })).collect();
    let all = json!({ "dry_run": tidied.dry_run, "deleted": categories, "kept": kept, "bytes": tidied.total() });
    data(&serde_json::to_string_pretty(&all).expect("a JSON value can be written"))
}
