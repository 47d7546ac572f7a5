//! How two builds of one package differ, file by file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    CondaError,
    archive::{Archive, Entry, Member, each_entry},
    name,
};
use crate::base::Digest;

/// One thing that differs between two archives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The file, as it is installed, or below `info/`.
    pub path: String,
    /// What differs.
    pub how: How,
}

/// How a file differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum How {
    /// The second archive has no such file.
    Gone,
    /// The first archive has no such file.
    New,
    /// It is another kind of file.
    Kind {
        /// What it was: `file`, `folder`, `symbolic link`, `hard link`.
        before: String,
        /// What it is.
        after: String,
    },
    /// It is a link to something else.
    Target {
        /// Where it led.
        before: String,
        /// Where it leads.
        after: String,
    },
    /// It has other permissions.
    Mode {
        /// The permissions, in octal digits.
        before: String,
        /// What they are now.
        after: String,
    },
    /// It has other bytes.
    Bytes,
    /// Every file is the same, and the archive is not: they are in another order, or compressed by another library.
    Packing,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => write!(f, "was there before, and is not now"),
            Self::New => write!(f, "is new"),
            Self::Kind { before, after } => write!(f, "was a {before}, and is a {after}"),
            Self::Target { before, after } => {
                write!(f, "led to `{before}`, and leads to `{after}`")
            }
            Self::Mode { before, after } => write!(f, "had the mode {before}, and has {after}"),
            Self::Bytes => write!(f, "has other bytes"),
            Self::Packing => write!(f, "is packed differently, with the same files in it"),
        }
    }
}

/// Names every file that differs between two archives of a package that have their final names, sorted by path, first
/// what is installed, then what is in `info`. Nothing when the archives are equal in every byte. The digits in their
/// build strings follow from the rest and do not count, and neither do the lists of files in `info` when a file differs.
///
/// # Errors
/// When an archive cannot be read or is not a conda package.
pub fn compare(before: &Path, after: &Path) -> Result<Vec<Difference>, CondaError> {
    if Digest::of_file(before)? == Digest::of_file(after)? {
        return Ok(Vec::new());
    }
    let (mut one, mut other) = (Archive::open(before)?, Archive::open(after)?);
    let mut all = differences(&installed(&mut one)?, &installed(&mut other)?);
    let mut info = differences(&described(&mut one)?, &described(&mut other)?);
    if !all.is_empty() {
        info.retain(|it| !["info/paths.json", "info/files"].contains(&it.path.as_str()));
    }
    all.append(&mut info);
    if all.is_empty() {
        all.push(Difference { path: text(Path::new(after.file_name().unwrap_or_default())), how: How::Packing });
    }
    Ok(all)
}

/// A file of an archive, but for its path.
struct Item {
    kind: &'static str,
    mode: u32,
    link: Option<PathBuf>,
    bytes: Digest,
}

type Items = BTreeMap<PathBuf, Item>;

fn installed(archive: &mut Archive) -> Result<Items, CondaError> {
    let mut items = Items::new();
    archive.entries(Member::Pkg, |entry| note(&mut items, entry))?;
    Ok(items)
}

/// What is in `info`, without the digits in its build string.
fn described(archive: &mut Archive) -> Result<Items, CondaError> {
    let build = archive.build()?;
    let provisional = name::unfinished(&build).map_or_else(|| build.clone(), |(provisional, _)| provisional);
    let info = archive.info(&build, &provisional)?;
    let mut items = Items::new();
    each_entry(&*info, |entry| note(&mut items, entry)).map_err(|error| archive.bad(error))?;
    Ok(items)
}

fn note(items: &mut Items, entry: Entry<'_>) -> io::Result<()> {
    let (kind, mode) = (entry.kind(), entry.header.mode()?);
    let mut hasher = blake3::Hasher::new();
    io::copy(entry.bytes, &mut hasher)?;
    items.insert(entry.path, Item { kind, mode, link: entry.link, bytes: hasher.into() });
    Ok(())
}

fn differences(before: &Items, after: &Items) -> Vec<Difference> {
    let mut found = Vec::new();
    for path in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let hows = match (before.get(path), after.get(path)) {
            (Some(_), None) => vec![How::Gone],
            (None, Some(_)) => vec![How::New],
            (Some(one), Some(other)) => of_one(one, other),
            (None, None) => Vec::new(),
        };
        found.extend(hows.into_iter().map(|how| Difference { path: text(path), how }));
    }
    found
}

fn of_one(before: &Item, after: &Item) -> Vec<How> {
    if before.kind != after.kind {
        return vec![How::Kind { before: before.kind.to_owned(), after: after.kind.to_owned() }];
    }
    let mut hows = Vec::new();
    if before.link != after.link {
        let target = |it: &Item| it.link.as_deref().map(text).unwrap_or_default();
        hows.push(How::Target { before: target(before), after: target(after) });
    }
    if before.mode != after.mode {
        hows.push(How::Mode { before: format!("{:o}", before.mode), after: format!("{:o}", after.mode) });
    }
    if before.bytes != after.bytes {
        hows.push(How::Bytes);
    }
    hows
}

/// Not every path is text, and people read this one.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
