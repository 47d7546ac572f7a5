//! A bundle holds packages, and what their files are is seen only in an environment that is made of them.

use std::path::PathBuf;

use crate::{
    base::{Cancel, Progress, Scratch},
    cli::signals,
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
    pub(super) fn of(bundle: &std::path::Path) -> miette::Result<Self> {
        let cancel = Cancel::new();
        signals::watch(cancel.clone(), Children::default(), || {});
        let scratch = Scratch::new()?;
        let prefix = scratch.path().join("environment");
        let (machine, progress) = (Machine::default(), Progress::none());
        let request =
            UnbundleRequest { bundle, prefix: &prefix, machine: &machine, cache: None, progress, cancel: &cancel };
        exec::unbundle(&request)?;
        Ok(Self { prefix, _scratch: scratch })
    }
}
