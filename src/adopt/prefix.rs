//! From a prefix to a tree: listed, read once in parallel, and given a placeholder.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    sync::Arc,
};

use rattler_conda_types::{PrefixRecord, Subdir, package::FileMode};
use rayon::prelude::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::{
    account::{self, Account},
    editable::{self, Editables},
    error::{AdoptError, AdoptErrors},
    filter::{self, Filters},
    links, placed,
    python::{self, Dist},
    records::{self, Claims},
    relink,
    report::{Editable, Outside, Report},
    restore::{Fix, Looked, State},
    scan::{Scan, Scanner},
    spelling::Spellings,
    walk,
};
use crate::{
    base::{Cancel, Scratch, within},
    tree::{Content, Entries, Entry, File, PLACEHOLDER_MAX, PLACEHOLDER_MIN, placeholder},
};

/// What to adopt of a prefix, and how.
#[derive(Debug, Clone, Default)]
pub struct AdoptOptions {
    /// What is left out.
    pub filters: Filters,
    /// What becomes of editable installs.
    pub editables: Editables,
    /// What becomes of files that were compiled in the prefix.
    pub compiled: Compiled,
    /// Threads that read, at least one; they change nothing but the time.
    pub threads: usize,
    /// When it is raised, reading ends.
    pub cancel: Cancel,
}

/// What becomes of binary files of no package that name the prefix: there is room for a path of its length and no more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compiled {
    /// They go on naming it, and the report says so. The environment can move to any path for which the packages have
    /// room.
    #[default]
    Keep,
    /// They are corrected, too, so the environment can move only to paths that are no longer than its own.
    Limit,
}

/// A prefix that is ready to be packed.
#[derive(Debug)]
pub struct Adopted {
    /// Its files, which all name the placeholder.
    pub entries: Entries,
    /// That placeholder.
    pub placeholder: String,
    /// The name of its folder.
    pub name: String,
    /// The platform that its packages are for, such as `linux-64`.
    pub platform: String,
    /// The conda packages, sorted by name.
    pub packages: Vec<PrefixRecord>,
    /// The packages that pip or another program has installed, sorted by folder.
    pub pip: Vec<PipPackage>,
    /// What there is to tell.
    pub report: Report,
    spellings: Spellings,
    /// Holds the files that had to be changed, until the tree is written.
    _scratch: Scratch,
}

/// A package that pip or another program has installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The program that has installed it, when it has signed.
    pub installer: Option<String>,
    /// Where it came from, when that was no index.
    pub url: Option<String>,
}

impl Adopted {
    /// The values of environment variables, with the placeholder wherever the prefix stands in them.
    #[must_use]
    pub fn variables(&self, variables: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let replaced = |value: String| {
            let bytes = self.spellings.replaced(value.as_bytes(), self.placeholder.as_bytes());
            String::from_utf8(bytes).unwrap_or(value)
        };
        variables.into_iter().map(|(name, value)| (name, replaced(value))).collect()
    }
}

/// A file as it was read.
pub(super) struct Read {
    pub(super) scan: Scan,
    pub(super) fix: Fix,
    /// For each claim, in their order, whether the file is as it says.
    pub(super) states: Vec<State>,
}

/// Adopts the conda prefix that lies in a folder.
///
/// # Errors
/// When it is no prefix, a record is damaged, something cannot be read or packed, or an editable install is to be
/// refused; all of it at once.
pub fn adopt(prefix: &Path, options: &AdoptOptions) -> Result<Adopted, AdoptErrors> {
    let fail = |problems| AdoptErrors::new(Some(prefix), problems);
    let root = prefix.canonicalize().unwrap_or_else(|_| prefix.to_owned());
    if !root.join("conda-meta").is_dir() || root.parent().is_none() {
        return Err(fail(vec![AdoptError::NotAPrefix(prefix.to_owned())]));
    }
    within(options.threads, || adopt_here(prefix, &root, options)).map_err(fail)
}

