//! Who runs a job, and where. `perform` is the bridge between the graph and the rooms that each know one library.
//!
//! Knows nothing of: which node comes next, how a run is shown.

mod backup;
mod build;
mod bundles;
mod check;
mod clone;
mod context;
mod environment;
mod error;
mod external;
mod family;
mod garbage;
mod guard;
mod host;
mod jobserver;
mod leftovers;
mod libraries;
mod local;
mod look;
mod machine;
mod maintenance;
mod make;
mod means;
mod packaging;
mod perform;
mod pip;
mod process;
mod resolve;
mod restore;
mod scans;
mod shims;
mod stated;
mod surroundings;
mod survey;
mod target;
mod worker;

pub use backup::{BackupRequest, Saved, backup};
pub use build::{complete_index, withdraw_unrecorded};
pub use bundles::{UnbundleRequest, unbundle};
pub use check::{Checked, check};
pub use clone::{Cloned, clone};
pub use context::{Context, LockPolicy, Settings};
pub use environment::activated;
pub use error::{ExecError, tell};
pub use garbage::{Category, Garbage, Garbages, dispose, garbage};
pub use guard::{end_all, guard};
pub use host::{HostPolicy, require_host, unexpected_host};
pub use local::Local;
pub use look::{Look, Stale, look, settle};
pub use machine::Machine;
pub use maintenance::{HostChange, Staleness, saved, since_built, since_saved};
pub use make::{is_make, make};
pub use means::Means;
pub use packaging::{ArchiveRequest, Archived, PackAs, archived};
pub use perform::{Outcome, perform};
pub use process::Children;
pub use restore::{Restored, Way, restore};
pub use stated::{Stated, stated};
pub use survey::{Seen, State, Status, see, survey};
pub use target::{Against, Market, machine, this_machine, unfixable};
pub use worker::worker;

use crate::plan::Index;

/// One node to do now.
#[derive(Debug, Clone)]
pub struct Job {
    /// The node.
    pub index: Index,
    /// Why it is not fresh, its inputs and their key.
    pub stale: Stale,
    /// What its needs made.
    pub outputs: Outputs,
}

/// What nodes made, by their place in the plan.
pub type Outputs = std::collections::BTreeMap<Index, crate::store::Output>;

/// What a job tells the coordinator at its end.
#[derive(Debug)]
pub struct Message {
    /// The node.
    pub index: Index,
    /// How it went.
    pub outcome: Result<Outcome, ExecError>,
}

/// Starts jobs and forgets them. Each job sends one [`Message`].
pub trait Executor {
    /// Starts a job; returns at once.
    fn start(&mut self, job: Job, messages: &std::sync::mpsc::Sender<Message>);
    /// Called before a job starts and after one has ended, with the processors that the jobs then hold. Says whether they
    /// are free of what running jobs have borrowed; what is not comes back as soon as the borrowers let it go.
    fn make_room(&mut self, held: u32) -> bool;
    /// Ends all running jobs as fast as can be done cleanly. They still send their messages.
    fn cancel(&mut self);
}
