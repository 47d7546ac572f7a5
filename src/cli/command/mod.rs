//! One file for each verb.

mod backup;
mod check;
mod clean;
mod explain;
mod export;
mod gc;
mod host;
mod host_libraries;
mod list;
mod lock;
mod pack;
mod plan;
mod run;
mod stage;
mod status;
mod target;
mod unbundled;
mod unpack;
mod worker;

pub(super) use backup::{backup, clone, restore};
pub(super) use check::check;
pub(super) use clean::clean;
pub(super) use explain::why;
pub(super) use export::export;
pub(super) use gc::gc;
pub(super) use host::host;
pub(super) use host_libraries::check_host;
pub(super) use list::list;
pub(super) use lock::lock;
pub(super) use pack::pack;
pub(super) use plan::plan;
pub(super) use run::run;
pub(super) use stage::run_stage;
pub(super) use status::status;
pub(super) use target::check_target;
pub(super) use unpack::unpack;
pub(super) use worker::{make, patchelf, worker};

use std::path::{Path, PathBuf};

use super::{Environment, args::Global};

/// What every command gets.
pub(super) struct World {
    pub(super) global: Global,
    pub(super) environment: Environment,
}

impl World {
    /// A path of the command line, absolute: relative ones start in the folder of `-C`.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        let joined = self.global.directory.as_deref().unwrap_or(Path::new("")).join(path);
        std::path::absolute(&joined).unwrap_or(joined)
    }
}
