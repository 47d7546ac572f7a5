//! Brings the modules of an editable install to the place where an ordinary one would put them.

use std::{
    collections::BTreeSet,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use crate::{
    base::fs,
    tree::{self, Entries, Entry, File},
};

/// How Python finds modules outside of the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Import {
    /// The folder is in the path of modules: all that can be imported from it.
    Below {
        /// The folder.
        root: PathBuf,
        /// The names at its top, when the package says them.
        only: Option<BTreeSet<String>>,
    },
    /// A finder knows where the module is.
    Module {
        /// Its name, with dots.
        name: String,
        /// Its folder or file.
        place: PathBuf,
    },
    /// The folder holds an `.egg-info` that says what the package is.
    Facts {
        /// The folder.
        root: PathBuf,
    },
}

/// Adds the modules to a tree; gives the names of the files.
///
/// # Errors
/// A reason, as the end of a sentence.
pub(super) fn bring(entries: &mut Entries, site: &[u8], imports: &[Import]) -> Result<Vec<Vec<u8>>, String> {
    let mut places: Vec<(Vec<u8>, PathBuf)> = Vec::new();
    for import in imports {
        match import {
            Import::Below { root, only } => places.extend(importable(root, only.as_ref())?),
            Import::Module { name, place } => places.extend(module(name, place)?),
            Import::Facts { root } => {
                let facts = children(root)?.into_iter().filter(|it| has_end(it, "egg-info") && it.is_dir());
                places.extend(facts.map(|it| (file_name(&it), it)));
            }
        }
    }
    if places.is_empty() {
        return Err(
            "its build tool imports it by a hook of its own, so nobody knows which files belong to it".to_owned()
        );
    }
    let mut added = Vec::new();
    for (name, place) in places {
        let target = [site, b"/", &name].concat();
        if entries.contains_key(&target) {
            return Err(format!("`{}` is in the environment already", String::from_utf8_lossy(&target)));
        }
        let folders = target.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| target[..at].to_vec());
        for folder in folders {
            entries.entry(folder).or_insert(Entry::Folder);
        }
        if place.is_dir() {
            let below = tree::list(&place, is_rubbish).map_err(|error| error.to_string())?;
            entries.insert(target.clone(), Entry::Folder);
            for (name, entry) in below {
                let name = [&target[..], b"/", &name].concat();
                if entry != Entry::Folder {
                    added.push(name.clone());
                }
                entries.insert(name, entry);
            }
        } else {
            let metadata = place.metadata().map_err(|error| format!("`{}`: {error}", place.display()))?;
            entries.insert(target.clone(), Entry::File(File::on_disk(place, &metadata)));
            added.push(target);
        }
    }
    Ok(added)
}

/// The file or folder of a module, with its name in the folder of modules.
fn module(name: &str, place: &Path) -> Result<Option<(Vec<u8>, PathBuf)>, String> {
    let path = name.replace('.', "/");
    if place.is_dir() {
        return Ok(Some((path.into_bytes(), place.to_owned())));
    }
    let folder = place.parent().unwrap_or(place);
    let stem = file_name(place);
    let file = if place.is_file() {
        Some(place.to_owned())
    } else {
        let is_it = |it: &PathBuf| {
            let rest = file_name(it).strip_prefix(&stem[..]).map(<[u8]>::to_vec);
            rest.is_some_and(|it| it == b".py" || (it.starts_with(b".") && it.ends_with(b".so")))
        };
        children(folder)?.into_iter().find(is_it)
    };
    let Some(file) = file else { return Err(format!("`{}` is not there", place.display())) };
    let above = path.rsplit_once('/').map_or(String::new(), |(above, _)| format!("{above}/"));
    Ok(Some(([above.as_bytes(), &file_name(&file)].concat(), file)))
}

/// What can be imported from a folder. Beside the modules of a project its root often holds what nobody installs.
fn importable(root: &Path, only: Option<&BTreeSet<String>>) -> Result<Vec<(Vec<u8>, PathBuf)>, String> {
    let mut found = Vec::new();
    for path in children(root)? {
        let name = file_name(&path);
        let stem = String::from_utf8_lossy(name.split(|byte| *byte == b'.').next().unwrap_or_default()).into_owned();
        let wanted = match only {
            Some(only) => only.contains(&stem),
            None => !BESIDE.contains(&stem.as_str()) || root.ends_with("src"),
        };
        let is_module = if path.is_dir() {
            !name.contains(&b'.') && is_identifier(&stem) && (path.join("__init__.py").is_file() || has_modules(&path))
        } else {
            is_identifier(&stem) && (has_end(&path, "py") || has_end(&path, "so"))
        };
        if wanted && is_module {
            found.push((name, path));
        }
    }
    if found.is_empty() { Err(format!("`{}` holds no modules", root.display())) } else { Ok(found) }
}

const BESIDE: [&str; 19] = [
    "benchmarks",
    "build",
    "ci",
    "conftest",
    "dist",
    "doc",
    "docs",
    "ez_setup",
    "examples",
    "fabfile",
    "noxfile",
    "scripts",
    "setup",
    "tasks",
    "test",
    "tests",
    "tools",
    "venv",
    "versioneer",
];

fn has_modules(folder: &Path) -> bool {
    children(folder).is_ok_and(|all| all.iter().any(|it| has_end(it, "py") || has_end(it, "so")))
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|it| it.is_alphabetic() || it == '_') && chars.all(|it| it.is_alphanumeric() || it == '_')
}

/// What tools leave in a folder of sources.
fn is_rubbish(name: &[u8]) -> bool {
    let file = &name[name.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1)..];
    let folders: [&[u8]; 8] = [
        b"__pycache__",
        b".git",
        b".hg",
        b".svn",
        b".mypy_cache",
        b".pytest_cache",
        b".ruff_cache",
        b".ipynb_checkpoints",
    ];
    folders.contains(&file) || file.ends_with(b".pyc")
}

fn children(folder: &Path) -> Result<Vec<PathBuf>, String> {
    if !folder.is_dir() {
        return Err(format!("`{}` is not there", folder.display()));
    }
    fs::list(folder).map_err(|error| error.to_string())
}

fn file_name(path: &Path) -> Vec<u8> {
    path.file_name().unwrap_or_default().as_bytes().to_vec()
}

fn has_end(path: &Path, end: &str) -> bool {
    path.extension().is_some_and(|it| it == end)
}
