//! Applies an update: the new tree grows beside the old one, of what came and of hard links to what stays, and takes its
//! place by one rename.

use std::{
    io::ErrorKind,
    os::unix::{ffi::OsStringExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};

use super::{
    deployed::{Deployed, absolute, bytes_of},
    error::UnpackError,
    grow::Tree,
    head::Head,
    machine::{check_machine, check_prefix},
    room::{Wanted, told},
    verify::{VerifyRequest, compare},
    whole::{Opened, UnpackRequest, Unpacked, below, grow},
};
use crate::{
    base::{Digest, Disk, FsError, Progress, fs},
    tree::DigestOf,
};

/// Makes the tree at the request's prefix the one that the update gives. When it is that one already, nothing is done.
///
/// # Errors
/// As for [`unpack`](super::unpack()), and when what is there is not exactly the tree on which the update builds.
pub(super) fn apply(request: &UnpackRequest<'_>, opened: Opened<'_>, since: Digest) -> Result<Unpacked, UnpackError> {
    let head = &opened.head;
    let prefix = absolute(request.prefix)?;
    recover(&prefix)?;
    let old = Deployed::at(&prefix).map_err(|error| match error {
        UnpackError::NotDeployed(prefix) => UnpackError::NoTree { archive: request.archive.to_owned(), prefix },
        other => other,
    })?;
    if old.head.header.tree == head.header.tree {
        return Ok(Unpacked::default());
    }
    if old.head.header.tree != since {
        return Err(UnpackError::OtherTree { prefix, found: old.head.header.tree, wanted: since });
    }
    fs::require_writable(&prefix)?;
    check_machine(request.archive, head, request.machine)?;
    check_prefix(&prefix, head.header.placeholder.len())?;
    let folder = prefix.parent().unwrap_or(Path::new("/")).to_owned();
    let metadata = prefix.symlink_metadata().map_err(|error| FsError::new("look at", &prefix, error))?;
    if folder.metadata().is_ok_and(|it| it.dev() != metadata.dev()) {
        return Err(UnpackError::MountPoint(prefix));
    }
    let disk = Disk::of(&folder)?;
    // Of the old tree hard links to files stay; folders and links are made again.
    let comes = |name: &[u8], of: &DigestOf| matches!(of.kind, 'D' | 'L') || old.head.digests.0.get(name) != Some(of);
    let wanted = Wanted::by(&disk, head, bytes_of(&prefix), comes);
    wanted.check(&disk)?;
    check_old(&old, request)?;

    let grown = grow(
        request,
        opened,
        &prefix,
        |tree, head| keep(tree, head, &old),
        |inside| {
            std::fs::set_permissions(inside, metadata.permissions())
                .map_err(|error| FsError::new("write", inside, error))?;
            swap(inside, &prefix)
        },
    );
    grown.map_err(|error| told(error, &disk, wanted))
}

/// Nothing that anybody did there may be lost.
fn check_old(old: &Deployed, request: &UnpackRequest<'_>) -> Result<(), UnpackError> {
    let (threads, cancel) = (request.threads, request.cancel);
    let found = compare(old, &VerifyRequest { prefix: &old.prefix, threads, progress: Progress::none(), cancel })?;
    if bytes_of(&found.named) != bytes_of(&old.prefix) {
        return Err(UnpackError::Moved { prefix: old.prefix.clone(), named: found.named });
    }
    let list = |what: &str, all: &[Vec<u8>]| -> Vec<String> {
        all.iter().map(|name| format!("`{}` {what}", String::from_utf8_lossy(name))).collect()
    };
    let faults =
        [list("was changed", &found.changed), list("is missing", &found.missing), list("was added", &found.added)];
    let faults = faults.concat();
    if faults.is_empty() { Ok(()) } else { Err(UnpackError::NotOld { prefix: old.prefix.clone(), faults }) }
}

/// Takes from the old tree what did not come.
fn keep(tree: &mut Tree<'_>, head: &Head, old: &Deployed) -> Result<(), UnpackError> {
    for (name, _) in head.digests.0.iter().filter(|(_, of)| of.kind == 'D') {
        if tree.is_missing(name) {
            tree.kept_folder(name)?;
        }
    }
    for (name, of) in head.digests.0.iter().filter(|(_, of)| of.kind != 'D') {
        if !tree.is_missing(name) {
            continue;
        }
        if old.head.digests.0.get(name) != Some(of) {
            return Err(tree.refused(name, "is neither in the update nor in the tree on which it builds"));
        }
        let path = below(&old.prefix, name);
        match of {
            DigestOf { kind: 'L', .. } => {
                let target = path.read_link().map_err(|error| FsError::new("read the link", &path, error))?;
                tree.kept_link(name, &target.into_os_string().into_vec())?;
            }
            _ => tree.kept(name, &path)?,
        }
    }
    Ok(())
}

/// Puts the new tree in the place of the old one, and that where the new one was.
fn swap(new: &Path, prefix: &Path) -> Result<(), UnpackError> {
    match renameat_with(CWD, new, CWD, prefix, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => swap_in_two(new, prefix),
        Err(Errno::BUSY) => Err(UnpackError::MountPoint(prefix.to_owned())),
        Err(error) => Err(FsError::new("rename into place", prefix, error.into()).into()),
    }
}

/// The same where a file system cannot exchange two names. [`recover`] mends what is killed in the middle.
fn swap_in_two(new: &Path, prefix: &Path) -> Result<(), UnpackError> {
    let aside = aside(prefix);
    fs::rename(prefix, &aside)?;
    if let Err(error) = fs::rename(new, prefix) {
        fs::rename(&aside, prefix)?;
        return Err(error.into());
    }
    // Away from where it would be taken for the tree to go back to; the folder of the new tree goes with what is in it.
    Ok(fs::rename(&aside, new)?)
}

/// Where the old tree waits while the new one takes its place.
fn aside(prefix: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".envbuild-old-");
    name.push(prefix.file_name().unwrap_or_default());
    prefix.with_file_name(name)
}

