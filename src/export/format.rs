//! The formats by name.

use super::{conda_lock, environment, error::ExportError, explicit, facts::Contents, list, pixi, sbom};

/// A way to tell what an environment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As `conda list` prints it.
    List,
    /// As `conda list --explicit --md5` prints it: URLs with hashes, for `conda create --file`.
    Explicit,
    /// `environment.yml` as `conda env export` writes it.
    Environment,
    /// The same without build strings.
    EnvironmentNoBuilds,
    /// conda-lock's unified lock file, version 1.
    CondaLock,
    /// `pixi.lock`, version 6.
    Pixi,
    /// A CycloneDX 1.6 software bill of materials, in JSON.
    Sbom,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The file's text, with a line break at its end.
    pub text: String,
    /// What the reader should know that the format has no place for, as sentences.
    pub warnings: Vec<String>,
}

/// Tells what an environment holds.
///
/// # Errors
/// When the format needs something that is not known of a package.
pub fn write(contents: &Contents, format: Format) -> Result<Export, ExportError> {
    let mut export = match format {
        Format::List => list::write(contents),
        Format::Explicit => explicit::write(contents),
        Format::Environment => environment::write(contents, true),
        Format::EnvironmentNoBuilds => environment::write(contents, false),
        Format::CondaLock => conda_lock::write(contents)?,
        Format::Pixi => pixi::write(contents)?,
        Format::Sbom => sbom::write(contents),
    };
    export.warnings.splice(0..0, contents.remarks.iter().cloned().chain(contents.without_place()));
    Ok(export)
}
