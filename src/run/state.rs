//! The states of nodes, and the one function that changes them.

use std::collections::BTreeSet;

use super::priority::Urgency;
use crate::plan::{Index, Plan};

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeState {
    /// Something that it needs is not done.
    Waiting,
    /// All that it needs is done; whether it has to run is not known yet.
    Ready,
    /// It has to run, and waits for its turn.
    Due,
    /// A job does it.
    Running,
    /// It is done, or had nothing to do.
    Done,
    /// It went wrong.
    Failed,
    /// It will not be done.
    Skipped,
}

impl NodeState {
    fn may_become(self, next: Self) -> bool {
        use NodeState::{Done, Due, Failed, Ready, Running, Skipped, Waiting};
        matches!(
            (self, next),
            (Waiting, Ready | Skipped)
                | (Ready, Due | Done | Failed | Skipped)
                | (Due, Running | Skipped)
                | (Running, Done | Failed | Skipped)
        )
    }
}

/// All nodes' states, with the queue and the counts that follow from them.
#[derive(Debug)]
pub(super) struct States {
    states: Vec<NodeState>,
    missing: Vec<usize>,
    dependents: Vec<Vec<Index>>,
    urgencies: Vec<Urgency>,
    ready: BTreeSet<Index>,
    due: BTreeSet<(Urgency, Index)>,
    running: BTreeSet<Index>,
}

impl States {
    pub(super) fn new(plan: &Plan) -> Self {
        let missing: Vec<usize> = plan.nodes().iter().map(|it| it.needs.len()).collect();
        let mut states = Self {
            states: vec![NodeState::Waiting; missing.len()],
            missing,
            dependents: plan.dependents(),
            urgencies: vec![Urgency::default(); plan.nodes().len()],
            ready: BTreeSet::new(),
            due: BTreeSet::new(),
            running: BTreeSet::new(),
        };
        for (index, node) in plan.iter() {
            if node.needs.is_empty() {
                states.set(index, NodeState::Ready);
            }
        }
        states
    }

    pub(super) fn get(&self, index: Index) -> NodeState {
        self.states[index.number()]
    }

    pub(super) fn running(&self) -> &BTreeSet<Index> {
        &self.running
    }

    /// The next node to look at, the one that the plan has first.
    pub(super) fn next_ready(&self) -> Option<Index> {
        self.ready.first().copied()
    }

    /// What has to run, the most urgent first. Of those that are equally urgent, the one that the plan has first.
    pub(super) fn due(&self) -> impl Iterator<Item = Index> {
        self.due.iter().map(|(_, index)| *index)
    }

    /// A node that was looked at has to run, and is so urgent.
    pub(super) fn set_due(&mut self, index: Index, urgency: Urgency) {
        self.urgencies[index.number()] = urgency;
        self.set(index, NodeState::Due);
    }

    /// Changes a node's state, and makes ready what waited only for it.
    pub(super) fn set(&mut self, index: Index, next: NodeState) {
        let place = &mut self.states[index.number()];
        let before = *place;
        debug_assert!(before.may_become(next), "{before:?} cannot become {next:?}");
        *place = next;
        match before {
            NodeState::Ready => drop(self.ready.remove(&index)),
            NodeState::Due => drop(self.due.remove(&(self.urgencies[index.number()], index))),
            NodeState::Running => drop(self.running.remove(&index)),
            _ => {}
        }
        match next {
            NodeState::Ready => drop(self.ready.insert(index)),
            NodeState::Due => drop(self.due.insert((self.urgencies[index.number()], index))),
            NodeState::Running => drop(self.running.insert(index)),
            NodeState::Done => {
                for dependent in self.dependents[index.number()].clone() {
                    self.missing[dependent.number()] -= 1;
                    if self.missing[dependent.number()] == 0 && self.get(dependent) == NodeState::Waiting {
                        self.set(dependent, NodeState::Ready);
                    }
                }
            }
            _ => {}
        }
    }

    /// Everything that needs a node, directly or not. While that node is not done, all of it waits or is skipped.
    pub(super) fn blocked_by(&self, index: Index) -> BTreeSet<Index> {
        let mut found = BTreeSet::new();
        let mut open = vec![index];
        while let Some(at) = open.pop() {
            for dependent in &self.dependents[at.number()] {
                if found.insert(*dependent) {
                    open.push(*dependent);
                }
            }
        }
        found
    }

    /// Everything that has not ended.
    pub(super) fn unfinished(&self, plan: &Plan) -> Vec<Index> {
        let open = |it: &Index| matches!(self.get(*it), NodeState::Waiting | NodeState::Ready | NodeState::Due);
        plan.iter().map(|(index, _)| index).filter(open).collect()
    }
}