/// Brings an old tree back whose update was killed between two renames, or removes one whose update is complete.
fn recover(prefix: &Path) -> Result<(), UnpackError> {
    let aside = aside(prefix);
    let there = |path: &Path| match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FsError::new("look at", path, error)),
    };
    match (there(prefix)?, there(&aside)?) {
        (false, true) => Ok(fs::rename(&aside, prefix)?),
        (true, true) => Ok(fs::remove_dir_all(&aside)?),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{aside, recover, swap_in_two};

    #[test]
    fn two_renames_do_as_well_and_can_be_mended() {
        let root = tempfile::tempdir().unwrap();
        let (prefix, new) = (root.path().join("env"), root.path().join("new"));
        let make = |folder: &std::path::Path, text: &str| {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("which"), text).unwrap();
        };
        let which = |folder: &std::path::Path| fs::read_to_string(folder.join("which")).unwrap();
        make(&prefix, "old");
        make(&new, "new");
        swap_in_two(&new, &prefix).unwrap();
        assert_eq!((which(&prefix).as_str(), which(&new).as_str()), ("new", "old"));
        assert!(!aside(&prefix).exists());
        // Killed after the first rename, and after the second.
        fs::rename(&prefix, aside(&prefix)).unwrap();
        recover(&prefix).unwrap();
        assert_eq!(which(&prefix), "new");
        make(&aside(&prefix), "older");
        recover(&prefix).unwrap();
        assert_eq!(which(&prefix), "new");
        assert!(!aside(&prefix).exists());
        // The new one cannot be had: the old one comes back.
        assert!(swap_in_two(&root.path().join("absent"), &prefix).is_err());
        assert_eq!(which(&prefix), "new");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    }
}
