//! The folder that a build happens in: `<scratch>/<package>_<variant hash>`, one build at a time.

use std::{
    io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rattler_build::{
    types::{Directories, padded_host_prefix},
    utils::remove_dir_all_force,
};
use rattler_conda_types::Subdir;

use super::{
    BuildError, BuildJob,
    output::{Cell, folder_name},
};
use crate::base::{FileLock, FsError, Wait, fs};

/// What a prefix is padded to, as in every conda package.
const PREFIX_LENGTH: usize = 255;

/// A locked build folder.
pub(super) struct Place {
    root: PathBuf,
    recipe: PathBuf,
    _lock: FileLock,
}

impl Place {
    /// Waits until nobody else builds this cell, removes what a dead build left, and makes the folder.
    pub(super) fn take(job: &BuildJob, cell: &Cell, patience: Duration) -> Result<Self, BuildError> {
        let scratch = shared_folder(&job.scratch)?;
        let root = scratch.join(folder_name(cell));
        let lock = root.with_added_extension("lock");
        let length = root.join(BUILD).as_os_str().len();
        let limit = PREFIX_LENGTH - "/host_env".len();
        if length > limit {
            return Err(BuildError::PathTooLong { path: root, length, limit });
        }
        make_shared_file(&lock)?;
        let lock = FileLock::acquire(&lock, &Wait::at_most(patience), |owner| {
            tracing::info!("waiting for {owner}, which builds in {}", root.display());
        })?;
        if root.exists() {
            let fail = |error| BuildError::Stale { source: FsError::new("remove", &root, error) };
            remove_dir_all_force(&root).map_err(fail)?;
        }
        for folder in [BUILD, "out", "sources", "test"] {
            fs::create_dir_all(&root.join(folder))?;
        }
        // A recipe with a source like `path: ../..` copies a folder that may hold this one.
        fs::write_atomic(&root.join(".condapackageignore"), b"*\n")?;
        let recipe = link_recipe(&job.recipe, &root)?;
        Ok(Self { root, recipe, _lock: lock })
    }

    /// The folder itself.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The folders as the library wants them; `merged` makes build and host environment one.
    pub(super) fn directories(&self, platform: Subdir, merged: bool) -> Directories {
        let build_dir = self.root.join(BUILD);
        let host_prefix = padded_host_prefix(&build_dir, platform);
        Directories {
            recipe_dir: self.root.join(RECIPE),
            recipe_path: self.recipe.clone(),
            cache_dir: self.root.join("cache"),
            build_prefix: if merged { host_prefix.clone() } else { build_dir.join("build_env") },
            host_prefix,
            work_dir: build_dir.join("work"),
            output_dir: self.root.join("out"),
            build_dir,
        }
    }

    /// Leaves the folder for a person to look at; the next build of the cell removes it.
    pub(super) fn keep(self) {}

    /// Removes the folder.
    pub(super) fn remove(self) -> Result<(), FsError> {
        remove_dir_all_force(&self.root).map_err(|source| FsError::new("remove", &self.root, source))
    }
}

/// The folder of prefixes and work. It is one letter long because the padded prefix is in it.
const BUILD: &str = "b";

/// The link to the recipe's folder. Scripts see it as `RECIPE_DIR`, so that the place of the checkout does not get into
/// what they compile, while `../` in a source still leads to the recipe's real neighbours.
const RECIPE: &str = "recipe";

fn link_recipe(recipe: &Path, root: &Path) -> Result<PathBuf, FsError> {
    let recipe = recipe.canonicalize().map_err(|source| FsError::new("find", recipe, source))?;
    let folder = recipe.parent().unwrap_or(Path::new("/"));
    let link = root.join(RECIPE);
    link_to(folder, &link)?;
    Ok(link.join(recipe.file_name().unwrap_or_default()))
}

/// Makes a symbolic link at `link` to `target`.
pub(super) fn link_to(target: &Path, link: &Path) -> Result<(), FsError> {
    std::os::unix::fs::symlink(target, link).map_err(|source| FsError::new("link", link, source))
}

/// The scratch folder, made for everybody when it is not there: several users may build with one.
fn shared_folder(path: &Path) -> Result<PathBuf, FsError> {
    if !path.exists() {
        fs::create_dir_all(path)?;
        let mode = std::fs::Permissions::from_mode(0o1777);
        std::fs::set_permissions(path, mode).map_err(|source| FsError::new("share", path, source))?;
    }
    path.canonicalize().map_err(|source| FsError::new("find", path, source))
}

/// Makes a file that everybody may lock, whatever the umask.
fn make_shared_file(path: &Path) -> Result<(), FsError> {
    let made = std::fs::File::options().write(true).create_new(true).mode(0o666).open(path);
    let file = match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made.map_err(|source| FsError::new("make", path, source))?,
    };
    let mode = std::fs::Permissions::from_mode(0o666);
    file.set_permissions(mode).map_err(|source| FsError::new("share", path, source))
}
