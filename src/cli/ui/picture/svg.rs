//! The picture as SVG, a text that depends on the plan and its states alone.

use std::fmt::Write as _;

use super::{
    Card,
    layout::{CARD, LETTERS, Layout, MARGIN, Way, layout},
};
use crate::exec::State;

/// Colours and lines. No state is told by its colour alone: the card says it in a word.
const STYLE: &str = "\
text { font-family: ui-monospace, 'DejaVu Sans Mono', monospace; font-size: 12px; fill: #1f2328; }
.note { font-size: 10px; fill: #57606a; }
rect { rx: 4px; stroke-width: 1.2; }
.page { fill: #ffffff; }
.fresh rect { fill: #e9f5ec; stroke: #4f9d69; }
.dirty rect { fill: #fde8e1; stroke: #c4532d; stroke-width: 2; }
.maybe rect { fill: #fff6d9; stroke: #b08a1e; stroke-dasharray: 5 3; }
path { fill: none; stroke: #6e7781; stroke-width: 1.3; }
.order { stroke-dasharray: 4 4; }
.implied { stroke: #dfe4ea; stroke-width: 0.7; }
";

/// Draws the graph.
pub(in crate::cli::ui) fn svg(cards: &[Card]) -> String {
    let Layout { size: (width, height), places, mut ways } = layout(cards);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
        counts(cards)
    );
    legend(&mut text, cards);
    // What follows from other edges is drawn below them.
    ways.sort_by_key(|it| it.edge != super::Edge::Implied);
    for way in &ways {
        let (from, to) = (escape(&cards[way.from].id), escape(&cards[way.to].id));
        let (kind, line) = (way.edge.word(), line(way));
        let _ = writeln!(text, "<path class=\"{kind}\" d=\"{line}\"><title>{from} → {to} ({kind})</title></path>");
    }
    for (card, place) in cards.iter().zip(places) {
        let (x, y) = (place.x + 10.0, place.y);
        let _ = writeln!(
            text,
            "<g class=\"{}\"><title>{}\n{}</title><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{CARD}\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\">{}</text><text class=\"note\" x=\"{x:.1}\" y=\"{:.1}\">{}</text></g>",
            state(card.state),
            escape(&card.id),
            escape(&card.note),
            place.x,
            y - CARD / 2.0,
            place.width,
            y - 3.0,
            escape(&without_middle(&card.id)),
            y + 11.0,
            escape(&without_end(&card.note)),
        );
    }
    text.push_str("</svg>");
    text
}

fn state(state: State) -> &'static str {
    crate::cli::ui::text::word(state)
}

fn counts(cards: &[Card]) -> String {
    let count = |state| cards.iter().filter(|it| it.state == state).count();
    let [fresh, dirty, maybe] = [State::Fresh, State::Dirty, State::Maybe].map(count);
    format!("{}: {dirty} dirty, {maybe} maybe, {fresh} fresh", crate::cli::ui::message::nodes(cards.len()))
}

/// What the colours and lines mean.
fn legend(text: &mut String, cards: &[Card]) {
    let _ = writeln!(text, "<text x=\"{MARGIN}\" y=\"24\">{}</text>", counts(cards));
    let mut x = MARGIN;
    for (kind, says) in [("input", "is an input"), ("order", "comes first"), ("implied", "follows from others")] {
        let end = x + 28.0;
        let _ = writeln!(text, "<path class=\"{kind}\" d=\"M {x:.1} 38 L {end:.1} 38\"/>");
        let _ = writeln!(text, "<text class=\"note\" x=\"{:.1}\" y=\"41\">{says}</text>", x + 34.0);
        x += 34.0 + says.len() as f64 * 6.2 + 16.0;
    }
}

/// A line that leaves and comes in level, with a bend between two columns.
fn line(way: &Way) -> String {
    let mut points = way.points.iter();
    let mut line = String::new();
    let Some((mut x, mut y)) = points.next().copied() else { return line };
    let _ = write!(line, "M {x:.1} {y:.1}");
    for (number, (next_x, next_y)) in points.enumerate() {
        // From one column to the next it bends; past a column it runs straight.
        if number % 2 == 0 {
            let middle = (x + next_x) / 2.0;
            let _ = write!(line, " C {middle:.1} {y:.1} {middle:.1} {next_y:.1} {next_x:.1} {next_y:.1}");
        } else {
            let _ = write!(line, " L {next_x:.1} {next_y:.1}");
        }
        (x, y) = (*next_x, *next_y);
    }
    line
}

fn without_middle(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= LETTERS {
        return text.to_owned();
    }
    let half = LETTERS / 2;
    let (start, end) = (&letters[..half], &letters[letters.len() - (LETTERS - half - 1)..]);
    start.iter().chain(&['…']).chain(end).collect()
}

fn without_end(text: &str) -> String {
    // The second line's letters are smaller.
    let room = LETTERS + LETTERS / 6;
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room - 1).chain(['…']).collect()
}

/// A text as XML has it. Characters that XML cannot hold are replaced.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(letter),
            '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            it if it.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            it => out.push(it),
        }
    }
    out
}
