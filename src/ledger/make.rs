//! Makes the ledger of a package: follows the loader from each of its files to the libraries of the host.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    HostLibrary, LedgerError,
    c_library::{is_c_library, needed_version, newest},
    identity,
};
use crate::{
    base::without_dots,
    elf::{Found, Loader, Object, Rule},
};

/// A package in a prefix.
#[derive(Debug)]
pub struct Request<'a> {
    /// The prefix, which holds all that the package needs but the host's libraries.
    pub prefix: &'a Path,
    /// The package's own files, relative to the prefix. Those that are no ELF files need nothing.
    pub files: &'a [PathBuf],
    /// The `LD_LIBRARY_PATH` that its programs will find.
    pub library_path: Option<&'a str>,
    /// The modules that are loaded.
    pub modules: &'a [Module<'a>],
}

/// A module of the host.
#[derive(Debug, Clone, Copy)]
pub struct Module<'a> {
    /// Its name with its version.
    pub name: &'a str,
    /// The folders that it speaks of.
    pub folders: &'a [PathBuf],
}

/// What a package needs.
#[derive(Debug, Default)]
pub struct Made {
    /// The host's libraries, sorted by name and path.
    pub libraries: Vec<HostLibrary>,
    /// Every need of its own files, sorted by file and name.
    pub needs: Vec<Need>,
}

/// A library that one of the package's own files needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The file, relative to the prefix.
    pub file: PathBuf,
    /// The library's name.
    pub name: String,
    /// Where the loader finds it, in the prefix or outside; nothing when it does not.
    pub found: Option<PathBuf>,
}

/// Follows the loader from each file of a package.
///
/// # Errors
/// When a library of the host was found and cannot be read.
pub fn make(request: &Request<'_>) -> Result<Made, LedgerError> {
    let mut search = Search {
        request,
        prefix: request.prefix.canonicalize().unwrap_or_else(|_| request.prefix.to_owned()),
        own: request.files.iter().map(|it| request.prefix.join(it)).collect(),
        loader: Loader::new(request.library_path),
        bare: Loader::new(None),
        needs: BTreeMap::new(),
        libraries: BTreeMap::new(),
    };
    for file in request.files {
        search.follow(file)?;
    }
    let need = |((file, name), found)| Need { file, name, found };
    Ok(Made {
        libraries: search.libraries.into_values().collect(),
        needs: search.needs.into_iter().map(need).collect(),
    })
}

struct Search<'a> {
    request: &'a Request<'a>,
    /// The prefix without symbolic links.
    prefix: PathBuf,
    own: BTreeSet<PathBuf>,
    loader: Loader,
    /// One without the folders of `LD_LIBRARY_PATH`.
    bare: Loader,
    needs: BTreeMap<(PathBuf, String), Option<PathBuf>>,
    libraries: BTreeMap<(String, PathBuf), HostLibrary>,
}

