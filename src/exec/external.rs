//! Packages that stand for what the host provides: empty ones, made of a recipe that nobody wrote.

use std::path::{Path, PathBuf};

use super::{Context, ExecError, host};
use crate::{base::fs, workspace::Package};

/// The recipe of a package: its own file, or for an external package one that is written into `scratch`.
pub(super) fn recipe_of(context: &Context, package: &Package, scratch: &Path) -> Result<PathBuf, ExecError> {
    if package.external.is_none() {
        return Ok(package.file.clone());
    }
    let folder = scratch.join("external");
    fs::create_dir_all(&folder)?;
    let file = folder.join("recipe.yaml");
    fs::write_atomic(&file, text(&package.cell.package, &host::version(context, package)?).as_bytes())?;
    Ok(file)
}

/// Versions and names need no quotes inside quotes: neither can hold one.
fn text(name: &str, version: &str) -> String {
    format!(
        "schema_version: 1
package:
  name: \"{name}\"
  version: \"{version}\"
build:
  noarch: generic
  script: \"true\"
about:
  summary: \"{name} {version}, which the host provides; this package is empty\"
  license: \"LicenseRef-External\"
"
    )
}
