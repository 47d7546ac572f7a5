//! A machine that a tree has to run on, as far as somebody says what it has.

use globset::{Glob, GlobMatcher};
use rattler_conda_types::{GenericVirtualPackage, MatchSpec, Matches as _, ParseMatchSpecOptions, Subdir};

use super::{cpu, error::NeedsError, glibc::numbers, model::Needs};
use crate::elf::{Level, Loader, Machine, defined_versions};

/// What a machine has.
#[derive(Debug, Clone)]
pub struct Target {
    /// What it is called.
    pub name: String,
    /// Its platform.
    pub platform: Subdir,
    /// Its virtual packages, all of them.
    pub virtual_packages: Vec<GenericVirtualPackage>,
    /// Libraries that it has, or that nobody will miss there.
    libraries: Vec<GlobMatcher>,
    /// The newest versions of symbols that its libraries have, by kind.
    symbols: Vec<(String, String)>,
}

impl Target {
    /// A machine with these virtual packages, with libraries of these names (`*` and `?` stand for anything), and with
    /// symbols up to these versions, as `GLIBCXX` with `3.4.25`.
    ///
    /// # Errors
    /// When a pattern or a version of symbols cannot be one; the first is told.
    pub fn new(
        name: &str,
        platform: Subdir,
        virtual_packages: Vec<GenericVirtualPackage>,
        libraries: &[String],
        symbols: &[(String, String)],
    ) -> Result<Self, NeedsError> {
        let glob = |pattern: &String| {
            let wrong = |error: globset::Error| NeedsError::Pattern {
                pattern: pattern.clone(),
                reason: error.kind().to_string(),
            };
            Glob::new(pattern).map(|it| it.compile_matcher()).map_err(wrong)
        };
        if let Some((name, version)) = symbols.iter().find(|it| numbers(&it.1).is_none()) {
            return Err(NeedsError::Symbols { name: name.clone(), version: version.clone() });
        }
        Ok(Self {
            name: name.to_owned(),
            platform,
            virtual_packages,
            libraries: libraries.iter().map(glob).collect::<Result<_, _>>()?,
            symbols: symbols.to_owned(),
        })
    }

    /// The machine that we are on: it has what its loader finds of all that is needed, with the symbols that are there.
    ///
    /// # Errors
    /// None that a machine is known to make: names of libraries are patterns of themselves.
    pub fn this_machine(
        platform: Subdir,
        virtual_packages: Vec<GenericVirtualPackage>,
        library_path: Option<&str>,
        needs: &Needs,
    ) -> Result<Self, NeedsError> {
        let mut loader = Loader::new(library_path);
        let (mut libraries, mut symbols) = (Vec::new(), Vec::new());
        for library in &needs.libraries {
            let found = Machine::this().and_then(|machine| loader.find_anywhere(&library.name, machine));
            let Some(found) = found else { continue };
            libraries.push(globset::escape(&library.name));
            for version in defined_versions(&found.path).unwrap_or_default() {
                let Some((kind, number)) = super::glibc::split(&version.version) else { continue };
                symbols.push((kind.to_owned(), number.to_owned()));
            }
        }
        symbols.sort_by_cached_key(|(kind, number)| (kind.clone(), std::cmp::Reverse(numbers(number))));
        symbols.dedup_by(|next, first| next.0 == first.0);
        Self::new("this machine", platform, virtual_packages, &libraries, &symbols)
    }

    /// The virtual package of this name.
    pub(super) fn virtual_package(&self, name: &str) -> Option<&GenericVirtualPackage> {
        self.virtual_packages.iter().find(|it| it.name.as_normalized() == name)
    }

    /// The version of the GNU C library.
    pub(super) fn glibc(&self) -> Option<String> {
        self.virtual_package("__glibc").map(|it| it.version.to_string())
    }

    /// The level of its processor; nothing when it does not say, or says something that is not known.
    pub(super) fn level(&self) -> Option<Level> {
        cpu::level(self.virtual_package("__archspec")?.build_string.as_ref())
    }

    /// Whether it has a library. Whoever says which symbols of the C++ library there are has that library.
    pub(super) fn has_library(&self, name: &str) -> bool {
        let is_cxx = name == "libstdc++.so.6" && self.symbols.iter().any(|it| it.0 == "GLIBCXX");
        is_cxx || self.libraries.iter().any(|it| it.is_match(name))
    }

    /// The newest version of symbols of a kind.
    pub(super) fn symbols(&self, kind: &str) -> Option<&str> {
        self.symbols.iter().find(|it| it.0 == kind).map(|it| it.1.as_str())
    }

    /// Whether it meets what a package says of a virtual package. What cannot be understood is not met, as for solvers.
    pub fn meets(&self, spec: &str, optional: bool) -> bool {
        let Ok(spec) = MatchSpec::from_str(spec, ParseMatchSpecOptions::lenient()) else { return false };
        let Some(name) = spec.name.as_exact() else { return false };
        match self.virtual_package(name.as_normalized()) {
            Some(package) => spec.matches(package),
            None => optional,
        }
    }
}