impl Search<'_> {
    /// Loads a file with all that it needs, breadth first, as the loader does: a name that was found once is not looked
    /// for again.
    fn follow(&mut self, file: &Path) -> Result<(), LedgerError> {
        let path = self.request.prefix.join(file);
        let Some(linkage) = self.loader.linkage(&path) else { return Ok(()) };
        let mut loaded: HashMap<String, Option<Found>> = HashMap::new();
        let mut queue = VecDeque::from([Arc::new(Object::root(&path, linkage))]);
        while let Some(object) = queue.pop_front() {
            for name in &object.linkage.needed {
                let is_new = !loaded.contains_key(name);
                if is_new {
                    let found = self.find(name, &object);
                    let found = found.map(|it| Found { path: self.place(&it.path), by: it.by });
                    loaded.insert(name.clone(), found);
                }
                let found = loaded[name].clone();
                let by_own = self.own.contains(&object.path);
                if by_own {
                    let relative = object.path.strip_prefix(self.request.prefix).unwrap_or(&object.path);
                    // As a file of its own it may find less than when another one loads it.
                    let need = self.needs.entry((relative.to_owned(), name.clone())).or_default();
                    *need = need.take().or_else(|| found.as_ref().map(|it| it.path.clone()));
                }
                let Some(found) = found else { continue };
                let follows = match self.outside(&found.path) {
                    Some(real) => {
                        self.note(name, &found, &real, by_own.then_some(object.path.as_path()))?;
                        !is_c_library(name)
                    }
                    // What other packages need is in their own ledgers.
                    None => self.own.contains(&found.path),
                };
                if is_new
                    && follows
                    && let Some(linkage) = self.loader.linkage(&found.path)
                {
                    queue.push_back(Arc::new(Object { path: found.path, linkage, loader: Some(Arc::clone(&object)) }));
                }
            }
        }
        Ok(())
    }

    /// What the loader finds. Modules set `LD_LIBRARY_PATH`, which comes before a `DT_RUNPATH`; where both lead to the
    /// same file, it is the file's own run path that finds it without the modules, too.
    fn find(&mut self, name: &str, object: &Object) -> Option<Found> {
        let found = self.loader.find(name, object)?;
        if found.by != Rule::LibraryPath {
            return Some(found);
        }
        let real = |it: &Found| it.path.canonicalize().ok();
        let own = self.bare.find(name, object).filter(|it| it.by == Rule::Runpath && real(it) == real(&found));
        Some(own.unwrap_or(found))
    }

    /// The path without `..`, where it stays inside the prefix.
    fn place(&self, path: &Path) -> PathBuf {
        let clean = without_dots(path);
        if clean.starts_with(self.request.prefix) { clean } else { path.to_owned() }
    }

    /// The real file, when it is outside the prefix: links of the prefix may lead there.
    fn outside(&self, path: &Path) -> Option<PathBuf> {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        (!real.starts_with(&self.prefix)).then_some(real)
    }

    fn note(&mut self, name: &str, found: &Found, real: &Path, needed_by: Option<&Path>) -> Result<(), LedgerError> {
        let is_part = is_c_library(name);
        // Where a link of the prefix leads is the host's place.
        let path =
            if found.path.starts_with(self.request.prefix) { real.to_owned() } else { without_dots(&found.path) };
        let key = (name.to_owned(), path.clone());
        if !self.libraries.contains_key(&key) {
            let (build_id, content) = if is_part { (None, None) } else { identity(&mut self.loader, &found.path)? };
            let library = HostLibrary {
                name: name.to_owned(),
                version: if is_part { None } else { version(real) },
                build_id,
                content,
                module: self.module_of(&path, real),
                direct: false,
                c_library: is_part,
                found: found.by,
                path,
            };
            self.libraries.insert(key.clone(), library);
        }
        if let (Some(library), Some(file)) = (self.libraries.get_mut(&key), needed_by) {
            library.direct = true;
            if is_part {
                let more = needed_version(file, name);
                library.version = newest(library.version.take().into_iter().chain(more));
            }
        }
        Ok(())
    }

    /// The module that speaks of the innermost folder around a library.
    fn module_of(&self, path: &Path, real: &Path) -> Option<String> {
        let mut best: Option<(usize, &str)> = None;
        for module in self.request.modules {
            for folder in module.folders.iter().filter_map(|it| root_of(it)) {
                let depth = folder.components().count();
                let holds = path.starts_with(folder) || real.starts_with(folder);
                // Of two that speak of the same folder, the one that was loaded last has the say.
                if holds && best.is_none_or(|(deepest, _)| depth >= deepest) {
                    best = Some((depth, module.name));
                }
            }
        }
        best.map(|(_, name)| name.to_owned())
    }
}

/// The folder that a module's folder is part of: `/opt/mpich/bin` is of `/opt/mpich`. The system's own folders hold
/// everything, and what is there is of no module.
fn root_of(folder: &Path) -> Option<&Path> {
    const SYSTEM: &[&str] = &["/", "/usr", "/usr/local", "/opt"];
    const PARTS: &[&str] =
        &["bin", "cmake", "include", "info", "lib", "lib64", "man", "modules", "pkgconfig", "sbin", "share"];
    let is_part = |it: &&Path| it.file_name().is_some_and(|name| PARTS.iter().any(|part| name == *part));
    let root = folder.ancestors().find(|it| !is_part(it))?;
    (!SYSTEM.iter().any(|it| root == Path::new(it))).then_some(root)
}

/// The version in the name of a file: `libmpi.so.12.2.1`, `libhdf5-1.10.8.so`.
pub(super) fn version(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    if let Some((_, version)) = name.rsplit_once(".so.") {
        return Some(version.to_owned());
    }
    let (_, version) = name.strip_suffix(".so")?.rsplit_once('-')?;
    version.starts_with(|it: char| it.is_ascii_digit()).then(|| version.to_owned())
}
