//! What a workspace means becomes what has to be done: an acyclic graph of nodes.
//!
//! Pure: no disk, no clock, the same order every time. Knows nothing of: what is up to date, who runs a node.

mod cycle;
mod dependencies;
mod error;
mod goal;
mod graph;
mod node;

pub use error::PlanError;
pub use goal::{Goal, Stage, one_environment, resolve_goals};
pub use graph::{Plan, plan};
pub use node::{Index, Kind, Node, NodeId};
