//! Where an archive goes that the manifest does not ask for, and in which format.

use std::path::{Path, PathBuf};

use super::super::World;
use crate::{
    adopt::Filter,
    archive::{self, Format},
    cli::{
        pack_args::PackArgs,
        project::{PACK_LEVEL, UsageError},
    },
    exec::PackAs,
    tree::MARKER,
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
        // The archive, its first part, or the checksums of either.
        let there = [file.clone(), archive::part(&file, 0), file.with_added_extension("sha256")];
        if let Some(there) = there.into_iter().find(|it| !args.force && it.symlink_metadata().is_ok()) {
            return Err(UsageError::Exists(there));
        }
        if args.since.as_ref().is_some_and(|old| is_same(&world.path(old), &file)) {
            return Err(UsageError::SinceItself(file));
        }
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

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
