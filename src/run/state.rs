//! The states of nodes, and the one function that changes them.

use std::collections::BTreeSet;

use crate::plan::{Index, Plan};

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeState {
    /// Something that it needs is not done.
    Waiting,
    /// All that it needs is done; whether it has to run is not known yet.
    Ready,
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
        use NodeState::{Done, Failed, Ready, Running, Skipped, Waiting};
        matches!(
            (self, next),
            (Waiting, Ready | Skipped)
                | (Ready, Running | Done | Failed | Skipped)
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
    ready: BTreeSet<Index>,
    running: usize,
}

impl States {
    pub(super) fn new(plan: &Plan) -> Self {
        let missing: Vec<usize> = plan.nodes().iter().map(|it| it.needs.len()).collect();
        let mut states = Self {
            states: vec![NodeState::Waiting; missing.len()],
            missing,
            dependents: plan.dependents(),
            ready: BTreeSet::new(),
            running: 0,
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

    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// Takes the next node to look at, the one that the plan has first.
    pub(super) fn next_ready(&self) -> Option<Index> {
        self.ready.first().copied()
    }

    /// Changes a node's state, and makes ready what waited only for it.
    pub(super) fn set(&mut self, index: Index, next: NodeState) {
        let place = &mut self.states[index.number()];
        let before = *place;
        debug_assert!(before.may_become(next), "{before:?} cannot become {next:?}");
        *place = next;
        match before {
            NodeState::Ready => drop(self.ready.remove(&index)),
            NodeState::Running => self.running -= 1,
            _ => {}
        }
        match next {
            NodeState::Ready => drop(self.ready.insert(index)),
            NodeState::Running => self.running += 1,
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

    /// Everything that needs a node, directly or not, and waits.
    pub(super) fn blocked_by(&self, index: Index) -> BTreeSet<Index> {
        let mut found = BTreeSet::new();
        let mut open = vec![index];
        while let Some(at) = open.pop() {
            for dependent in &self.dependents[at.number()] {
                if self.get(*dependent) == NodeState::Waiting && found.insert(*dependent) {
                    open.push(*dependent);
                }
            }
        }
        found
    }

    /// Everything that has not ended.
    pub(super) fn unfinished(&self, plan: &Plan) -> Vec<Index> {
        let open = |it: &Index| matches!(self.get(*it), NodeState::Waiting | NodeState::Ready);
        plan.iter().map(|(index, _)| index).filter(open).collect()
    }
}
