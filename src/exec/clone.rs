//! A copy of a prefix at another place of the same machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use rattler_conda_types::prefix_record::PathType;

use super::{ExecError, means::Means};
use crate::{
    adopt::{self, AdoptOptions, Adopted, Compiled, Editables},
    backup::{self, Copied, CopyRequest, Sharing},
    base::{FsError, Scratch, fs},
    tree::{self, Content, Entries, Entry, Needles, PrefixFault, prefix_fault, with_prefix},
    unpack::{self, Transplanted, UnpackError, VerifyRequest},
};

/// A copy that was made.
#[derive(Debug)]
pub struct Cloned {
    /// How many files came how.
    pub copied: Copied,
    /// How many files and links name the new prefix now.
    pub replaced: u64,
    /// What is not as it should be, as sentences.
    pub warnings: Vec<String>,
}

/// Copies a prefix. Files that do not name it share their bytes with those of the copy: by reflinks where the file system
/// has them, else by hard links, but only such files as conda itself links into many prefixes: those of packages that are as
/// the packages brought them.
///
/// An environment that was unpacked from an archive keeps what the archive said of it: the copy can be verified, updated and
/// relocated as well. How it differs from its digests is among the warnings.
///
/// # Errors
/// When there is something at `to`, it cannot be a prefix's path, the old prefix cannot be adopted, or a file cannot be read
/// or written. Nothing is left behind.
pub fn clone(means: &Means<'_>, from: &Path, to: &Path, sharing: Sharing) -> Result<Cloned, ExecError> {
    if fs::list(to).map_or_else(|_| to.symlink_metadata().is_ok(), |entries| !entries.is_empty()) {
        return Err(backup::BackupError::Occupied(to.to_owned()).into());
    }
    fs::require_writable(to)?;
    // What was compiled in the prefix has no more room than for its own path.
    let fits = to.as_os_str().len() <= from.as_os_str().len();
    let options = AdoptOptions {
        editables: Editables::Keep,
        compiled: if fits { Compiled::Limit } else { Compiled::Keep },
        threads: means.threads as usize,
        cancel: means.cancel.clone(),
        ..AdoptOptions::default()
    };
    let mut warnings = Vec::new();
    let unpacked = transplanted(means, from, to, &mut warnings)?;
    let mut adopted = adopt::adopt(from, &options)?;
    match prefix_fault(to, adopted.placeholder.len()) {
        None => {}
        Some(PrefixFault::Character(what)) => {
            return Err(ExecError::PrefixCharacter { prefix: to.to_owned(), what });
        }
        Some(PrefixFault::Length { length, limit }) => {
            return Err(ExecError::PrefixLength { prefix: to.to_owned(), length, limit });
        }
    }
    // The records of an archive hold no digests of files with a prefix, and are in its lists as they are.
    let of_installer = unpacked.is_none();
    keep_history(&mut adopted.entries, from, of_installer)?;
    let linkable = linkable(&adopted);
    let more = unpacked.map(|it| take_over(&mut adopted, it, from)).unwrap_or_default();
    let mut replaced = settle(&mut adopted, to)?;
    let count = replaced.len() as u64 + more.replaced;
    if of_installer {
        let changed: BTreeSet<&[u8]> = changed(&adopted).map(String::as_bytes).collect();
        replaced.retain(|it| !changed.contains(it.as_slice()));
        backup::renew(&mut adopted.entries, &replaced)?;
    }
    adopted.entries.extend(more.entries);
    let scratch = Scratch::beside(to)?;
    // The scratch folder is private; the environment is not.
    let inside = scratch.path().join("prefix");
    let copied = backup::copy(&CopyRequest {
        entries: &adopted.entries,
        to: &inside,
        may_link: &|name| linkable.contains(name),
        sharing,
        cancel: means.cancel,
    })?;
    std::fs::rename(&inside, to).map_err(|error| FsError::new("rename into place", to, error))?;
    let stuck = adopted.report.unfixable.iter().map(|it| it.file.clone()).chain(more.left);
    warnings
        .extend(stuck.map(|it| format!("`{it}` goes on naming {}: it has no room for another path", from.display())));
    warnings.extend(
        adopted.report.left_behind.iter().map(|it| format!("`{it}` stays behind: it is not of the environment")),
    );
    warnings.extend(
        adopted
            .report
            .editable
            .iter()
            .map(|it| format!("`{}` is imported from {}, as before", it.name, it.sources.join(" and "))),
    );
    Ok(Cloned { copied, replaced: count, warnings })
}

