//! Columns: which node stands in which, in what order from top to bottom, and how high.

use super::{Card, Edge, Need};

/// Sweeps over the columns: more make no difference that one would see.
const SWEEPS: usize = 12;

/// Something that takes room in a column: a card, or the place where edges pass by. All edges of one card that go further
/// pass a column together.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The card; for a passage, the one that its edges come from.
    pub(super) card: usize,
    /// Whether edges only pass here.
    pub(super) passage: bool,
    /// The column.
    pub(super) column: usize,
    /// The middle, from the top.
    pub(super) y: f64,
    /// Items of the column before that have an edge to this one.
    before: Vec<usize>,
    /// Items of the next column that have an edge from this one.
    after: Vec<usize>,
}

/// The items of a picture, and those that each edge passes.
#[derive(Debug)]
pub(super) struct Columns {
    /// First the cards in their order, then the passages.
    pub(super) items: Vec<Item>,
    /// For each column, its items from top to bottom.
    pub(super) columns: Vec<Vec<usize>>,
    /// For each card, its passages from left to right.
    passages: Vec<Vec<usize>>,
}

/// How much room items take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heights {
    /// A card.
    pub(super) card: f64,
    /// A passage.
    pub(super) passage: f64,
    /// Between two.
    pub(super) gap: f64,
}

impl Columns {
    /// Puts every card behind all that it needs, and arranges each column so that few edges cross.
    pub(super) fn of(cards: &[Card], heights: Heights) -> Self {
        let mut columns = Self::place(cards);
        columns.arrange();
        columns.settle(heights);
        columns
    }

    /// The items that an edge passes on its way; none for one that follows from others, which takes no room.
    pub(super) fn way(&self, need: Need, to: usize) -> &[usize] {
        if need.edge == Edge::Implied {
            return &[];
        }
        let from = need.card;
        let between = self.items[to].column - self.items[from].column - 1;
        &self.passages[from][..between]
    }

    fn place(cards: &[Card]) -> Self {
        let mut rank = vec![0; cards.len()];
        let mut nearest = vec![usize::MAX; cards.len()];
        let mut furthest = vec![0; cards.len()];
        for (card, it) in cards.iter().enumerate() {
            rank[card] = it.needs.iter().map(|need| rank[need.card] + 1).max().unwrap_or(0);
            for need in &it.needs {
                nearest[need.card] = nearest[need.card].min(rank[card]);
                if need.edge != Edge::Implied {
                    furthest[need.card] = furthest[need.card].max(rank[card]);
                }
            }
        }
        // What needs nothing stands just before what first needs it.
        for (card, _) in cards.iter().enumerate().filter(|(_, it)| it.needs.is_empty()) {
            rank[card] = if nearest[card] == usize::MAX { 0 } else { nearest[card] - 1 };
        }
        let item =
            |card, column, passage| Item { card, passage, column, y: 0.0, before: Vec::new(), after: Vec::new() };
        let mut items: Vec<Item> = rank.iter().enumerate().map(|(card, column)| item(card, *column, false)).collect();
        let mut passages = vec![Vec::new(); cards.len()];
        for card in 0..cards.len() {
            for column in rank[card] + 1..furthest[card] {
                passages[card].push(items.len());
                items.push(item(card, column, true));
            }
        }
        let mut columns = vec![Vec::new(); rank.iter().max().map_or(0, |it| it + 1)];
        for (number, it) in items.iter().enumerate() {
            columns[it.column].push(number);
        }
        let mut made = Self { items, columns, passages };
        for (to, it) in cards.iter().enumerate() {
            for need in it.needs.iter().filter(|it| it.edge != Edge::Implied) {
                let mut last = need.card;
                for step in made.way(*need, to).to_vec().into_iter().chain([to]) {
                    if !made.items[last].after.contains(&step) {
                        made.items[last].after.push(step);
                        made.items[step].before.push(last);
                    }
                    last = step;
                }
            }
        }
        made
    }

    /// Sorts each column by where its neighbours stand, from left to right and back again.
    fn arrange(&mut self) {
        let mut place = vec![0.0; self.items.len()];
        let note = |column: &[usize], place: &mut [f64]| {
            for (position, item) in column.iter().enumerate() {
                place[*item] = (position as f64 + 0.5) / column.len() as f64;
            }
        };
        self.columns.iter().for_each(|column| note(column, &mut place));
        for sweep in 0..SWEEPS {
            for step in 0..self.columns.len() {
                let column = if sweep % 2 == 0 { step } else { self.columns.len() - 1 - step };
                let items = &self.items;
                let wish = |item: &usize| {
                    let near = if sweep % 2 == 0 { &items[*item].before } else { &items[*item].after };
                    mean(near.iter().map(|it| place[*it])).unwrap_or(place[*item])
                };
                let mut sorted: Vec<(f64, usize)> = self.columns[column].iter().map(|it| (wish(it), *it)).collect();
                sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.columns[column] = sorted.into_iter().map(|(_, it)| it).collect();
                note(&self.columns[column], &mut place);
            }
        }
    }

    /// Gives every item a height near those of its neighbours, with nothing on top of each other.
    fn settle(&mut self, heights: Heights) {
        let height = |item: &Item| if item.passage { heights.passage } else { heights.card };
        for sweep in 0..=SWEEPS {
            for step in 0..self.columns.len() {
                let column = if sweep % 2 == 0 { step } else { self.columns.len() - 1 - step };
                let mut offset = 0.0;
                let mut offsets = Vec::new();
                let mut wishes = Vec::new();
                for (position, item) in self.columns[column].iter().enumerate() {
                    let it = &self.items[*item];
                    if position > 0 {
                        let above = &self.items[self.columns[column][position - 1]];
                        offset += (height(above) + height(it)) / 2.0 + heights.gap;
                    }
                    let near = it.before.iter().chain(&it.after).map(|it| self.items[*it].y);
                    let wish = if sweep == 0 { Some(offset) } else { mean(near) };
                    wishes.push(wish.unwrap_or(it.y) - offset);
                    offsets.push(offset);
                }
                for ((item, y), offset) in self.columns[column].iter().zip(rising(&wishes)).zip(offsets) {
                    self.items[*item].y = y + offset;
                }
            }
        }
        let top = self.items.iter().map(|it| it.y - height(it) / 2.0).fold(f64::INFINITY, f64::min);
        for item in &mut self.items {
            item.y -= top;
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The numbers that never fall and are nearest to the given ones: neighbours that would fall share their mean.
fn rising(values: &[f64]) -> Vec<f64> {
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for value in values {
        blocks.push((*value, 1));
        while let [.., (before, many), (last, few)] = blocks[..]
            && before > last
        {
            let count = many + few;
            blocks.truncate(blocks.len() - 2);
            blocks.push(((before * many as f64 + last * few as f64) / count as f64, count));
        }
    }
    blocks.into_iter().flat_map(|(value, count)| std::iter::repeat_n(value, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::rising;

    #[test]
    fn what_would_fall_shares_its_mean() {
        assert_eq!(rising(&[1.0, 3.0, 2.0, 5.0]), [1.0, 2.5, 2.5, 5.0]);
        assert_eq!(rising(&[3.0, 2.0, 1.0]), [2.0, 2.0, 2.0]);
        assert!(rising(&[]).is_empty());
    }
}
