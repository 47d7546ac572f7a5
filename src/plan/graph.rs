//! The graph itself: the only file that names petgraph.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::{
    Direction,
    algo::tarjan_scc,
    graph::{DiGraph, NodeIndex},
    visit::{Dfs, EdgeRef as _, Reversed},
};

use super::{
    Goal, Index, Kind, Node, NodeId, PlanError, Stage,
    cycle::tell_cycle,
    dependencies::{Catalogue, Needs},
    node::packed_as,
};
use crate::workspace::Workspace;

/// Everything that some goals need, in an order in which it can be done.
#[derive(Debug, Clone)]
pub struct Plan {
    nodes: Vec<Node>,
}

impl Plan {
    /// A plan of nodes without subjects, where each number names a node that is needed and comes before.
    #[cfg(test)]
    pub(crate) fn of_needs(needs: &[Vec<usize>]) -> Self {
        let node = |(number, needs): (usize, &Vec<usize>)| {
            let needs: Vec<Index> = needs.iter().copied().map(Index).collect();
            let id = NodeId::new(Kind::Build, &format!("n{number}"));
            Node { id, kind: Kind::Build, subject: 0, part: 0, inputs: needs.clone(), needs }
        };
        Self { nodes: needs.iter().enumerate().map(node).collect() }
    }

    /// The nodes; each comes after all that it needs.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Every node with its place.
    pub fn iter(&self) -> impl Iterator<Item = (Index, &Node)> {
        self.nodes.iter().enumerate().map(|(index, node)| (Index(index), node))
    }

    /// One node.
    pub fn node(&self, index: Index) -> &Node {
        &self.nodes[index.0]
    }

    /// The place of the node of that name.
    pub fn find(&self, id: &str) -> Option<Index> {
        self.nodes.iter().position(|node| node.id.as_str() == id).map(Index)
    }

    /// The places of the nodes that some goals ask for themselves.
    pub fn wanted(&self, goals: &[Goal]) -> BTreeSet<Index> {
        let wanted = |node: &Node| goals.iter().any(|goal| goal.wants(&node.id, node.kind));
        self.iter().filter(|(_, node)| wanted(node)).map(|(index, _)| index).collect()
    }

    /// For every node, those that need it directly.
    pub fn dependents(&self) -> Vec<Vec<Index>> {
        let mut dependents = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.iter() {
            for need in &node.needs {
                dependents[need.0].push(index);
            }
        }
        dependents
    }
}

/// Makes the graph of a workspace and keeps what the goals need.
///
/// # Errors
/// When recipes need each other in a circle.
pub fn plan(workspace: &Workspace, goals: &[Goal]) -> Result<Plan, PlanError> {
    let mut graph = Drawing::default();
    let catalogue = Catalogue::new(workspace);
    let builds: Vec<NodeIndex> = (0..workspace.packages.len())
        .map(|subject| graph.add(Kind::Build, &workspace.packages[subject].id, subject))
        .collect();
    let needs: Vec<Needs> = (0..builds.len()).map(|subject| catalogue.needs_of(subject)).collect();
    for (subject, index) in builds.iter().enumerate() {
        let Needs { inputs, runtime, .. } = &needs[subject];
        for input in inputs {
            graph.first_edge(builds[*input], *index, Edge::Input);
        }
        for needed in runtime.difference(inputs) {
            graph.first_edge(builds[*needed], *index, Edge::Order);
        }
    }
    // Nothing but builds can go round in a circle.
    graph.check_cycles(workspace)?;
    for (subject, index) in builds.iter().enumerate().filter(|(subject, _)| needs[*subject].outside) {
        let resolve = graph.add(Kind::Resolve, &workspace.packages[subject].id, subject);
        for input in &needs[subject].inputs {
            graph.edge(builds[*input], resolve, Edge::Input);
        }
        graph.edge(resolve, *index, Edge::Input);
    }
    for (subject, environment) in workspace.environments.iter().enumerate() {
        let lock = graph.add(Kind::Lock, &environment.name, subject);
        for package in catalogue.of_environment(&environment.specs, &environment.cell) {
            graph.edge(builds[package], lock, Edge::Input);
        }
        let install = graph.add(Kind::Install, &environment.name, subject);
        graph.edge(lock, install, Edge::Input);
        let test = environment.test.as_ref().map(|_| graph.add(Kind::Test, &environment.name, subject));
        if let Some(test) = test {
            graph.edge(install, test, Edge::Input);
        }
        for (part, format) in environment.packs.iter().enumerate() {
            let what = packed_as(&environment.name, format);
            let pack = graph.add_part(Kind::Pack, &what, subject, part);
            // Packages go into it from the cache. What fails its test is not packed.
            graph.edge(lock, pack, Edge::Input);
            if let Some(test) = test {
                graph.edge(test, pack, Edge::Order);
            }
        }
    }
    Ok(graph.into_plan(goals))
}

/// Why one node comes before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    /// Its result is an input.
    Input,
    /// It only has to be there.
    Order,
}

#[derive(Default)]
struct Drawing {
    graph: DiGraph<(NodeId, Kind, usize, usize), Edge>,
}

