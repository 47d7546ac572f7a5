//! What lies in the state folder, for the one who tidies it.

use std::path::PathBuf;

use super::{Record, Store, StoreError};
use crate::base::fs;

/// A part of the state folder whose entries can be deleted one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// Records of nodes.
    Records,
    /// Logs of nodes.
    Logs,
    /// Prefixes.
    Prefixes,
    /// Fetched sources: a folder for each.
    Sources,
    /// Recipes that an older program rendered, a file for each. Nobody reads them now.
    Rendered,
    /// What runs throw away, and what killed ones have left.
    Scratch,
}

impl Store {
    /// What is on a shelf, sorted. Temporary files are on `Scratch`, wherever they are. What lies behind a link is
    /// somebody else's.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn on(&self, shelf: Shelf) -> Result<Vec<PathBuf>, StoreError> {
        let is_temporary =
            |it: &PathBuf| it.file_name().unwrap_or_default().to_string_lossy().starts_with(fs::TEMPORARY);
        let list = |folder: PathBuf| if folder.is_symlink() { Ok(Vec::new()) } else { fs::list(&folder) };
        let folder = match shelf {
            Shelf::Records => self.root().join("records"),
            Shelf::Logs => self.root().join("logs"),
            Shelf::Prefixes => self.prefixes(),
            Shelf::Sources => self.sources(),
            Shelf::Rendered => self.root().join("cache/rendered"),
            Shelf::Scratch => {
                let mut found = list(self.scratch())?;
                let others = ["", "records", "builds", "cache", "cache/sources", "cache/rendered", "envs"];
                for folder in others {
                    found.extend(list(self.root().join(folder))?.into_iter().filter(is_temporary));
                }
                return Ok(found);
            }
        };
        let mut found = list(folder)?;
        found.retain(|it| !is_temporary(it));
        Ok(found)
    }

    /// Every record of what was once built, by its file; nothing for one that cannot be read.
    ///
    /// # Errors
    /// When the folder cannot be listed, or the disk refuses a file.
    pub fn builds(&self) -> Result<Vec<(PathBuf, Option<Record>)>, StoreError> {
        let files = fs::list(&self.root().join("builds"))?;
        let is_record = |it: &PathBuf| it.extension().is_some_and(|it| it == "json");
        files.into_iter().filter(is_record).map(|file| Ok((file.clone(), self.read(&file)?))).collect()
    }
}
