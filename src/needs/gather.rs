//! Puts together what the files of a tree need, and takes away what others of them provide.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{
    glibc::{self, is_gnu, is_older, split},
    model::{Constraint, Cpu, FORMAT, FileNeeds, Highest, HostNeed, Lacking, Library, Needs, Owner, Symbols},
    platform,
    record::Record,
    scan::Told,
    wheel::Wheel,
};
use crate::{
    elf::{Demands, Level},
    ledger::Ledger,
};

/// What the files of a tree have told, in any order.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    elf: Vec<(Vec<u8>, Box<Demands>)>,
    damaged: Vec<Vec<u8>>,
    /// Names and targets of symbolic links.
    pub(super) links: Vec<(Vec<u8>, Vec<u8>)>,
    records: Vec<Record>,
    ledgers: Vec<Ledger>,
    wheels: Vec<Wheel>,
}

/// How the driver's libraries begin that come with a graphics card and with nothing else.
const DRIVERS: &[&str] = &[
    "libcuda.so.",
    "libcudadebugger.so.",
    "libnvcuvid.so.",
    "libnvidia-",
    "libnvoptix.so.",
    "libGLX_nvidia.so.",
    "libEGL_nvidia.so.",
];

impl Gathered {
    pub(super) fn add(&mut self, name: &[u8], told: Told) {
        match told {
            Told::Nothing => {}
            Told::Elf(demands) => self.elf.push((name.to_owned(), demands)),
            Told::Damaged => self.damaged.push(name.to_owned()),
            Told::Record(record) => self.records.push(record),
            Told::Ledger(ledger) => self.ledgers.push(ledger),
            Told::Wheel(wheel) => self.wheels.push(wheel),
        }
    }

    pub(super) fn needs(mut self) -> Needs {
        self.elf.sort_by(|a, b| a.0.cmp(&b.0));
        self.damaged.sort();
        self.links.sort();
        self.records.sort_by_cached_key(Record::id);
        self.wheels.sort_by(|a, b| a.id.cmp(&b.id));
        let platform = self.platform();
        // Files for other machines are data here, and a compiler's sysroot is what it links others with.
        self.elf.retain(|(name, it)| platform::of(it.linkage.machine) == platform.as_deref() && !in_sysroot(name));
        let owners = self.owners();
        let provided = self.provided();
        let mut files = Vec::new();
        for (name, demands) in &self.elf {
            let mut file = self.of_file(name, demands, &provided);
            file.package = owners.get(name.as_slice()).cloned();
            if !file.is_empty() {
                files.push(file);
            }
        }
        let mut needs = Needs {
            format: FORMAT,
            platform,
            elf_files: self.elf.len() as u64,
            virtual_packages: self.constraints(),
            host: self.host(),
            packages: self.records.iter().map(Record::id).collect(),
            owners: self.records.iter().map(|it| (it.id(), it.owner())).collect::<BTreeMap<String, Owner>>(),
            damaged: self.damaged.iter().map(|it| shown(it)).collect(),
            files,
            ..Needs::default()
        };
        summarise(&mut needs);
        needs
    }

    /// That of the packages; without any, that of most files.
    fn platform(&self) -> Option<String> {
        let of_packages = self.records.iter().filter_map(|it| it.subdir.as_deref()).filter(|it| *it != "noarch");
        let of_files = self.elf.iter().filter_map(|(_, it)| platform::of(it.linkage.machine));
        most(of_packages).or_else(|| most(of_files)).map(str::to_owned)
    }

    /// The packages of files. What pip has installed is often a package of conda, too, and then that counts.
    fn owners(&self) -> HashMap<&[u8], String> {
        let elf: HashSet<&[u8]> = self.elf.iter().map(|it| it.0.as_slice()).collect();
        let mut owners = HashMap::new();
        for record in &self.records {
            for file in record.files.iter().map(|it| it.as_bytes()).filter(|it| elf.contains(it)) {
                owners.entry(file).or_insert_with(|| record.id());
            }
        }
        for wheel in &self.wheels {
            for file in wheel.files.iter().map(Vec::as_slice).filter(|it| elf.contains(it)) {
                owners.entry(file).or_insert_with(|| wheel.id.clone());
            }
        }
        owners
    }

