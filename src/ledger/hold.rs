//! Holds a ledger against the machine that we are on.

use std::path::{Path, PathBuf};

use super::{
    HostLibrary, Ledger, LedgerError,
    c_library::{defined_version, is_newer},
    make::version,
};
use crate::{
    base::Digest,
    elf::{Loader, Machine, Rule},
};

/// A library of a ledger, and what this machine has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The package that needs it.
    pub package: String,
    /// The package's version.
    pub package_version: String,
    /// The library.
    pub library: HostLibrary,
    /// What there is.
    pub state: State,
}

/// What a machine has of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The same.
    Same {
        /// Where.
        path: PathBuf,
    },
    /// Another one; of the C library, an older one.
    Different {
        /// Where.
        path: PathBuf,
        /// Its version.
        version: Option<String>,
        /// Its build-id.
        build_id: Option<String>,
        /// The digest of its bytes, when it has no build-id.
        content: Option<Digest>,
    },
    /// The loader finds none.
    Missing {
        /// Whether it is where it was, and the loader does not look there.
        is_there: bool,
    },
}

impl State {
    /// Whether the package finds what it was built with.
    pub fn is_same(&self) -> bool {
        matches!(self, Self::Same { .. })
    }
}

/// This machine.
#[derive(Debug)]
pub struct Host {
    loader: Loader,
    machine: Option<Machine>,
}

impl Host {
    /// This machine with this `LD_LIBRARY_PATH`.
    pub fn new(library_path: Option<&str>) -> Self {
        Self { loader: Loader::new(library_path), machine: Machine::this() }
    }

    /// Holds all libraries of these ledgers against the machine, in their order.
    ///
    /// # Errors
    /// When a library was found and cannot be read.
    pub fn hold(&mut self, ledgers: &[Ledger]) -> Result<Vec<Held>, LedgerError> {
        let mut held = Vec::new();
        for Ledger { package, version, libraries } in ledgers {
            for library in libraries {
                let (package, package_version) = (package.clone(), version.clone());
                held.push(Held { package, package_version, library: library.clone(), state: self.state(library)? });
            }
        }
        Ok(held)
    }

    /// What the machine has of one library.
    ///
    /// # Errors
    /// When it was found and cannot be read.
    pub fn state(&mut self, library: &HostLibrary) -> Result<State, LedgerError> {
        let Some(path) = self.locate(library) else {
            return Ok(State::Missing { is_there: library.path.is_file() });
        };
        if library.c_library {
            let there = defined_version(&path);
            let is_older =
                library.version.as_deref().zip(there.as_deref()).is_some_and(|(needed, there)| is_newer(needed, there));
            return Ok(if is_older {
                State::Different { path, version: there, build_id: None, content: None }
            } else {
                State::Same { path }
            });
        }
        let (build_id, content) = identity(&mut self.loader, &path)?;
        if (&build_id, &content) == (&library.build_id, &library.content) {
            return Ok(State::Same { path });
        }
        let version = path.canonicalize().ok().and_then(|it| version(&it));
        Ok(State::Different { path, version, build_id, content })
    }

    /// The file that the loader takes: by the rule by which it was found when the package was built.
    fn locate(&mut self, library: &HostLibrary) -> Option<PathBuf> {
        let machine = self.machine?;
        let recorded = self.loader.linkage(&library.path).filter(|it| it.machine == machine);
        let recorded = recorded.map(|_| library.path.clone());
        let other = self.loader.find_anywhere(&library.name, machine);
        match library.found {
            Rule::Path => recorded,
            Rule::Rpath => recorded.or(other.map(|it| it.path)),
            // The user's folders come before this kind of run path, and the system's after it.
            Rule::Runpath => match other {
                Some(other) if other.by == Rule::LibraryPath => Some(other.path),
                other => recorded.or(other.map(|it| it.path)),
            },
            Rule::LibraryPath | Rule::Cache | Rule::Default => other.map(|it| it.path),
        }
    }
}

/// What tells a library from others of its name: its build-id, or the digest of its bytes when it has none.
///
/// # Errors
/// When it has no build-id and cannot be read.
pub fn identity(loader: &mut Loader, file: &Path) -> Result<(Option<String>, Option<Digest>), LedgerError> {
    match loader.linkage(file).and_then(|it| it.build_id.clone()) {
        Some(build_id) => Ok((Some(build_id), None)),
        None => Ok((None, Some(Digest::of_file(file)?))),
    }
}
