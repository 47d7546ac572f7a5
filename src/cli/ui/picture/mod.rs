//! The graph as a picture: nodes with their states, and what needs what.
//!
//! Knows nothing of: where the picture goes.

mod dot;
mod layout;
mod order;
mod svg;
#[cfg(test)]
mod tests;

pub(super) use dot::dot;
pub(super) use svg::svg;

use crate::{
    exec::{State, Status},
    plan::Plan,
};

/// A node as it is drawn.
#[derive(Debug, Clone)]
pub(super) struct Card {
    /// The node's id.
    id: String,
    /// Its state.
    state: State,
    /// The state in a word, with the reason.
    note: String,
    /// What it needs: cards that come before.
    needs: Vec<Need>,
}

/// What a node needs.
#[derive(Debug, Clone, Copy)]
struct Need {
    /// The place of the other card.
    card: usize,
    /// What kind of edge leads from it.
    edge: Edge,
}

/// An edge of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// Its result is an input.
    Input,
    /// It only has to be done before.
    Order,
    /// It follows from other edges.
    Implied,
}

impl Edge {
    fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Order => "order",
            Self::Implied => "implied",
        }
    }
}

/// What there is to draw of a plan.
pub(super) fn cards(plan: &Plan, statuses: &[Status]) -> Vec<Card> {
    let mut cards: Vec<Card> = Vec::with_capacity(statuses.len());
    // For each card, the cards that it needs, directly or by way of others.
    let mut reach: Vec<Vec<bool>> = Vec::with_capacity(statuses.len());
    for ((index, node), status) in plan.iter().zip(statuses) {
        let word = super::text::word(status.state);
        let note = status.reason.as_ref().map_or_else(|| word.to_owned(), |reason| format!("{word}: {reason}"));
        let mut reached = vec![false; index.number()];
        for need in &node.needs {
            for (all, own) in reached.iter_mut().zip(&reach[need.number()]) {
                *all |= own;
            }
        }
        let edge = |need: crate::plan::Index| match (reached[need.number()], node.inputs.contains(&need)) {
            (true, _) => Edge::Implied,
            (false, true) => Edge::Input,
            (false, false) => Edge::Order,
        };
        let needs = node.needs.iter().map(|it| Need { card: it.number(), edge: edge(*it) }).collect();
        for need in &node.needs {
            reached[need.number()] = true;
        }
        reach.push(reached);
        cards.push(Card { id: node.id.to_string(), state: status.state, note, needs });
    }
    cards
}
