//! What is asked of the packer, and what it gives.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    contents::{self, Additions},
    error::PackError,
    scripts::Scripts,
    since,
    write::{Piece, write},
};
use crate::{
    archive::Format,
    base::{Cancel, Digest, Progress, within},
    tree::{Digests, Entries, Entry, PrefixFault, is_placeholder, prefix_fault},
};

/// What to pack, and where to.
#[derive(Clone)]
pub struct PackRequest<'a> {
    /// An environment's files, which all name the placeholder as their prefix.
    pub entries: Entries,
    /// That placeholder; see [`placeholder`](crate::tree::placeholder()).
    pub placeholder: &'a str,
    /// The path at which the environment can be used right away, written into its files: it can be mounted there, and
    /// still be moved.
    pub dest_prefix: Option<&'a str>,
    /// Folders of this machine that no file may name.
    pub foreign: &'a [PathBuf],
    /// Folders of this machine whose channels are nobody else's, as a project's own: records name them without their place.
    pub own: &'a [PathBuf],
    /// What the environment needs of a machine, as JSON.
    pub needs: &'a [u8],
    /// More files for the folder `conda-meta/envbuild`.
    pub more: &'a [(String, Vec<u8>)],
    /// The tree for which the archive is an update: only what that tree does not have goes into it.
    pub since: Option<&'a Digests>,
    /// The archive to write; its checksum goes beside it, with `.sha256` added to the name.
    pub archive: &'a Path,
    /// Its format.
    pub format: Format,
    /// The folder in the archive in which the environment stands; empty for none.
    pub arcroot: &'a str,
    /// The size of the parts, in bytes, into which the archive is cut.
    pub split: Option<u64>,
    /// The level of compression; none for the format's usual one.
    pub level: Option<i32>,
    /// Threads that compress, at least one. Their number does not change the bytes.
    pub threads: u32,
    /// The environment's name, if somebody has given it one. That of a prefix's folder is none: a copy of it is the same
    /// environment.
    pub name: Option<&'a str>,
    /// The platform that it is for, such as `linux-64`.
    pub platform: &'a str,
    /// Environment variables that activation sets; values may hold the placeholder.
    pub variables: &'a BTreeMap<String, String>,
    /// Is told how many bytes of the files are written.
    pub progress: Progress<'a>,
    /// When it is raised, nothing is left behind.
    pub cancel: &'a Cancel,
}

/// A written archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The file, or its parts; none for a folder.
    pub pieces: Vec<Piece>,
    /// How many regular files it holds.
    pub files: u64,
    /// The digest that names the tree in it, whatever the format.
    pub tree: Digest,
}

/// Writes an environment's files as an archive that the usual tools can unpack, and its checksum beside it. Both are whole
/// or absent.
///
/// # Errors
/// When a file names a path of this machine, a request's value cannot be used, or a file cannot be read or written.
pub fn pack(mut request: PackRequest<'_>) -> Result<Packed, PackError> {
    prepare(&mut request)?.write(&request)
}

/// All that an archive is to hold.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(super) entries: Entries,
    pub(super) digests: Digests,
    pub(super) tree: Digest,
}

/// Does all that has to be done before the archive is written: afterwards it is known what its tree is called.
///
/// # Errors
/// When a file names a path of this machine, a request's value cannot be used, or a file cannot be read.
pub fn prepare(request: &mut PackRequest<'_>) -> Result<Prepared, PackError> {
    within(request.threads as usize, || contents(request))
}

impl Prepared {
    /// The digest that names the tree, whatever the format.
    pub fn tree(&self) -> Digest {
        self.tree
    }

    /// The request's entries with clean records, the scripts, and what says where the prefix stands.
    pub fn into_entries(self) -> Entries {
        self.entries
    }

    /// Writes it, as [`pack`] does. The request is the one for which it was prepared, but for the place of the archive.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn write(self, request: &PackRequest<'_>) -> Result<Packed, PackError> {
        let Self { mut entries, digests, tree } = self;
        if let Some(old) = request.since {
            since::only_new(&mut entries, &digests, old);
        }
        let files = entries.values().filter(|entry| matches!(entry, Entry::File(_))).count() as u64;
        let pieces = write(&entries, &digests, request)?;
        Ok(Packed { pieces, files, tree })
    }
}

/// What an update is called when nobody has named it: both of its ends.
pub fn update_name(name: &str, platform: &str, old: &Digests, new: &Digest) -> String {
    let ends = [Digest::of(old.to_bytes()), *new].map(|it| it.to_string().chars().take(10).collect::<String>());
    format!("{name}-{platform}.{}-to-{}.tar.zst", ends[0], ends[1])
}

/// As [`prepare`], in the threads of the caller. The request's entries are taken out of it.
///
/// # Errors
/// When a file names a path of this machine, a request's value cannot be used, or a file cannot be read.
pub fn contents(request: &mut PackRequest<'_>) -> Result<Prepared, PackError> {
    if !is_placeholder(request.placeholder) {
        return Err(PackError::Placeholder(request.placeholder.to_owned()));
    }
    let scripts = Scripts { placeholder: request.placeholder, variables: request.variables };
    scripts.check()?;
    if let Some(fault) = request.dest_prefix.and_then(|it| prefix_fault(Path::new(it), request.placeholder.len())) {
        let prefix = request.dest_prefix.unwrap_or_default().into();
        return Err(match fault {
            PrefixFault::Character(what) => PackError::PrefixCharacter { prefix, what },
            PrefixFault::Length { length, limit } => PackError::PrefixLength { prefix, length, limit },
        });
    }
    let usual = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    if !request.arcroot.is_empty() && !request.arcroot.split('/').all(usual) {
        return Err(PackError::Arcroot(request.arcroot.to_owned()));
    }
    let entries = std::mem::take(&mut request.entries);
    let additions = Additions {
        scripts,
        name: request.name,
        platform: request.platform,
        prefix: request.dest_prefix,
        foreign: request.foreign,
        own: request.own,
        needs: request.needs,
        more: request.more,
    };
    contents::complete(entries, &additions)
}
