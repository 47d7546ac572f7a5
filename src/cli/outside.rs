//! Where what is written may not go: into what is read, and where only this program itself keeps things.

use std::path::{Path, PathBuf};

use super::project::UsageError;

/// Fails when something would be written into the environment that is read: the next archive or copy would hold it.
pub(super) fn require_outside(prefix: &Path, goal: &Path) -> Result<(), UsageError> {
    let Ok(prefix) = prefix.canonicalize() else { return Ok(()) };
    let (there, _) = real(goal);
    if there.starts_with(&prefix) { Err(UsageError::Inside(goal.to_owned())) } else { Ok(()) }
}

/// Fails when something would be written into the folders of a project that are this program's: what it does not know there
/// is deleted one day, or is taken for a package.
pub(super) fn require_not_ours(goal: &Path) -> Result<(), UsageError> {
    let (there, rest) = real(goal);
    let full = there.join(rest);
    let of_project = |it: &&Path| it.parent().is_some_and(|it| it.join("project.toml").is_file());
    for folder in full.ancestors().filter(of_project) {
        let what = match folder.file_name().and_then(|it| it.to_str()) {
            Some(".envbuild") => "where envbuild keeps what it knows of the project",
            Some("output") => "the channel of the project's packages",
            _ => continue,
        };
        return Err(UsageError::Ours { goal: goal.to_owned(), folder: folder.to_owned(), what });
    }
    Ok(())
}

/// The nearest folder above a path that is there, or the path itself, without links, and what follows it.
fn real(path: &Path) -> (PathBuf, PathBuf) {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = path.ancestors().find_map(|it| Some((it.canonicalize().ok()?, path.strip_prefix(it).ok()?.to_owned())));
    found.unwrap_or_else(|| (path.clone(), PathBuf::new()))
}