    /// The names that libraries of the tree are found by, with the libraries.
    fn provided(&self) -> HashMap<String, Vec<&Demands>> {
        let mut provided: HashMap<String, Vec<&Demands>> = HashMap::new();
        let by_name: HashMap<&[u8], &Demands> = self.elf.iter().map(|(name, it)| (name.as_slice(), &**it)).collect();
        for (name, demands) in &self.elf {
            let names = BTreeSet::from([base(name), demands.linkage.soname.clone().unwrap_or_default()]);
            for name in names.into_iter().filter(|it| !it.is_empty()) {
                provided.entry(name).or_default().push(demands);
            }
        }
        let links: HashMap<&[u8], &[u8]> = self.links.iter().map(|it| (it.0.as_slice(), it.1.as_slice())).collect();
        for (name, _) in &self.links {
            let Some(library) = followed(name, &links, &by_name) else { continue };
            let known = provided.entry(base(name)).or_default();
            if !known.iter().any(|it| std::ptr::eq(*it, library)) {
                known.push(library);
            }
        }
        provided
    }

    fn of_file(&self, name: &[u8], demands: &Demands, provided: &HashMap<String, Vec<&Demands>>) -> FileNeeds {
        let is_outside = |library: &str| !is_gnu(library) && !provided.contains_key(&base(library.as_bytes()));
        let mut file = FileNeeds { file: shown(name), glibc: glibc::newest(&demands.needed), ..FileNeeds::default() };
        // What is below `glibc-hwcaps` is loaded where the processor fits, and not elsewhere.
        if !name.split(|it| *it == b'/').any(|it| it == b"glibc-hwcaps") && self.is_x86(demands) {
            file.cpu = demands.level.filter(|it| *it > Level::Baseline);
        }
        let outside = demands.linkage.needed.iter().filter(|it| is_outside(it));
        file.libraries = outside.cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let mut lacking = BTreeSet::new();
        for version in demands.needed.iter().filter(|it| !it.weak && !is_gnu(&it.library)) {
            if let Some(libraries) = provided.get(&base(version.library.as_bytes())) {
                // The loader lets a library pass that has no versions at all.
                let lacks = |it: &&Demands| {
                    !it.defined.is_empty() && !it.defined.iter().any(|one| one.version == version.version)
                };
                if libraries.iter().all(lacks) {
                    let (library, version) = (version.library.clone(), version.version.clone());
                    lacking.insert(Lacking { library, version });
                }
            } else if let Some((kind, number)) = split(&version.version) {
                let known = file.symbols.entry(version.library.clone()).or_default();
                let highest = known.entry(kind.to_owned()).or_insert_with(|| number.to_owned());
                if is_older(highest, number) {
                    number.clone_into(highest);
                }
            }
        }
        file.lacking = lacking.into_iter().collect();
        file
    }

    fn is_x86(&self, demands: &Demands) -> bool {
        matches!(platform::of(demands.linkage.machine), Some("linux-64" | "linux-32"))
    }

    fn constraints(&self) -> Vec<Constraint> {
        let mut found: BTreeMap<(&str, bool), Vec<String>> = BTreeMap::new();
        for record in &self.records {
            let own = record.depends.iter().map(|it| (it.as_str(), false));
            let own: BTreeSet<_> = own.chain(record.constrains.iter().map(|it| (it.as_str(), true))).collect();
            for spec in own.into_iter().filter(|it| it.0.starts_with("__")) {
                found.entry(spec).or_default().push(record.id());
            }
        }
        let constraint =
            |((spec, optional), packages): ((&str, bool), _)| Constraint { spec: spec.to_owned(), optional, packages };
        found.into_iter().map(constraint).collect()
    }