/// The environment as the archive that it came from describes it; nothing for any other prefix.
fn transplanted(
    means: &Means<'_>,
    from: &Path,
    to: &Path,
    warnings: &mut Vec<String>,
) -> Result<Option<Transplanted>, ExecError> {
    let (threads, progress, cancel) = (means.threads, means.progress, means.cancel);
    let tree = match unpack::transplant(&VerifyRequest { prefix: from, threads, progress, cancel }, to) {
        Ok(tree) => tree,
        // A later format, or half of the lists: the files are there all the same.
        Err(error @ (UnpackError::Lists { .. } | UnpackError::Format { .. } | UnpackError::NotDeployed(_))) => {
            warnings.push(format!("`{}` stays behind: {}", tree::FOLDER, super::tell(&error)));
            None
        }
        Err(error) => return Err(error.into()),
    };
    let Some(Transplanted { verified, .. }) = &tree else { return Ok(None) };
    for (names, what) in [(&verified.changed, "was changed"), (&verified.missing, "is missing")] {
        warnings.extend(names.iter().map(|it| format!("`{}` {what} since it was unpacked", shown(it))));
    }
    if !verified.added.is_empty() {
        let list: Vec<String> = verified.added.iter().map(|it| format!("`{}`", shown(it))).collect();
        warnings.push(format!("{} came since it was unpacked, and no update is possible with it", list.join(", ")));
    }
    Ok(tree)
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// What is known of an environment that was unpacked, beside what is adopted of it.
#[derive(Default)]
struct More {
    /// Entries that name the new prefix already.
    entries: Entries,
    /// How many of them have another prefix now.
    replaced: u64,
    /// Files that go on naming the old prefix.
    left: Vec<String>,
}

/// Takes what the archive knew out of what was adopted: its lists say more exactly where the prefix stands.
fn take_over(adopted: &mut Adopted, tree: Transplanted, from: &Path) -> More {
    let Transplanted { mut entries, changed, left, mut replaced, named, .. } = tree;
    // Of files that somebody changed more is known when the environment is adopted, if they name where it lies.
    let moved = named != from && named.canonicalize().ok() != from.canonicalize().ok();
    for (name, (entry, names_new)) in changed {
        if moved || !adopted.entries.contains_key(&name) {
            replaced += u64::from(names_new);
            entries.insert(name, entry);
        }
    }
    let left = left.iter().filter(|it| entries.contains_key(*it)).map(|it| shown(it)).collect();
    adopted.entries.retain(|name, _| !entries.contains_key(name));
    adopted.report.unfixable.retain(|it| !entries.contains_key(it.file.as_bytes()));
    More { entries, replaced, left }
}

/// The history stays behind when a prefix is packed; a copy has the same, or an empty one where there has to be one.
fn keep_history(entries: &mut Entries, from: &Path, needed: bool) -> Result<(), FsError> {
    let name = "conda-meta/history";
    let bytes = fs::read_if_there(&from.join(name))?.or_else(|| needed.then(Vec::new));
    if let Some(bytes) = bytes {
        entries.entry(name.into()).or_insert(Entry::made(bytes, false));
    }
    Ok(())
}

/// The files that conda links from its cache into prefixes: those of packages, without a prefix, as they were brought.
fn linkable(adopted: &Adopted) -> BTreeSet<Vec<u8>> {
    let mut names = BTreeSet::new();
    for record in &adopted.packages {
        let paths = record.paths_data.paths.iter();
        let plain =
            paths.filter(|it| it.path_type == PathType::HardLink && it.prefix_placeholder.is_none() && !it.no_link);
        names.extend(plain.map(|it| it.relative_path.as_os_str().as_bytes().to_vec()));
    }
    for file in changed(adopted).chain(adopted.report.clobbered.iter().map(|it| &it.file)) {
        names.remove(file.as_bytes());
    }
    names
}

/// The files that are not as their packages brought them.
fn changed(adopted: &Adopted) -> impl Iterator<Item = &String> {
    let report = &adopted.report;
    report.conda.iter().chain(&report.pip).flat_map(|it| &it.changed).map(|it| &it.file)
}

/// Turns the placeholder in all files and links into the new prefix. Gives those that it was in.
fn settle(adopted: &mut Adopted, to: &Path) -> Result<BTreeSet<Vec<u8>>, ExecError> {
    let (placeholder, to) = (adopted.placeholder.as_bytes(), to.as_os_str().as_bytes());
    // Only what was turned into it names it.
    let spliced = |entry: &Entry| match entry {
        Entry::File(file) => file.content.on_disk().is_none(),
        Entry::Link(_) => true,
        Entry::Folder => false,
    };
    let chosen: BTreeSet<Vec<u8>> =
        adopted.entries.iter().filter(|(_, entry)| spliced(entry)).map(|(name, _)| name.clone()).collect();
    let looks: BTreeMap<Vec<u8>, tree::Look> =
        tree::look(&adopted.entries, &Needles::new(placeholder, &[]), |name| chosen.contains(name))?;
    let mut replaced = BTreeSet::new();
    for (name, look) in looks {
        let (Some(places), Some(entry)) = (look.places, adopted.entries.get_mut(&name)) else { continue };
        match entry {
            Entry::Link(target) => *target = with_prefix(target, placeholder, to),
            Entry::File(file) => {
                let content = std::mem::replace(&mut file.content, Content::Made(Vec::new()));
                file.content = content.spliced(places.splices(placeholder.len(), placeholder, to));
            }
            Entry::Folder => {}
        }
        replaced.insert(name);
    }
    Ok(replaced)
}