fn adopt_here(prefix: &Path, root: &Path, options: &AdoptOptions) -> Result<Adopted, Vec<AdoptError>> {
    let walk::Walked { mut entries, left_behind, mut problems } = walk::walk(root, &options.filters);
    placed::settle(&mut entries);
    let excluded = filter::out_of(&entries, &options.filters);
    collect(&mut problems, filter::remove(&mut entries, &excluded));
    let packages = collect(&mut problems, records::read(&entries)).unwrap_or_default();
    let claims = records::claims(&packages);
    forget_scripts(&mut entries, &claims);
    let spellings = Spellings::of(prefix, &entries);
    let dists = collect(&mut problems, python::dists(&entries, &claims, &spellings)).unwrap_or_default();
    let pths = collect(&mut problems, python::pths(&entries, root, &spellings)).unwrap_or_default();
    let found = editable::find(&entries, &dists, pths, &spellings).map_err(|problem| vec![problem]);
    let (installs, pths) = collect(&mut problems, found).unwrap_or_default();
    collect(&mut problems, editable::settle(&mut entries, &claims, &dists, &installs, options.editables));
    let mut reads =
        collect(&mut problems, read_all(&entries, &claims, &spellings, &options.cancel)).unwrap_or_default();
    if !problems.is_empty() {
        return Err(problems);
    }

    let placeholder = placeholder(room(&entries, &claims, &reads, options.compiled));
    let scratch = Scratch::new().map_err(|error| vec![error.into()])?;
    let relinked = relink::relink(&mut entries, &mut reads, &spellings, placeholder.len(), &scratch);
    let relinked = relinked.map_err(|problem| vec![problem])?;
    let mut report = Report {
        relinked: relinked.iter().map(|it| account::text(it)).collect(),
        excluded: excluded.len() as u64,
        left_behind: left_behind.iter().map(|it| account::text(it)).collect(),
        editable: installs
            .iter()
            .map(|it| Editable {
                name: it.name.clone(),
                sources: it.sources.iter().map(|it| it.display().to_string()).collect(),
                included: options.editables == Editables::Include,
            })
            .collect(),
        outside_paths: pths
            .iter()
            .flat_map(|pth| pth.outside.iter().map(|it| (&pth.name, it)))
            .map(|(name, folder)| Outside { file: account::text(name), names: folder.display().to_string() })
            .collect(),
        ..Report::default()
    };
    let dists: Vec<Dist> = dists.into_iter().filter(|it| has_dist(&entries, &it.folder)).collect();
    let account = Account { entries: &entries, packages: &packages, claims: &claims, dists: &dists, reads: &reads };
    account.fill(&mut report, &spellings, placeholder.len());
    let pip = account.pip_packages();
    let platform = platform(&packages, &reads);

    report.outside_links = links::settle(&mut entries, &spellings, placeholder.as_bytes());
    for (name, Read { scan, fix, .. }) in reads {
        if let Some(Entry::File(file)) = entries.get_mut(&name) {
            let mut content = std::mem::replace(&mut file.content, Content::Made(Vec::new()));
            if let Some(seen) = scan.seen {
                content.note(seen);
            }
            let script = Some(&scan.beginning[..]).filter(|_| !scan.nul);
            file.content = content.spliced(fix.splices(&spellings, placeholder.as_bytes(), script));
        }
    }
    let name = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
    drop(claims);
    Ok(Adopted { entries, placeholder, name, platform, packages, pip, report, spellings, _scratch: scratch })
}

/// Takes out what an earlier packer has put in, envbuild or conda-pack: the scripts that are made anew for each
/// archive.
fn forget_scripts(entries: &mut Entries, claims: &Claims<'_>) {
    for name in [&b"bin/activate"[..], b"bin/deactivate", b"bin/conda-unpack"] {
        let theirs = || python::text(entries, name).ok().flatten();
        let packed =
            |text: String| ["_ENVBUILD_PREFIX", "conda-pack", "conda-unpack"].iter().any(|it| text.contains(it));
        if !claims.contains_key(name) && theirs().is_some_and(packed) {
            entries.remove(name);
        }
    }
}

/// A value, or nothing and more problems.
fn collect<T>(problems: &mut Vec<AdoptError>, result: Result<T, Vec<AdoptError>>) -> Option<T> {
    result.map_err(|more| problems.extend(more)).ok()
}

fn has_dist(entries: &Entries, folder: &[u8]) -> bool {
    ["METADATA", "PKG-INFO"].iter().any(|it| entries.contains_key(&[folder, b"/", it.as_bytes()].concat()))
}

/// Reads every file, the largest first, so that none is begun when all others are done.
fn read_all(
    entries: &Entries,
    claims: &Claims<'_>,
    spellings: &Spellings,
    cancel: &Cancel,
) -> Result<BTreeMap<Vec<u8>, Read>, Vec<AdoptError>> {
    let files = entries.iter().filter_map(|(name, entry)| match entry {
        Entry::File(File { content, .. }) => Some((name, content)),
        _ => None,
    });
    let mut files: Vec<(&Vec<u8>, &Content)> = files.collect();
    files.sort_by_key(|(_, content)| std::cmp::Reverse(content.size()));
    let scanner = Scanner::new(spellings, files.len());
    let one = |(name, content): (&Vec<u8>, &Content)| {
        let claims = claims.get(name).map_or(&[][..], Vec::as_slice);
        let stopped = || Err(AdoptError::Stopped);
        let read = if cancel.is_cancelled() { stopped() } else { read(name, content, claims, spellings, &scanner) };
        (name.clone(), read)
    };
    let all: Vec<(Vec<u8>, Result<Read, AdoptError>)> = files.into_par_iter().with_max_len(8).map(one).collect();
    if cancel.is_cancelled() {
        return Err(vec![AdoptError::Stopped]);
    }
    let mut problems = BTreeMap::new();
    let good = |(name, read): (Vec<u8>, Result<Read, AdoptError>)| match read {
        Ok(read) => Some((name, read)),
        Err(problem) => {
            problems.insert(name, problem);
            None
        }
    };
    let reads = all.into_iter().filter_map(good).collect();
    if problems.is_empty() { Ok(reads) } else { Err(problems.into_values().collect()) }
}