    fn host(&self) -> Vec<HostNeed> {
        let mut host = BTreeSet::new();
        for ledger in &self.ledgers {
            for it in ledger.libraries.iter().filter(|it| it.direct && !it.c_library) {
                host.insert(HostNeed {
                    name: it.name.clone(),
                    version: it.version.clone(),
                    module: it.module.clone(),
                    package: ledger.package.clone(),
                });
            }
        }
        host.into_iter().collect()
    }
}

/// Fills in the highest of everything from the list of files. Of two files that need the same, the first is named.
fn summarise(needs: &mut Needs) {
    let mut libraries: BTreeMap<String, Library> = BTreeMap::new();
    let mut symbols: BTreeMap<(String, String), Symbols> = BTreeMap::new();
    for FileNeeds { file, package, glibc, cpu, libraries: own, symbols: versions, .. } in &needs.files {
        let (file, package) = (|| file.clone(), || package.clone());
        if let Some(version) = glibc
            && needs.glibc.as_ref().is_none_or(|it| is_older(&it.version, version))
        {
            needs.glibc = Some(Highest { version: version.clone(), file: file(), package: package() });
        }
        if let Some(level) = *cpu
            && needs.cpu.as_ref().is_none_or(|it| it.level < level)
        {
            needs.cpu = Some(Cpu { level, file: file(), package: package() });
        }
        for name in own {
            let first =
                || Library { name: name.clone(), driver: is_driver(name), files: 0, file: file(), package: package() };
            libraries.entry(name.clone()).or_insert_with(first).files += 1;
        }
        for (library, kinds) in versions {
            for (name, version) in kinds {
                let (library, name, version) = (library.clone(), name.clone(), version.clone());
                let key = (library.clone(), name.clone());
                if symbols.get(&key).is_none_or(|it| is_older(&it.version, &version)) {
                    symbols.insert(key, Symbols { library, name, version, file: file(), package: package() });
                }
            }
        }
    }
    needs.libraries = libraries.into_values().collect();
    needs.symbols = symbols.into_values().collect();
}

/// Whether a library comes with the driver of a graphics card.
pub(super) fn is_driver(library: &str) -> bool {
    DRIVERS.iter().any(|it| library.starts_with(it))
}

/// The file that a link leads to, through other links, if it is an ELF file of the tree.
fn followed<'a>(
    link: &[u8],
    links: &HashMap<&[u8], &[u8]>,
    files: &HashMap<&[u8], &'a Demands>,
) -> Option<&'a Demands> {
    let mut name = link.to_owned();
    for _ in 0..16 {
        let target = links.get(name.as_slice())?;
        if target.starts_with(b"/") {
            return None;
        }
        let mut parts: Vec<&[u8]> = name.split(|it| *it == b'/').collect();
        parts.pop();
        for part in target.split(|it| *it == b'/') {
            match part {
                b"" | b"." => {}
                b".." => drop(parts.pop()?),
                other => parts.push(other),
            }
        }
        name = parts.join(&b'/');
        if let Some(found) = files.get(name.as_slice()) {
            return Some(found);
        }
    }
    None
}

fn in_sysroot(name: &[u8]) -> bool {
    let parts: Vec<&[u8]> = name.split(|it| *it == b'/').collect();
    let is_triple = |part: &[u8]| memchr::memmem::find(part, b"-linux-").is_some();
    parts.windows(2).any(|pair| pair[1] == b"sysroot" && is_triple(pair[0]))
}

/// What there is most of; of several, the first by name.
fn most<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts.into_iter().rev().max_by_key(|it| it.1).map(|it| it.0)
}

fn base(name: &[u8]) -> String {
    let base = name.rsplit(|it| *it == b'/').next().unwrap_or(name);
    String::from_utf8_lossy(base).into_owned()
}

/// A name for people and for JSON.
fn shown(name: &[u8]) -> String {
    std::str::from_utf8(name).map_or_else(|_| name.escape_ascii().to_string(), str::to_owned)
}
