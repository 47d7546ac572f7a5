//! How a run went.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    exec::Outputs,
    fingerprint::Reason,
    plan::{Node, NodeId, Plan},
    store::{Ended, LastRun, NodeResult},
};

/// How one node went.
#[derive(Debug, Clone)]
pub struct NodeReport {
    /// The node.
    pub id: NodeId,
    /// How it ended.
    pub result: NodeResult,
    /// Why it ran, or would have.
    pub reason: Option<Reason>,
    /// How long it took.
    pub seconds: f64,
    /// Why it failed, drawn for people.
    pub error: Option<String>,
    /// The failed nodes because of which it was skipped, sorted.
    pub because: Vec<NodeId>,
}

/// How every node of a run went, in the plan's order.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The nodes.
    pub nodes: Vec<NodeReport>,
    /// What the nodes that are fresh or done have made.
    pub outputs: Outputs,
    /// Whether the run was stopped from outside.
    pub stopped: bool,
}

/// How many nodes ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Nothing to do.
    pub fresh: usize,
    /// Done.
    pub built: usize,
    /// Went wrong.
    pub failed: usize,
    /// Not done because of another.
    pub skipped: usize,
}

impl Report {
    /// What was skipped because of each failed node, in the plan's order. A node that several have blocked is named by
    /// each of them.
    pub fn blocked(&self) -> BTreeMap<&NodeId, Vec<&NodeId>> {
        let mut blocked: BTreeMap<&NodeId, Vec<&NodeId>> = BTreeMap::new();
        for node in &self.nodes {
            for because in &node.because {
                blocked.entry(because).or_default().push(&node.id);
            }
        }
        blocked
    }

    /// Of a run in which every node was fresh.
    pub fn of_fresh(plan: &Plan, outputs: Outputs) -> Self {
        let fresh = |node: &Node| NodeReport {
            id: node.id.clone(),
            result: NodeResult::Fresh,
            reason: None,
            seconds: 0.0,
            error: None,
            because: Vec::new(),
        };
        Self { nodes: plan.nodes().iter().map(fresh).collect(), outputs, stopped: false }
    }

    /// How many nodes ended how.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for node in &self.nodes {
            match node.result {
                NodeResult::Fresh => counts.fresh += 1,
                NodeResult::Built => counts.built += 1,
                NodeResult::Failed => counts.failed += 1,
                NodeResult::Skipped => counts.skipped += 1,
            }
        }
        counts
    }

    /// What `status` will want to know. `at` is the time, in seconds since 1970; the run took `seconds`.
    pub fn last_run(&self, at: Option<u64>, seconds: f64) -> LastRun {
        let nodes = self.nodes.iter().map(|it| (it.id.clone(), (it.result, it.reason.clone(), it.seconds))).collect();
        let Counts { fresh, built, failed, skipped } = self.counts();
        LastRun { nodes, ended: Some(Ended { at, seconds, stopped: self.stopped, fresh, built, failed, skipped }) }
    }
}
