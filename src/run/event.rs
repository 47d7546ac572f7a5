//! What happens during a run, for whoever shows it.

use crate::{exec::ExecError, fingerprint::Reason, plan::Node};

/// One thing that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The run begins with so many nodes.
    Begin {
        /// Nodes in the plan.
        nodes: usize,
    },
    /// A node has nothing to do.
    Fresh {
        /// The node.
        node: &'a Node,
    },
    /// A node has started.
    Started {
        /// The node.
        node: &'a Node,
        /// Why it runs.
        reason: &'a Reason,
    },
    /// A node is done.
    Built {
        /// The node.
        node: &'a Node,
        /// How long it took.
        seconds: f64,
    },
    /// A node went wrong.
    Failed {
        /// The node.
        node: &'a Node,
        /// Why.
        error: &'a ExecError,
        /// How long it took.
        seconds: f64,
    },
    /// A node is not done because of another.
    Skipped {
        /// The node.
        node: &'a Node,
        /// What it needs and what went wrong; nothing when the run was stopped.
        because: Option<&'a Node>,
    },
    /// The run is being stopped.
    Stopping,
    /// The run is over.
    End,
}

/// Told everything, decides nothing. Called from the coordinator's thread only.
pub trait Reporter {
    /// Hears of one event.
    fn event(&mut self, event: &Event<'_>);
}
