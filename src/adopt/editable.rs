//! Packages that Python imports from a folder outside of the prefix: found, left out, or brought into it.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::{
    error::AdoptError,
    filter,
    python::{self, Dist, Pth, parent},
    records::Claims,
    sources::{self, Import},
    spelling::Spellings,
};
use crate::tree::{Content, Entries, Entry, File};

/// What to do with editable installs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Editables {
    /// The prefix is not adopted.
    #[default]
    Refuse,
    /// The packages are left out.
    LeaveOut,
    /// Their sources are put where an ordinary install would put them.
    Include,
    /// They stay as they are: for a tree that goes no further than this machine.
    Keep,
}

/// One editable install.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Install {
    pub(super) name: String,
    /// The folder of modules that it was installed into.
    site: Vec<u8>,
    /// The folders from which it is imported.
    pub(super) sources: BTreeSet<PathBuf>,
    /// How its modules are found there.
    imports: Vec<Import>,
    /// The files of the prefix that lead there.
    marks: BTreeSet<Vec<u8>>,
    /// What is known of it, as a place in the list of packages.
    dist: Option<usize>,
}

/// All of them, and the `.pth` files that lead elsewhere for another reason.
pub(super) fn find(
    entries: &Entries,
    dists: &[Dist],
    mut pths: Vec<Pth>,
    spellings: &Spellings,
) -> Result<(Vec<Install>, Vec<Pth>), AdoptError> {
    let outside = |path: &Path| spellings.inside(path.as_os_str().as_bytes()).is_none();
    let mut installs = Vec::new();
    for (place, dist) in dists.iter().enumerate() {
        let url_file = [&dist.folder[..], b"/direct_url.json"].concat();
        let origin = dist.origin.as_ref().filter(|it| it.editable && entries.contains_key(&url_file));
        let Some(folder) = origin.and_then(|it| it.folder.clone()).filter(|it| outside(it)) else { continue };
        let hooks: Vec<&Vec<u8>> = dist.files.keys().filter(|it| is_hook(it)).collect();
        if !hooks.is_empty() && !hooks.iter().any(|it| entries.contains_key(*it)) {
            continue;
        }
        let mut install = Install {
            name: dist.name.clone(),
            site: parent(&dist.folder).to_vec(),
            dist: Some(place),
            ..Install::default()
        };
        let top = python::top_level(entries, dist);
        for hook in hooks {
            let roots = pths.iter().filter(|it| it.name == **hook).flat_map(|it| it.outside.clone());
            install.imports.extend(roots.map(|root| Import::Below { root, only: top.clone() }));
            pths.retain(|it| it.name != **hook);
            let finder = python::text(entries, hook)?.unwrap_or_default();
            let modules = python::mapping(&finder).into_iter();
            install.imports.extend(modules.map(|(name, place)| Import::Module { name, place }));
            install.marks.insert(hook.clone());
        }
        install.sources.insert(folder);
        install.marks.insert(url_file);
        installs.push(install);
    }
    installs.extend(links(entries, &pths, &outside)?);
    // What is left: a line that no package speaks of.
    let known: BTreeSet<PathBuf> = installs.iter().flat_map(|it| it.sources.iter().cloned()).collect();
    for pth in pths.iter().filter(|it| is_develop(&it.name)) {
        for folder in pth.outside.iter().filter(|it| !known.contains(*it)) {
            let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned();
            installs.push(Install {
                name,
                site: parent(&pth.name).to_vec(),
                sources: [folder.clone()].into(),
                imports: vec![Import::Below { root: folder.clone(), only: None }],
                ..Install::default()
            });
        }
    }
    pths.retain(|it| !is_develop(&it.name));
    Ok((installs, pths))
}

/// The links that `setup.py develop` has made.
fn links(entries: &Entries, pths: &[Pth], outside: &dyn Fn(&Path) -> bool) -> Result<Vec<Install>, AdoptError> {
    let mut installs = Vec::new();
    for name in entries.keys().filter(|it| it.ends_with(b".egg-link") && parent(it).ends_with(b"site-packages")) {
        let text = python::text(entries, name)?.unwrap_or_default();
        let folder = PathBuf::from(text.lines().next().unwrap_or_default().trim());
        if !folder.is_absolute() || !outside(&folder) {
            continue;
        }
        let stem = &name[parent(name).len() + 1..name.len() - 9];
        // A `.pth` spells the folder as it likes.
        let same = |it: &&PathBuf| it.canonicalize().ok() == folder.canonicalize().ok();
        let spelled = pths.iter().flat_map(|it| &it.outside).filter(same).cloned();
        installs.push(Install {
            name: String::from_utf8_lossy(stem).into_owned(),
            site: parent(name).to_vec(),
            sources: spelled.chain([folder.clone()]).collect(),
            imports: vec![Import::Below { root: folder.clone(), only: None }, Import::Facts { root: folder }],
            marks: [name.clone()].into(),
            dist: None,
        });
    }
    Ok(installs)
}

