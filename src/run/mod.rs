//! The scheduler: decides when. One thread owns the states of all nodes; jobs run elsewhere and send one message each.
//!
//! Knows nothing of: what a node does, how it is shown.

mod coordinator;
mod event;
mod pool;
mod priority;
mod report;
mod state;
#[cfg(test)]
mod tests;

pub use coordinator::{Failures, LookFn, Options, run};
pub use event::{Event, Reporter};
pub use pool::{Claim, ORDINARY, claims};
pub use priority::{expected, remaining};
pub use report::{Counts, NodeReport, Report};
