//! A package's file with the placeholder of the tree in the place of its own.

use std::{fs::File, path::Path};

use filetime::FileTime;
use rattler::install::{AppleCodeSignBehavior, ExternalSymlinkPolicy, link_file};
use rattler_conda_types::{
    Subdir,
    package::{FileMode, OffsetEncoding, PathsEntry, PrefixPlaceholder},
    prefix::Prefix,
};
use rattler_digest::Sha256Hash;

use crate::{
    base::{FsError, out_of_room, with_causes},
    tree::{Content, EPOCH, Needles, Places, Words},
};

/// Where what cannot be spliced is written.
#[derive(Debug)]
pub(super) struct Workshop<'a> {
    /// The placeholder of the tree.
    pub(super) placeholder: &'a str,
    /// The platform of the packages.
    pub(super) platform: Subdir,
    /// A folder for files.
    pub(super) folder: &'a Prefix,
}

/// A file with another placeholder in it.
pub(super) struct Patched {
    pub(super) content: Content,
    /// The hash of the bytes, unless they hold the placeholder and the hash says nothing.
    pub(super) sha256: Option<Sha256Hash>,
}

/// Why a file cannot have another placeholder.
pub(super) enum Unpatched {
    /// There is no room for what has to be written.
    Full(FsError),
    /// Something is wrong with the package.
    Broken(String),
}

impl Workshop<'_> {
    /// Most files are spliced while they are read. Three kinds are not, and rattler writes them: scripts, whose first line
    /// it makes anew when it is too long; those with wide characters; and those of which the package says itself where its
    /// placeholder stands. `number` is a name that no other file of the workshop has.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(super) fn patch(
        &self,
        package: &Path,
        entry: &PathsEntry,
        number: &str,
        plain: Content,
    ) -> Result<Patched, Unpatched> {
        let Some(PrefixPlaceholder { file_mode, placeholder, experimental_offsets }) = &entry.prefix_placeholder else {
            return Ok(Patched { content: plain, sha256: entry.sha256 });
        };
        let path = package.join(&entry.relative_path);
        let fail = |error| Unpatched::Broken(FsError::new("read", &path, error).to_string());
        let mut wide: Vec<Vec<u8>> = OffsetEncoding::DEFINED.iter().map(|it| it.encode(placeholder)).collect();
        wide.retain(|needle| needle != placeholder.as_bytes());
        let mut is_script = None;
        let needles = Needles::new(placeholder.as_bytes(), &wide);
        let found = needles.look(File::open(&path).map_err(fail)?, |piece| {
            is_script.get_or_insert_with(|| piece.starts_with(b"#!"));
        });
        let found = found.map_err(fail)?;
        // Bytecode cannot be relocated, so that its hash is the one in the prefix.
        let is_bytecode = entry.relative_path.extension().is_some_and(|kind| kind == "pyc" || kind == "pyo");
        let is_script = *file_mode == FileMode::Text && is_script.unwrap_or(false);
        if is_script || found.other || is_bytecode || experimental_offsets.is_some() {
            return self.write(package, entry, number);
        }
        let places = match (file_mode, found.places) {
            (_, None) => return Ok(Patched { content: plain, sha256: entry.sha256 }),
            (FileMode::Text, Some(Places::Binary(words))) => {
                Places::Text(words.into_iter().flat_map(|words| words.at).collect())
            }
            (FileMode::Binary, Some(Places::Text(at))) => Places::Binary(vec![Words { at, end: found.size }]),
            (_, Some(places)) => places,
        };
        let splices = places.splices(placeholder.len(), placeholder.as_bytes(), self.placeholder.as_bytes());
        Ok(Patched { content: plain.spliced(splices), sha256: None })
    }

    fn write(&self, package: &Path, entry: &PathsEntry, number: &str) -> Result<Patched, Unpatched> {
        let modified = FileTime::from_unix_time(EPOCH.cast_signed(), 0);
        let linked = link_file(
            entry,
            number.into(),
            package,
            self.folder,
            self.placeholder,
            false,
            false,
            false,
            self.platform,
            AppleCodeSignBehavior::DoNothing,
            modified,
            ExternalSymlinkPolicy::Allow,
        );
        let path = self.folder.path().join(number);
        let linked = linked.map_err(|error| match out_of_room(&error) {
            Some(full) => Unpatched::Full(FsError::new("write", &path, full)),
            None => Unpatched::Broken(with_causes(&error)),
        })?;
        let linked = linked.ok_or_else(|| Unpatched::Broken("it is not in the package cache".to_owned()))?;
        let content = Content::Disk { path, size: linked.file_size, modified: EPOCH, seen: None };
        Ok(Patched { content, sha256: Some(linked.sha256) })
    }
}
