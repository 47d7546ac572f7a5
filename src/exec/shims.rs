//! Programs that builds find on their `PATH` and that are this one, called by another name.

use std::path::Path;

use super::{ExecError, make};
use crate::base::{FsError, Scratch, fs};

/// A `PATH` with the shims on it. The folders are always the same, because build scripts see `PATH`, and some write it
/// into what they make.
///
/// - `patchelf` stands at the end: rattler-build calls it when a run path has to grow. Nobody has to install it, and one
///   that is installed is preferred.
/// - `make` stands at the beginning, where there is a make behind it.
pub(super) fn path(cache: &Path, program: &Path, path: &str) -> Result<String, ExecError> {
    let (front, back) = (cache.join("make"), cache.join("bin"));
    link(&back, "patchelf", program)?;
    for name in make::NAMES {
        if make::next(name.as_ref(), path).is_some() {
            link(&front, name, program)?;
        } else {
            // Nobody may find one that leads nowhere.
            fs::remove_file(&front.join(name))?;
        }
    }
    let separator = if path.is_empty() { "" } else { ":" };
    Ok(format!("{}:{path}{separator}{}", front.display(), back.display()))
}

fn link(folder: &Path, name: &str, program: &Path) -> Result<(), ExecError> {
    let link = folder.join(name);
    if std::fs::read_link(&link).is_ok_and(|target| target == program) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let beside = Scratch::inside(folder)?;
    let new = beside.path().join(name);
    std::os::unix::fs::symlink(program, &new).map_err(|source| FsError::new("link", &new, source))?;
    fs::rename(&new, &link)?;
    Ok(())
}
