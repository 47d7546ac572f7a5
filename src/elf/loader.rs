//! Which file the loader takes for a library that is needed: the search of ld.so(8).
//!
//! Three things differ on purpose. Folders of `LD_LIBRARY_PATH` and of run paths that are relative or empty mean the
//! working folder, and are left out. `glibc-hwcaps` folders, which hold other builds of the same library for newer
//! processors, are not looked into. `LD_PRELOAD` and `/etc/ld.so.preload` are not libraries that somebody needs.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    cache,
    edit::RunPathKind,
    linkage::{Linkage, Machine, linkage},
};

/// Finds libraries as the loader of this machine does. What was read is remembered.
#[derive(Debug)]
pub struct Loader {
    library_path: Vec<PathBuf>,
    cache_file: PathBuf,
    cache: Option<HashMap<String, Vec<PathBuf>>>,
    read: HashMap<PathBuf, Option<Arc<Linkage>>>,
}

/// A file that needs libraries, and the one that needs it in turn.
#[derive(Debug, Clone)]
pub struct Object {
    /// Where the loader has found it.
    pub path: PathBuf,
    /// What it is linked with.
    pub linkage: Arc<Linkage>,
    /// The file that it was loaded for; nothing for the first.
    pub loader: Option<Arc<Self>>,
}

/// A library that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub path: PathBuf,
    /// By which rule.
    pub by: Rule,
}

/// The rules of the search, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The need itself is a path.
    Path,
    /// `DT_RPATH` of the file that needs it, or of one that it was loaded for.
    Rpath,
    /// `LD_LIBRARY_PATH`.
    LibraryPath,
    /// `DT_RUNPATH` of the file that needs it.
    Runpath,
    /// `/etc/ld.so.cache`.
    Cache,
    /// The folders that are always searched.
    Default,
}

impl Loader {
    /// A loader with this `LD_LIBRARY_PATH`.
    pub fn new(library_path: Option<&str>) -> Self {
        Self::with_cache(library_path, Path::new("/etc/ld.so.cache"))
    }

    /// The same with another cache.
    pub(super) fn with_cache(library_path: Option<&str>, cache_file: &Path) -> Self {
        let folders = library_path.unwrap_or_default().split([':', ';']);
        Self {
            library_path: folders.map(PathBuf::from).filter(|it| it.is_absolute()).collect(),
            cache_file: cache_file.to_owned(),
            cache: None,
            read: HashMap::new(),
        }
    }

    /// What a file is linked with; nothing when it is no ELF file or cannot be read.
    pub fn linkage(&mut self, path: &Path) -> Option<Arc<Linkage>> {
        if let Some(known) = self.read.get(path) {
            return known.clone();
        }
        let read = linkage(path).ok().map(Arc::new);
        self.read.insert(path.to_owned(), read.clone());
        read
    }

    /// The library that `object` gets when it needs `name`.
    pub fn find(&mut self, name: &str, object: &Object) -> Option<Found> {
        let machine = object.linkage.machine;
        if name.contains('/') {
            let path = PathBuf::from(expand(name, object));
            return self.fits(&path, machine).then_some(Found { path, by: Rule::Path });
        }
        let run_path = |it: &Object, kind| match &it.linkage.run_path {
            Some((text, found)) if *found == kind => folders(text, it),
            _ => Vec::new(),
        };
        if !matches!(object.linkage.run_path, Some((_, RunPathKind::Runpath))) {
            let mut next = Some(object);
            while let Some(one) = next {
                if let Some(found) = self.among(run_path(one, RunPathKind::Rpath), name, machine, Rule::Rpath) {
                    return Some(found);
                }
                next = one.loader.as_deref();
            }
        }
        if let Some(found) = self.among(self.library_path.clone(), name, machine, Rule::LibraryPath) {
            return Some(found);
        }
        let runpath = run_path(object, RunPathKind::Runpath);
        self.among(runpath, name, machine, Rule::Runpath)
            .or_else(|| self.in_system(name, machine, object.linkage.no_default))
    }

    /// The library of this name that a file without a run path gets.
    pub fn find_anywhere(&mut self, name: &str, machine: Machine) -> Option<Found> {
        self.among(self.library_path.clone(), name, machine, Rule::LibraryPath)
            .or_else(|| self.in_system(name, machine, false))
    }

    fn in_system(&mut self, name: &str, machine: Machine, no_default: bool) -> Option<Found> {
        let defaults = default_folders(machine);
        let cached = self.cache.get_or_insert_with(|| cache::read(&self.cache_file)).get(name).cloned();
        for path in cached.unwrap_or_default() {
            let is_default = path.parent().is_some_and(|it| defaults.iter().any(|other| other == it));
            if !(no_default && is_default) && self.fits(&path, machine) {
                return Some(Found { path, by: Rule::Cache });
            }
        }
        if no_default { None } else { self.among(defaults, name, machine, Rule::Default) }
    }

