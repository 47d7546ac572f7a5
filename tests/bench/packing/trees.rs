//! Places for trees that are unpacked. One tree after the other is made in a new place, because a file system may be slow
//! to create files where others have just been deleted: ext4 passes over their inodes for minutes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The trees in a folder.
pub(crate) struct Trees {
    folder: PathBuf,
    size: u64,
    made: Vec<PathBuf>,
    count: usize,
}

impl Trees {
    /// None yet; each will have `size` bytes.
    pub(crate) fn below(folder: &Path, size: u64) -> Self {
        Self { folder: folder.to_owned(), size, made: Vec::new(), count: 0 }
    }

    /// A place for the next one. What was made before stays as long as there is room for it.
    pub(crate) fn next(&mut self) -> PathBuf {
        if free(&self.folder) < 3 * self.size {
            self.made.drain(..).for_each(|tree| fs::remove_dir_all(tree).unwrap());
        }
        self.count += 1;
        let place = self.folder.join(format!("tree-{}", self.count));
        self.made.push(place.clone());
        place
    }
}

/// The free bytes of the file system that a folder is on.
fn free(folder: &Path) -> u64 {
    let output = Command::new("df").args(["--output=avail", "-B1"]).arg(folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().last().and_then(|it| it.trim().parse().ok()).unwrap_or(0)
}
