//! What a run would do, without doing it.

use serde::Serialize;

use super::{Context, ExecError, Look, Outputs, look, look::changes_so_far};
use crate::{
    fingerprint::Reason,
    plan::{Index, NodeId},
};

/// What is known of a node before a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It would not run.
    Fresh,
    /// It would run.
    Dirty,
    /// It would run if what it waits for comes out different.
    Maybe,
}

/// A node's state and the reason for it.
#[derive(Debug, Clone)]
pub struct Status {
    /// The state.
    pub state: State,
    /// Why it is not fresh.
    pub reason: Option<Reason>,
    /// The nodes whose results are among its inputs and are not known yet.
    pub waits_for: Vec<NodeId>,
}

/// What a look at a plan that nothing may be written for has found.
#[derive(Debug)]
pub enum Seen {
    /// Every node is fresh: this is what they made.
    Fresh(Outputs),
    /// The first node that is not, and why.
    ToDo(NodeId, Reason),
}

/// Looks at the nodes of the plan until one has to run.
///
/// # Errors
/// When an input cannot be read.
pub fn see(context: &Context) -> Result<Seen, ExecError> {
    let mut outputs = Outputs::new();
    for (index, node) in context.plan.iter() {
        match look(context, index, &outputs)? {
            Look::Fresh(output) => outputs.insert(index, output),
            Look::Kept(_) => {
                return Ok(Seen::ToDo(node.id.clone(), Reason::OutputGone("its entry in the index".to_owned())));
            }
            Look::Stale(stale) => return Ok(Seen::ToDo(node.id.clone(), stale.reason)),
        };
    }
    Ok(Seen::Fresh(outputs))
}

/// Looks at every node of the plan, in its order.
///
/// # Errors
/// When an input cannot be read.
pub fn survey(context: &Context) -> Result<Vec<Status>, ExecError> {
    let mut outputs = Outputs::new();
    let mut statuses: Vec<Status> = Vec::with_capacity(context.plan.nodes().len());
    for (index, node) in context.plan.iter() {
        // Only inputs can change its key; what merely has to be done before cannot.
        let waiting: Vec<Index> = node.inputs.iter().copied().filter(|need| !outputs.contains_key(need)).collect();
        let waits_for: Vec<NodeId> = waiting.iter().map(|it| context.plan.node(*it).id.clone()).collect();
        let (state, reason) = if waiting.is_empty() {
            match look(context, index, &outputs)? {
                Look::Fresh(output) => {
                    outputs.insert(index, output);
                    (State::Fresh, None)
                }
                Look::Kept(record) => {
                    outputs.insert(index, record.output);
                    (State::Fresh, None)
                }
                Look::Stale(stale) => (State::Dirty, Some(stale.reason)),
            }
        } else {
            match changes_so_far(context, node, &outputs)? {
                Some(reason) => (State::Dirty, Some(reason)),
                None => (State::Maybe, Some(Reason::Behind(waits_for.clone()))),
            }
        };
        statuses.push(Status { state, reason, waits_for });
    }
    Ok(statuses)
}