    fn among(&mut self, folders: Vec<PathBuf>, name: &str, machine: Machine, by: Rule) -> Option<Found> {
        let mut paths = folders.into_iter().map(|it| it.join(name));
        paths.find(|it| self.fits(it, machine)).map(|path| Found { path, by })
    }

    /// The loader goes on when it finds a file for another machine, and so do we for one that is no library at all.
    fn fits(&mut self, path: &Path, machine: Machine) -> bool {
        self.linkage(path).is_some_and(|it| it.machine == machine)
    }
}

impl Object {
    /// A file that is loaded first: a program, or a library that a program opens.
    pub fn root(path: &Path, linkage: Arc<Linkage>) -> Self {
        Self { path: path.to_owned(), linkage, loader: None }
    }
}

impl Machine {
    /// That of this program.
    pub fn this() -> Option<Self> {
        linkage(Path::new("/proc/self/exe")).ok().map(|it| it.machine)
    }
}

/// The folders of a run path that are absolute once its tokens are replaced.
fn folders(run_path: &str, object: &Object) -> Vec<PathBuf> {
    let folders = run_path.split(':').map(|it| PathBuf::from(expand(it, object)));
    folders.filter(|it| it.is_absolute()).collect()
}

/// Replaces `$ORIGIN`, `$LIB` and `$PLATFORM`, with braces or without.
fn expand(text: &str, object: &Object) -> String {
    if !text.contains('$') {
        return text.to_owned();
    }
    let machine = object.linkage.machine;
    // Of a program the loader knows the real place, of a library the one where it has found it.
    let is_program = object.loader.is_none() && object.linkage.interpreter.is_some();
    let place = if is_program { object.path.canonicalize().ok() } else { None };
    let place = place.as_deref().unwrap_or(&object.path);
    let origin = place.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
    let lib = lib_folder(machine);
    let mut text = text.to_owned();
    for (token, value) in [("ORIGIN", &*origin), ("LIB", &*lib), ("PLATFORM", platform(machine))] {
        text = text.replace(&format!("${{{token}}}"), value);
        text = replace_bare(&text, &format!("${token}"), value);
    }
    text
}

/// A token without braces ends where the name does: `$LIBRARY` is not `$LIB`.
fn replace_bare(text: &str, token: &str, value: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(token) {
        let (before, after) = (&rest[..at], &rest[at + token.len()..]);
        let goes_on = after.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '_');
        out.push_str(before);
        out.push_str(if goes_on { token } else { value });
        rest = after;
    }
    out + rest
}

/// `EM_X86_64` and so on, with the name that the kernel gives the processor and the folder of Debian's libraries for it.
const PROCESSORS: &[(bool, u64, &str, &str)] = &[
    (true, 62, "x86_64", "x86_64-linux-gnu"),
    (false, 3, "i686", "i386-linux-gnu"),
    (true, 183, "aarch64", "aarch64-linux-gnu"),
    (false, 40, "v7l", "arm-linux-gnueabihf"),
    (true, 21, "power8", "powerpc64le-linux-gnu"),
    (true, 22, "z900", "s390x-linux-gnu"),
    (true, 243, "riscv64", "riscv64-linux-gnu"),
    (true, 258, "loongarch64", "loongarch64-linux-gnu"),
];

fn processor(machine: Machine) -> Option<(&'static str, &'static str)> {
    let found = PROCESSORS.iter().find(|it| (it.0, it.1) == (machine.wide, machine.number));
    found.map(|it| (it.2, it.3))
}

fn platform(machine: Machine) -> &'static str {
    processor(machine).map_or("", |it| it.0)
}

/// What `$LIB` stands for: Debian and its relatives have a folder for each kind of processor, the others `lib64` and `lib`.
fn lib_folder(machine: Machine) -> String {
    let debian = processor(machine).map(|it| format!("lib/{}", it.1));
    match debian {
        Some(folder) if Path::new("/usr").join(&folder).is_dir() => folder,
        _ if machine.wide => "lib64".to_owned(),
        _ => "lib".to_owned(),
    }
}

/// The folders that loaders are built with, on all distributions: files of another machine are passed over anyway.
fn default_folders(machine: Machine) -> Vec<PathBuf> {
    let debian = processor(machine).map(|it| format!("lib/{}", it.1));
    let names = debian.into_iter().chain(machine.wide.then(|| "lib64".to_owned())).chain(["lib".to_owned()]);
    names.flat_map(|it| [Path::new("/").join(&it), Path::new("/usr").join(&it)]).collect()
}
