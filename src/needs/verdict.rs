//! Holds what a tree needs against what a machine has.

use std::fmt;

use serde::Serialize;

use super::{
    gather::is_driver,
    glibc::is_older,
    model::{FileNeeds, Needs},
    target::Target,
};

/// Something that is needed and not there.
#[derive(Serialize, Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What kind of need it is.
    pub kind: Kind,
    /// The file; nothing when it is the package as a whole, or the tree.
    pub file: Option<String>,
    /// The package, as `name-version-build`; nothing for files that belong to none.
    pub package: Option<String>,
    /// What is needed.
    pub needs: String,
    /// What the machine, or the tree, has instead; nothing when it has nothing of the kind.
    pub has: Option<String>,
    /// The newest build of the package that would fit, as `name-version-build`. Whoever knows channels fills it in.
    pub newest: Option<String>,
}

/// The kinds of needs.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The tree is for another platform.
    Platform,
    /// A package asks for a virtual package.
    VirtualPackage,
    /// Symbols of a newer GNU C library.
    Glibc,
    /// A better processor.
    Cpu,
    /// Newer symbols of a library that the machine has.
    Symbols,
    /// Newer symbols of a library that the tree has: no machine has them.
    Lacking,
    /// A library that is not there.
    Library,
    /// A library of a driver that is not there.
    Driver,
    /// A file that names the prefix in a way that cannot be changed.
    Prefix,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, file, package, needs, has, newest } = self;
        match (file, package) {
            (Some(file), Some(package)) => write!(f, "{file} of {package}")?,
            (Some(file), None) => write!(f, "{file}, which is not of a package,")?,
            (None, Some(package)) => f.write_str(package)?,
            (None, None) => f.write_str("the environment")?,
        }
        match kind {
            Kind::Platform => write!(f, " is for {needs}")?,
            Kind::Prefix => write!(f, " names the prefix in a way that cannot be changed: {needs}")?,
            _ => write!(f, " needs {needs}")?,
        }
        match (kind, has) {
            (Kind::Prefix, _) => {}
            (Kind::Lacking, Some(_)) => f.write_str(", and the environment's own is older")?,
            (_, Some(has)) => write!(f, ", and there is {has}")?,
            (_, None) => f.write_str(", and there is none")?,
        }
        match newest {
            Some(newest) => write!(f, "; the newest that would fit is {newest}"),
            None => Ok(()),
        }
    }
}

/// Everything that a machine does not have, and every file that cannot be moved to it; by kind, then by file.
pub fn violations(needs: &Needs, target: &Target) -> Vec<Violation> {
    let mut found = of_packages(needs, target);
    for file in &needs.files {
        found.extend(of_file(file, needs, target));
    }
    found.extend(needs.unfixable.iter().map(|it| Violation {
        kind: Kind::Prefix,
        file: Some(it.file.clone()),
        package: it.package.clone(),
        needs: it.why.clone(),
        has: None,
        newest: None,
    }));
    // Stable: what is of one kind stays in the order of the files.
    found.sort_by_key(|it| it.kind);
    found
}

/// What is needed and the target says nothing of, so that nobody can tell: virtual packages, and kinds of symbols.
pub fn unsaid(needs: &Needs, target: &Target) -> Vec<String> {
    let mut unsaid = Vec::new();
    if needs.glibc.is_some() && target.glibc().is_none() {
        unsaid.push("__glibc".to_owned());
    }
    if needs.cpu.is_some() && target.level().is_none() {
        unsaid.push("__archspec".to_owned());
    }
    for it in &needs.symbols {
        let is_there = target.has_library(&it.library) || needs.host.iter().any(|host| host.name == it.library);
        if is_there && target.symbols(&it.name).is_none() && !unsaid.contains(&it.name) {
            unsaid.push(it.name.clone());
        }
    }
    for name in needs.virtual_packages.iter().map(|it| named(&it.spec)) {
        if is_fact(name) && target.virtual_package(name).is_none() && !unsaid.iter().any(|it| it == name) {
            unsaid.push(name.to_owned());
        }
    }
    unsaid
}

/// The virtual packages that conda knows. A machine that does not name one of them has none; others are facts that only
/// a project knows, and a target that says nothing of them may well have them.
const KNOWN: [&str; 9] =
    ["__archspec", "__conda", "__cuda", "__cuda_arch", "__glibc", "__linux", "__osx", "__unix", "__win"];

fn is_fact(name: &str) -> bool {
    !KNOWN.contains(&name)
}

/// The name in a spec.
fn named(spec: &str) -> &str {
    spec.split([' ', '=', '<', '>', '!', '~', '[']).next().unwrap_or_default()
}

fn of_packages(needs: &Needs, target: &Target) -> Vec<Violation> {
    let mut found = Vec::new();
    if let Some(platform) = needs.platform.as_ref().filter(|it| *it != target.platform.as_str()) {
        found.push(Violation {
            kind: Kind::Platform,
            file: None,
            package: None,
            needs: platform.clone(),
            has: Some(target.platform.to_string()),
            newest: None,
        });
    }
    for constraint in &needs.virtual_packages {
        let name = named(&constraint.spec);
        if target.meets(&constraint.spec, constraint.optional || is_fact(name)) {
            continue;
        }
        let has = target.virtual_package(name).map(|it| shown(name, &it.version.to_string(), it.build_string.as_ref()));
        found.extend(constraint.packages.iter().map(|package| Violation {
            kind: Kind::VirtualPackage,
            file: None,
            package: Some(package.clone()),
            needs: constraint.spec.clone(),
            has: has.clone(),
            newest: None,
        }));
    }
    found
}

fn of_file(file: &FileNeeds, needs: &Needs, target: &Target) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut add = |kind, needs: String, has: Option<String>| {
        let (file, package) = (Some(file.file.clone()), file.package.clone());
        found.push(Violation { kind, file, package, needs, has, newest: None });
    };
    if let (Some(needed), Some(there)) = (&file.glibc, target.glibc())
        && is_older(&there, needed)
    {
        add(Kind::Glibc, format!("GLIBC_{needed}"), Some(format!("GLIBC_{there}")));
    }
    if let (Some(needed), Some(there)) = (file.cpu, target.level())
        && there < needed
    {
        add(Kind::Cpu, needed.to_string(), Some(there.to_string()));
    }
    let is_host = |library: &str| needs.host.iter().any(|it| it.name == library);
    for (library, kinds) in file.symbols.iter().filter(|it| target.has_library(it.0) || is_host(it.0)) {
        for (kind, needed) in kinds {
            if let Some(there) = target.symbols(kind).filter(|it| is_older(it, needed)) {
                add(Kind::Symbols, format!("{kind}_{needed} of {library}"), Some(format!("{kind}_{there}")));
            }
        }
    }
    for lacking in &file.lacking {
        let needs = format!("{} of {}", lacking.version, lacking.library);
        add(Kind::Lacking, needs, Some(lacking.library.clone()));
    }
    for library in file.libraries.iter().filter(|it| !target.has_library(it) && !is_host(it)) {
        if is_driver(library) {
            if target.virtual_package("__cuda").is_none() {
                add(Kind::Driver, library.clone(), None);
            }
        } else {
            add(Kind::Library, library.clone(), None);
        }
    }
    found
}

/// A virtual package for people; the build string of most of them is `0` and says nothing.
fn shown(name: &str, version: &str, build: &str) -> String {
    if build == "0" { format!("{name} {version}") } else { format!("{name} {version} {build}") }
}
