//! The packages' records, and which files they claim.

use std::{collections::BTreeMap, io::Read as _, os::unix::ffi::OsStrExt as _};

use rattler_conda_types::{
    PrefixRecord,
    package::FileMode,
    prefix_record::{PathType, PathsEntry},
};
use rayon::prelude::{IntoParallelIterator as _, ParallelIterator as _};

use super::error::AdoptError;
use crate::{
    conda::is_record,
    tree::{Content, Entries, Entry, File},
};

/// What a package says of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    /// The package, as a place in the list of records.
    pub(super) package: usize,
    /// What the record has of it; nothing in records of old, which have names only.
    pub(super) entry: Option<&'a PathsEntry>,
}

/// All claims by the files' names.
pub(super) type Claims<'a> = BTreeMap<Vec<u8>, Vec<Claim<'a>>>;

impl Claim<'_> {
    /// The text that stood for the prefix in the package, and how, when it did.
    pub(super) fn placeholder(&self) -> Option<(&str, FileMode)> {
        let entry = self.entry?;
        let text = entry.prefix_placeholder.as_deref().filter(|it| !it.is_empty())?;
        Some((text, entry.file_mode.unwrap_or(FileMode::Text)))
    }

    /// Whether it is a file whose content the package brought.
    pub(super) fn is_file(&self) -> bool {
        self.entry.is_none_or(|it| it.path_type == PathType::HardLink)
    }

    /// Whether it is a symbolic link.
    pub(super) fn is_link(&self) -> bool {
        self.entry.is_some_and(|it| it.path_type == PathType::SoftLink)
    }

    /// Whether the prefix without it is as good: bytecode is compiled again.
    pub(super) fn may_miss(&self, name: &[u8]) -> bool {
        name.ends_with(b".pyc") || self.entry.is_some_and(|it| it.path_type == PathType::PycFile)
    }
}

/// Reads all records of a tree, sorted by the packages' names.
///
/// # Errors
/// All that cannot be read or understood.
pub(super) fn read(entries: &Entries) -> Result<Vec<PrefixRecord>, Vec<AdoptError>> {
    let files: Vec<(&Vec<u8>, &Content)> = entries
        .iter()
        .filter(|(name, _)| is_record(name))
        .filter_map(|(name, entry)| match entry {
            Entry::File(File { content, .. }) => Some((name, content)),
            _ => None,
        })
        .collect();
    let one = |(name, content): (&Vec<u8>, &Content)| -> Result<PrefixRecord, AdoptError> {
        let mut bytes = Vec::new();
        content.open()?.read_to_end(&mut bytes).map_err(|error| content.fault(error))?;
        serde_json::from_slice(&bytes).map_err(|error| AdoptError::Record {
            name: String::from_utf8_lossy(name).into_owned(),
            reason: error.to_string(),
        })
    };
    let read: Vec<Result<PrefixRecord, AdoptError>> = files.into_par_iter().map(one).collect();
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    for record in read {
        match record {
            Ok(record) => records.push(record),
            Err(problem) => problems.push(problem),
        }
    }
    records.sort_by(|a, b| a.name().cmp(b.name()));
    if problems.is_empty() { Ok(records) } else { Err(problems) }
}

/// Who claims what. Folders that packages bring are not claimed: many may share them.
pub(super) fn claims(records: &[PrefixRecord]) -> Claims<'_> {
    let mut claims = Claims::new();
    for (package, record) in records.iter().enumerate() {
        let paths = &record.paths_data.paths;
        for entry in paths.iter().filter(|it| it.path_type != PathType::Directory) {
            let name = entry.relative_path.as_os_str().as_bytes().to_vec();
            claims.entry(name).or_default().push(Claim { package, entry: Some(entry) });
        }
        if paths.is_empty() {
            for file in &record.files {
                let name = file.as_os_str().as_bytes().to_vec();
                claims.entry(name).or_default().push(Claim { package, entry: None });
            }
        }
    }
    claims
}
