//! A bundle holds packages, and what their files are is seen only in an environment that is made of them.

use std::path::{Path, PathBuf};

use super::World;
use crate::{
    base::{Cancel, Progress, Scratch},
    cli::{project, signals},
    exec::{self, Children, UnbundleRequest},
    unpack::Machine,
};

/// The environment of a bundle, in a folder that goes with this value.
pub(super) struct Unbundled {
    pub(super) prefix: PathBuf,
    _scratch: Scratch,
}

impl Unbundled {
    /// Makes the environment, wherever it is to be used.
    pub(super) fn of(world: &World, bundle: &Path) -> miette::Result<Self> {
        let cancel = Cancel::new();
        signals::watch(cancel.clone(), Children::default(), || {});
        let scratch = Scratch::new()?;
        let prefix = scratch.path().join("environment");
        exec::unbundle(&UnbundleRequest {
            bundle,
            prefix: &prefix,
            machine: &Machine::default(),
            cache: project::cache(&world.environment).as_deref(),
            progress: Progress::none(),
            cancel: &cancel,
        })?;
        Ok(Self { prefix, _scratch: scratch })
    }
}