/// Whether a file of a package is there to lead Python elsewhere: what setuptools, hatchling, flit, PDM and
/// meson-python write for an editable install.
fn is_hook(name: &[u8]) -> bool {
    let file = &name[parent(name).len()..];
    let file = file.strip_prefix(b"/").unwrap_or(file);
    file.ends_with(b".pth")
        || (file.starts_with(b"__editable__") && file.ends_with(b".py"))
        || file.ends_with(b"_editable_loader.py")
}

/// Whether editable installs share a `.pth` file, or each has its own of this kind.
fn is_develop(name: &[u8]) -> bool {
    let file = &name[parent(name).len()..];
    let file = file.strip_prefix(b"/").unwrap_or(file);
    file == b"easy-install.pth" || file == b"conda.pth" || file.starts_with(b"__editable__")
}

/// Refuses them, leaves them out, or brings their sources into the tree.
///
/// # Errors
/// All that keep them from being packed.
pub(super) fn settle(
    entries: &mut Entries,
    claims: &Claims<'_>,
    dists: &[Dist],
    installs: &[Install],
    what: Editables,
) -> Result<(), Vec<AdoptError>> {
    if what == Editables::Refuse {
        let refused = |it: &Install| {
            let sources: Vec<String> = it.sources.iter().map(|it| format!("`{}`", it.display())).collect();
            AdoptError::Editable { name: it.name.clone(), sources: sources.join(" and ") }
        };
        return if installs.is_empty() { Ok(()) } else { Err(installs.iter().map(refused).collect()) };
    }
    if what == Editables::Keep {
        return Ok(());
    }
    let mut problems = Vec::new();
    let mut out: BTreeSet<Vec<u8>> = BTreeSet::new();
    for install in installs {
        out.extend(install.marks.iter().cloned());
        let dist = install.dist.map(|place| &dists[place]);
        if what == Editables::LeaveOut {
            let files = dist.into_iter().flat_map(|it| it.files.keys());
            out.extend(files.filter(|it| !claims.contains_key(*it)).cloned());
            let folder = dist.map(|it| [&it.folder[..], b"/"].concat());
            out.extend(entries.keys().filter(|it| folder.as_ref().is_some_and(|dir| it.starts_with(dir))).cloned());
            out.extend(dist.map(|it| it.folder.clone()));
            continue;
        }
        match sources::bring(entries, &install.site, &install.imports) {
            Ok(added) => {
                let record = dist.map(|it| [&it.folder[..], b"/RECORD"].concat());
                if let Some(record) = record
                    && let Err(problem) = rewrite_record(entries, &record, &install.marks, &added)
                {
                    problems.push(problem);
                }
            }
            Err(reason) => problems.push(AdoptError::Sources { name: install.name.clone(), reason }),
        }
    }
    let gone: BTreeSet<&PathBuf> = installs.iter().flat_map(|it| &it.sources).collect();
    let shared: Vec<Vec<u8>> = entries.keys().filter(|it| is_develop(it) && it.ends_with(b".pth")).cloned().collect();
    for name in shared {
        if let Err(problem) = without_lines(entries, &name, &gone) {
            problems.push(problem);
        }
    }
    if let Err(more) = filter::remove(entries, &out) {
        problems.extend(more);
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Takes lines out of a `.pth` file.
fn without_lines(entries: &mut Entries, name: &[u8], gone: &BTreeSet<&PathBuf>) -> Result<(), AdoptError> {
    let Some(text) = python::text(entries, name)? else { return Ok(()) };
    let keep = |line: &&str| !gone.contains(&PathBuf::from(line.trim_end()));
    let kept: String = text.lines().filter(keep).map(|line| format!("{line}\n")).collect();
    if let Some(Entry::File(File { content, .. })) = entries.get_mut(name).filter(|_| kept.len() < text.len()) {
        *content = Content::Made(kept.into_bytes());
    }
    Ok(())
}

/// A `RECORD` without what led elsewhere and with what came in its place. It gives no digests of that: it may hold the
/// prefix.
fn rewrite_record(
    entries: &mut Entries,
    record: &[u8],
    marks: &BTreeSet<Vec<u8>>,
    added: &[Vec<u8>],
) -> Result<(), AdoptError> {
    let Some(text) = python::text(entries, record)? else { return Ok(()) };
    let site = [parent(parent(record)), b"/"].concat();
    let relative = |name: &Vec<u8>| {
        let name = name.strip_prefix(&site[..]).unwrap_or(name);
        Path::new(OsStr::from_bytes(name)).to_string_lossy().into_owned()
    };
    let gone: BTreeSet<String> = marks.iter().map(relative).collect();
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !gone.contains(line.split(',').next().unwrap_or_default()))
        .map(str::to_owned)
        .collect();
    let quoted =
        |name: String| if name.contains([',', '"']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name };
    lines.extend(added.iter().map(|it| format!("{},,", quoted(relative(it)))));
    lines.sort();
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    entries.insert(record.to_vec(), Entry::made(text.into_bytes(), false));
    Ok(())
}
