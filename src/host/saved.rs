//! A probe as a file: what the host was like on another day, or what another host is like.

use std::{collections::BTreeMap, path::Path};

use miette::Diagnostic;
use serde::{Deserialize, Serialize};

use super::Found;
use crate::base::{FsError, fs};

/// The form of the file.
const FORM: &str = "envbuild host 1";

/// What was found for every package of a project.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    form: String,
    /// Each module set that differs from the others in what it gave.
    pub sets: Vec<Found>,
    /// The place among these of every host-bound package, by the package's id.
    pub packages: BTreeMap<String, usize>,
    /// The versions of the external packages, by name.
    pub externals: BTreeMap<String, String>,
}

/// A file that is no saved probe.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum SavedError {
    /// It cannot be read or written.
    #[error(transparent)]
    #[diagnostic(code(envbuild::host::saved_file))]
    File(#[from] FsError),
    /// It holds something else.
    #[error("`{path}` is no saved probe of a host: {why}")]
    #[diagnostic(code(envbuild::host::saved), help("name a file that `envbuild host --save` wrote"))]
    Form {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Saved {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { form: FORM.to_owned(), sets: Vec::new(), packages: BTreeMap::new(), externals: BTreeMap::new() }
    }

    /// Adds what was found for a package.
    pub fn add(&mut self, package: &str, found: &Found) {
        let known = self.sets.iter().position(|it| it == found);
        let set = known.unwrap_or_else(|| {
            self.sets.push(found.clone());
            self.sets.len() - 1
        });
        self.packages.insert(package.to_owned(), set);
    }

    /// What was found for a package.
    pub fn of(&self, package: &str) -> Option<&Found> {
        self.sets.get(*self.packages.get(package)?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no saved probe of this form.
    pub fn read(file: &Path) -> Result<Self, SavedError> {
        let bytes = fs::read(file)?;
        let path = file.display().to_string();
        let saved: Self = serde_json::from_slice(&bytes)
            .map_err(|error| SavedError::Form { path: path.clone(), why: error.to_string() })?;
        if saved.form != FORM {
            let why = format!("its form is `{}`, and this version reads `{FORM}`", saved.form);
            return Err(SavedError::Form { path, why });
        }
        Ok(saved)
    }

    /// Writes it whole, or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), SavedError> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a probe holds nothing that JSON cannot say");
        bytes.push(b'\n');
        Ok(fs::write_atomic(file, &bytes)?)
    }
}

impl Default for Saved {
    fn default() -> Self {
        Self::new()
    }
}
