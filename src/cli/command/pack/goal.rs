//! Where an archive goes that the manifest does not ask for, and in which format.

use std::path::{Path, PathBuf};

use super::super::World;
use crate::{
    adopt::Filter,
    archive::{self, Format},
    cli::{
        outside::require_not_ours,
        pack_args::PackArgs,
        project::{PACK_LEVEL, UsageError},
    },
    exec::PackAs,
    image::INDEX,
    tree::{HEADER, MARKER},
};

/// A place and a format that fit what is asked for.
pub(super) struct Goal {
    /// None for an update that is to be called by its ends.
    pub(super) file: Option<PathBuf>,
    pub(super) format: PackAs,
    pub(super) level: Option<i32>,
}

impl Goal {
    /// A file, whose ending says the format.
    ///
    /// # Errors
    /// When it says none, something is there, or an option is not for this format.
    pub(super) fn at(world: &World, file: PathBuf, args: &PackArgs) -> Result<Self, UsageError> {
        let Some(format) = PackAs::of_path(&file) else { return Err(UsageError::Ending(file)) };
        require_not_ours(&file)?;
        match Contents::of(format) {
            Some(contents) => require_free_folder(&file, &contents.list(args), args)?,
            None => require_free_file(&file, args)?,
        }
        require_kept(&file, world, args)?;
        // What was packed names no place; what somebody unpacked or installed has one.
        if file.join(MARKER).is_file() {
            return Err(UsageError::InUse(file));
        }
        Self::of(Some(file), format, args)
    }

    /// An update without a name.
    ///
    /// # Errors
    /// When an option is not for its format.
    pub(super) fn unnamed(args: &PackArgs) -> Result<Self, UsageError> {
        Self::of(None, PackAs::Archive(Format::TarZst), args)
    }

    fn of(file: Option<PathBuf>, format: PackAs, args: &PackArgs) -> Result<Self, UsageError> {
        let PackAs::Archive(archive) = format else {
            let options = [
                ("--since", args.since.is_some()),
                ("--level", args.level.is_some()),
                ("--arcroot", !args.arcroot.is_empty()),
                ("--dest-prefix", args.dest_prefix.is_some()),
                ("--split", args.split.is_some()),
                ("--exclude", args.filters.0.iter().any(|it| matches!(it, Filter::Exclude(_)))),
                ("--include", !args.filters.0.is_empty()),
            ];
            return match options.into_iter().find(|(_, given)| *given) {
                Some((option, _)) => Err(UsageError::NotForBundles(option)),
                None => Ok(Self { file, format, level: None }),
            };
        };
        if let (Format::Folder, Some(_), Some(file)) = (archive, args.split, &file) {
            return Err(UsageError::Split(file.clone()));
        }
        if let Some(level) = args.level
            && !archive.levels().is_some_and(|it| it.contains(&level))
        {
            let levels = archive.levels().map(|it| format!("{} to {}", it.start(), it.end()));
            return Err(UsageError::Level {
                level,
                format: archive.name(),
                levels: levels.unwrap_or("none".to_owned()),
            });
        }
        let usual = matches!(archive, Format::TarZst | Format::SelfExtracting).then_some(PACK_LEVEL);
        Ok(Self { file, format, level: args.level.or(usual) })
    }

    /// Makes sure that it is known where an image is to be mounted.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn require_place(&self, dest_prefix: Option<&str>) -> Result<(), UsageError> {
        match (self.format, dest_prefix) {
            (PackAs::Archive(Format::Squashfs), None) => Err(UsageError::Mounted),
            _ => Ok(()),
        }
    }
}

/// What a folder holds that is packed into.
enum Contents {
    Files,
    Packages,
}

impl Contents {
    /// Nothing for a file.
    fn of(format: PackAs) -> Option<Self> {
        match format {
            PackAs::Archive(Format::Folder) => Some(Self::Files),
            PackAs::Bundle { folder: true } => Some(Self::Packages),
            _ => None,
        }
    }

    /// The file that is in such a folder, and in no other.
    fn list(&self, args: &PackArgs) -> PathBuf {
        match self {
            Self::Files => Path::new(&args.arcroot).join(HEADER),
            Self::Packages => INDEX.into(),
        }
    }
}

/// Fails when something is where a folder is to be written, but for an empty folder, or one with this `list` in it, which is
/// to be replaced.
fn require_free_folder(folder: &Path, list: &Path, args: &PackArgs) -> Result<(), UsageError> {
    // With a slash at the end, a link would be what it leads to.
    let folder: PathBuf = folder.components().collect();
    let Ok(metadata) = folder.symlink_metadata() else { return Ok(()) };
    if !metadata.is_dir() {
        let found = if metadata.is_symlink() { "a symbolic link" } else { "a file" };
        return Err(UsageError::OtherKind { path: folder, found, wanted: "a folder" });
    }
    let is_empty = folder.read_dir().is_ok_and(|mut it| it.next().is_none());
    match (folder.join(list).is_file(), args.force) {
        _ if is_empty => Ok(()),
        // It has a sentence of its own.
        _ if folder.join(MARKER).is_file() => Ok(()),
        (true, true) => Ok(()),
        (true, false) => Err(UsageError::Exists(folder)),
        (false, _) => Err(UsageError::NotOurs(folder)),
    }
}

/// Fails when something is where a file is to be written, its first part, or the checksums of either, but for a file that is
/// to be replaced.
fn require_free_file(file: &Path, args: &PackArgs) -> Result<(), UsageError> {
    for path in [file.to_owned(), archive::part(file, 0), file.with_added_extension("sha256")] {
        match path.symlink_metadata() {
            Ok(it) if it.is_dir() => {
                return Err(UsageError::OtherKind { path, found: "a folder", wanted: "a file" });
            }
            Ok(_) if !args.force => return Err(UsageError::Exists(path)),
            _ => {}
        }
    }
    Ok(())
}

/// Fails when what an update builds on would be written over.
pub(super) fn require_kept(file: &Path, world: &World, args: &PackArgs) -> Result<(), UsageError> {
    let Some(old) = args.since.as_ref().map(|it| world.path(it)) else { return Ok(()) };
    let both = |path: &Path| [path.to_owned(), archive::part(path, 0)];
    if both(&old).iter().any(|old| both(file).iter().any(|file| is_same(old, file))) {
        return Err(UsageError::SinceItself(old));
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
