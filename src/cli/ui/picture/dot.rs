//! The picture as a text for Graphviz, which lays it out.

use std::fmt::Write as _;

use super::{Card, Edge};
use crate::exec::State;

/// Writes the graph.
pub(in crate::cli::ui) fn dot(cards: &[Card]) -> String {
    let mut text = String::from("digraph envbuild {\n  rankdir=LR;\n  node [shape=box, style=filled];\n");
    for (number, card) in cards.iter().enumerate() {
        let (colour, style) = match card.state {
            State::Fresh => ("palegreen", "filled"),
            State::Dirty => ("lightsalmon", "filled,bold"),
            State::Maybe => ("lightyellow", "filled,dashed"),
        };
        let (id, note) = (escape(&card.id), escape(&card.note));
        let _ = writeln!(text, "  n{number} [label=\"{id}\\n{note}\", fillcolor={colour}, style=\"{style}\"];");
        for need in &card.needs {
            let style = match need.edge {
                Edge::Input => "solid",
                Edge::Order => "dashed",
                Edge::Implied => "dotted",
            };
            let _ = writeln!(text, "  n{} -> n{number} [style={style}];", need.card);
        }
    }
    text.push('}');
    text
}

/// A text between quotes as Graphviz reads it.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