impl Drawing {
    fn add(&mut self, kind: Kind, what: &str, subject: usize) -> NodeIndex {
        self.add_part(kind, what, subject, 0)
    }

    fn add_part(&mut self, kind: Kind, what: &str, subject: usize, part: usize) -> NodeIndex {
        self.graph.add_node((NodeId::new(kind, what), kind, subject, part))
    }

    fn edge(&mut self, from: NodeIndex, to: NodeIndex, edge: Edge) {
        match self.graph.find_edge(from, to) {
            Some(known) => self.graph[known] = self.graph[known].min(edge),
            None if from == to => {}
            None => drop(self.graph.add_edge(from, to, edge)),
        }
    }

    /// An edge between two nodes that have none yet: to look for it would take as long as they have neighbours.
    fn first_edge(&mut self, from: NodeIndex, to: NodeIndex, edge: Edge) {
        if from != to {
            self.graph.add_edge(from, to, edge);
        }
    }

    fn check_cycles(&self, workspace: &Workspace) -> Result<(), PlanError> {
        let circles: Vec<Vec<usize>> = tarjan_scc(&self.graph)
            .into_iter()
            .filter(|component| component.len() > 1)
            .map(|component| self.walk_circle(&component))
            .collect();
        if circles.is_empty() { Ok(()) } else { Err(tell_cycle(workspace, &circles)) }
    }

    /// One shortest round trip inside a strongly connected component, as package cells: each needs the next.
    fn walk_circle(&self, component: &[NodeIndex]) -> Vec<usize> {
        let members: BTreeSet<NodeIndex> = component.iter().copied().collect();
        let start = *component.iter().min_by_key(|it| &self.graph[**it].0).expect("a component has members");
        let mut came_from: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            let mut needs: Vec<NodeIndex> = self.graph.neighbors_directed(at, Direction::Incoming).collect();
            needs.sort_by_key(|it| &self.graph[*it].0);
            for need in needs.into_iter().filter(|it| members.contains(it)) {
                if need == start {
                    let mut path = vec![at];
                    while let Some(previous) = came_from.get(path.last().expect("the path has a start")) {
                        path.push(*previous);
                    }
                    path.reverse();
                    return path.into_iter().map(|it| self.graph[it].2).collect();
                }
                if need != start && !came_from.contains_key(&need) {
                    came_from.insert(need, at);
                    queue.push_back(need);
                }
            }
        }
        component.iter().map(|it| self.graph[*it].2).collect()
    }

    /// What the goals reach, in a topological order that depends on names only.
    fn into_plan(self, goals: &[Goal]) -> Plan {
        let graph = &self.graph;
        let wanted = |node: &(NodeId, Kind, usize, usize)| goals.iter().any(|goal| goal.wants(&node.0, node.1));
        let mut reached = BTreeSet::new();
        // One walk for all goals: what one of them reaches, the next need not walk again.
        let mut walk = Dfs::empty(Reversed(graph));
        for root in graph.node_indices().filter(|it| wanted(&graph[*it])) {
            walk.move_to(root);
            while let Some(next) = walk.next(Reversed(graph)) {
                reached.insert(next);
            }
        }
        let mut missing: Vec<usize> = vec![0; graph.node_count()];
        let mut ready: BTreeSet<(Kind, &NodeId, NodeIndex)> = BTreeSet::new();
        for index in &reached {
            let count = graph.neighbors_directed(*index, Direction::Incoming).count();
            missing[index.index()] = count;
            if count == 0 {
                ready.insert((graph[*index].1, &graph[*index].0, *index));
            }
        }
        let mut place: Vec<Option<Index>> = vec![None; graph.node_count()];
        let mut nodes = Vec::new();
        while let Some((kind, id, index)) = ready.pop_first() {
            place[index.index()] = Some(Index(nodes.len()));
            let mut needs = Vec::new();
            let mut inputs = Vec::new();
            for edge in graph.edges_directed(index, Direction::Incoming) {
                let need = place[edge.source().index()].expect("a node becomes ready after all that it needs");
                needs.push(need);
                if *edge.weight() == Edge::Input {
                    inputs.push(need);
                }
            }
            needs.sort();
            inputs.sort();
            nodes.push(Node { id: id.clone(), kind, subject: graph[index].2, part: graph[index].3, needs, inputs });
            for dependent in graph.neighbors_directed(index, Direction::Outgoing) {
                if reached.contains(&dependent) {
                    missing[dependent.index()] -= 1;
                    if missing[dependent.index()] == 0 {
                        ready.insert((graph[dependent].1, &graph[dependent].0, dependent));
                    }
                }
            }
        }
        Plan { nodes }
    }
}

impl Goal {
    /// Whether a node is what this goal asks for, and not only needed for it. The build and host environments are locked
    /// with the others.
    fn wants(&self, id: &NodeId, kind: Kind) -> bool {
        match self {
            Self::Everything(Stage::All) => true,
            Self::Everything(Stage::Kind(wanted)) => kind == *wanted || (kind, *wanted) == (Kind::Resolve, Kind::Lock),
            Self::Node(wanted) => id == wanted,
        }
    }
}