fn read(
    name: &[u8],
    content: &Content,
    claims: &[records::Claim<'_>],
    spellings: &Spellings,
    scanner: &Scanner<'_>,
) -> Result<Read, AdoptError> {
    let (mut reader, size) = (content.open()?, content.size());
    let fault = |error: io::Error| match (error.kind(), content.path()) {
        (io::ErrorKind::InvalidData, Some(path)) => AdoptError::Changed(path.to_owned()),
        _ => content.fault(error).into(),
    };
    if name.ends_with(b".pyc") || name.ends_with(b".pyo") {
        // Python corrects the path inside when it imports the module, and writes the file again when it is old.
        let seen = scanner.glance(&mut reader, size).map_err(fault)?.by(&reader);
        let scan = Scan { seen: Some(Arc::new(seen)), ..Scan::default() };
        return Ok(Read { scan, fix: Fix::None, states: vec![State::Same; claims.len()] });
    }
    let (mut scan, seen) = scanner.scan(&mut reader, size).map_err(fault)?;
    scan.seen = Some(Arc::new(seen.by(&reader)));
    let looked = Looked { content, scan: &scan, spellings };
    let judged = claims.iter().map(|it| looked.judge(Some(it))).collect::<Result<Vec<_>, _>>()?;
    let states = judged.iter().map(|(state, _)| *state).collect();
    // The package whose file it is knows best; nobody else's knowledge helps.
    let same = judged.iter().find(|(state, _)| *state == State::Same);
    let fix = match same.or(judged.first().filter(|_| judged.len() == 1)) {
        Some((_, fix)) => fix.clone(),
        None => looked.judge(None)?.1,
    };
    Ok(Read { scan, fix, states })
}

/// How long the placeholder can be: as long as the least room that a binary file has, in bytes.
fn room(entries: &Entries, claims: &Claims<'_>, reads: &BTreeMap<Vec<u8>, Read>, compiled: Compiled) -> usize {
    let there = claims.iter().filter(|(name, _)| entries.contains_key(*name)).flat_map(|(_, claims)| claims);
    let of_packages = there.filter_map(|it| it.placeholder()).filter(|(_, mode)| *mode == FileMode::Binary);
    let of_packages = of_packages.map(|(text, _)| text.len()).min();
    // Where there is room for less than the shortest placeholder, a limit for all would help nobody.
    let own = reads.values().filter_map(|it| it.fix.room(false)).filter(|it| *it >= PLACEHOLDER_MIN);
    let own = own.min().filter(|_| compiled == Compiled::Limit);
    [Some(PLACEHOLDER_MAX), of_packages, own].into_iter().flatten().min().unwrap_or(PLACEHOLDER_MAX)
}

/// The platform of the packages, else that of the programs, else this machine's.
fn platform(packages: &[PrefixRecord], reads: &BTreeMap<Vec<u8>, Read>) -> String {
    let subdirs = packages.iter().map(|it| it.repodata_record.package_record.subdir.as_str());
    let subdirs: BTreeSet<&str> = subdirs.filter(|it| !it.is_empty() && *it != "noarch").collect();
    if let Some(subdir) = subdirs.first() {
        return (*subdir).to_owned();
    }
    // The machine stands at byte 18, as the ELF specification numbers it.
    let machine = |scan: &Scan| match (scan.beginning.starts_with(b"\x7fELF"), scan.beginning.get(18..20)) {
        (true, Some([62, 0])) => Some("linux-64"),
        (true, Some([183, 0])) => Some("linux-aarch64"),
        (true, Some([21, 0])) => Some("linux-ppc64le"),
        _ => None,
    };
    let of_programs = reads.values().find_map(|it| machine(&it.scan));
    let here = || Subdir::current().map_or_else(|| "noarch".to_owned(), |it| it.to_string());
    of_programs.map_or_else(here, str::to_owned)
}

/// The first word of the interpreter's line of a script, when it is a path; in the long form, where it is in quotes, it
/// may hold spaces.
pub(super) fn interpreter(beginning: &[u8]) -> Option<&Path> {
    let line = beginning.strip_prefix(b"#!")?;
    let line = line.strip_prefix(b"/bin/sh\n'''exec' ").unwrap_or(line).trim_ascii_start();
    let (line, ends): (&[u8], &[u8]) = match line {
        [b'"', path @ ..] => (path, b"\n\""),
        // uv's quotes.
        [b'\'', path @ ..] => (path, b"\n'"),
        path => (path, b" \t\n"),
    };
    let end = line.iter().position(|byte| ends.contains(byte))?;
    let path = Path::new(OsStr::from_bytes(&line[..end]));
    path.is_absolute().then_some(path)
}
