//! Where everything of the picture stands, in pixels.

use super::{
    Card, Edge,
    order::{Columns, Heights},
};

/// The height of a card, in which two lines of text have room.
pub(super) const CARD: f64 = 36.0;

/// The room between two columns, in which edges turn.
const BETWEEN: f64 = 64.0;

/// The room around the picture.
pub(super) const MARGIN: f64 = 16.0;

/// The room above it, for the legend.
const LEGEND: f64 = 40.0;

/// The width of a letter of the first line, and the room beside the text.
const LETTER: f64 = 7.3;
const PADDING: f64 = 20.0;

/// How many letters a card has room for; longer texts lose their middle or their end.
pub(super) const LETTERS: usize = 46;

/// A point.
pub(super) type Point = (f64, f64);

/// A card's place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its left end.
    pub(super) x: f64,
    /// Its middle, from the top.
    pub(super) y: f64,
    /// Its width.
    pub(super) width: f64,
}

/// An edge's way.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// The card that is needed.
    pub(super) from: usize,
    /// The card that needs it.
    pub(super) to: usize,
    /// What kind of edge it is.
    pub(super) edge: Edge,
    /// Its points, two for each bend: it leaves one level and comes in level at the next.
    pub(super) points: Vec<Point>,
}

/// The whole picture.
#[derive(Debug)]
pub(super) struct Layout {
    /// Its size.
    pub(super) size: Point,
    /// Where each card stands.
    pub(super) places: Vec<Place>,
    /// Where each edge runs.
    pub(super) ways: Vec<Way>,
}

/// Lays out cards in columns, each right of all that it needs.
pub(super) fn layout(cards: &[Card]) -> Layout {
    let columns = Columns::of(cards, Heights { card: CARD, passage: 4.0, gap: 12.0 });
    let letters = |card: usize| cards[card].id.chars().count().max(cards[card].note.chars().count()).min(LETTERS);
    let width = |items: &Vec<usize>| {
        let cards = items.iter().map(|it| &columns.items[*it]).filter(|it| !it.passage);
        let longest = cards.map(|it| letters(it.card)).max().unwrap_or(0);
        longest as f64 * LETTER + PADDING
    };
    let widths: Vec<f64> = columns.columns.iter().map(width).collect();
    let lefts: Vec<f64> = widths
        .iter()
        .scan(MARGIN, |x, width| {
            let left = *x;
            *x += width + BETWEEN;
            Some(left)
        })
        .collect();
    let top = MARGIN + LEGEND;
    let places: Vec<Place> = columns.items[..cards.len()]
        .iter()
        .map(|it| Place { x: lefts[it.column], y: it.y + top, width: widths[it.column] })
        .collect();
    let mut ways = Vec::new();
    for (to, card) in cards.iter().enumerate() {
        for need in &card.needs {
            let start = places[need.card];
            let mut points = vec![(start.x + start.width, start.y)];
            for passed in columns.way(*need, to).iter().map(|it| &columns.items[*it]) {
                let left = lefts[passed.column];
                points.extend([(left, passed.y + top), (left + widths[passed.column], passed.y + top)]);
            }
            points.push((places[to].x, places[to].y));
            ways.push(Way { from: need.card, to, edge: need.edge, points });
        }
    }
    let right = lefts.last().zip(widths.last()).map_or(MARGIN, |(left, width)| left + width);
    let bottom = places.iter().map(|it| it.y + CARD / 2.0).fold(top, f64::max);
    Layout { size: ((right + MARGIN).max(420.0), bottom + MARGIN), places, ways }
}
