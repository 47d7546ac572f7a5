//! Pictures of made-up graphs.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::Strategy, prop_assert, proptest};
use quick_xml::{Reader, events::Event};

use super::{
    Card, Edge, Need, dot,
    layout::{CARD, layout},
    svg,
};
use crate::exec::State;

/// Cards where each number names one that is needed and comes before.
fn cards(needs: &[Vec<usize>]) -> Vec<Card> {
    let card = |(number, needs): (usize, &Vec<usize>)| Card {
        id: format!("build:n{number}"),
        state: [State::Fresh, State::Dirty, State::Maybe][number % 3],
        note: "dirty: never done".to_owned(),
        needs: needs.iter().map(|it| Need { card: *it, edge: edge(*it) }).collect(),
    };
    needs.iter().enumerate().map(card).collect()
}

/// Some of each kind.
fn edge(need: usize) -> Edge {
    [Edge::Input, Edge::Order, Edge::Implied][need % 3]
}

/// Graphs where each node needs some of those before it.
fn graphs() -> impl Strategy<Value = Vec<Vec<usize>>> {
    vec(vec(0..10_000_usize, 0..4), 1..200).prop_map(|rows| {
        let pick = |(number, picks): (usize, Vec<usize>)| {
            let picks: BTreeSet<usize> = picks.into_iter().filter_map(|it| it.checked_rem(number)).collect();
            picks.into_iter().collect()
        };
        rows.into_iter().enumerate().map(pick).collect()
    })
}

/// The titles of an SVG, which has to be well-formed.
fn titles(svg: &str) -> Vec<String> {
    let mut reader = Reader::from_str(svg);
    let mut titles = Vec::new();
    let mut open = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                start.attributes().for_each(|it| drop(it.unwrap()));
                open.push(start.name().as_ref().to_owned());
                if open.last().is_some_and(|it| it == "title") {
                    titles.push(String::new());
                }
            }
            Event::End(_) => drop(open.pop()),
            Event::Text(text) if open.last().is_some_and(|it| it == "title") => {
                titles.last_mut().unwrap().push_str(&text);
            }
            Event::GeneralRef(name) if open.last().is_some_and(|it| it == "title") => {
                titles.last_mut().unwrap().push_str(quick_xml::escape::resolve_predefined_entity(&name).unwrap());
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(open.is_empty());
    titles
}

proptest! {
    #[test]
    fn every_node_and_every_edge_is_drawn_and_no_card_lies_on_another(needs in graphs()) {
        let cards = cards(&needs);
        let picture = layout(&cards);
        for (number, place) in picture.places.iter().enumerate() {
            prop_assert!(place.x + place.width <= picture.size.0 && place.y + CARD / 2.0 <= picture.size.1);
            for other in &picture.places[number + 1..] {
                let apart = (place.y - other.y).abs() >= CARD || place.x + place.width < other.x || other.x + other.width < place.x;
                prop_assert!(apart, "{:?} lies on {:?}", place, other);
            }
        }
        for way in &picture.ways {
            // Time runs to the right.
            prop_assert!(way.points.windows(2).all(|it| it[0].0 <= it[1].0), "{:?}", way);
        }
        let text = svg(&cards);
        let drawn: BTreeSet<String> = titles(&text).into_iter().collect();
        for (number, needs) in needs.iter().enumerate() {
            let node = format!("build:n{number}\ndirty: never done");
            prop_assert!(drawn.contains(&node));
            for need in needs {
                let edge = format!("build:n{need} → build:n{number} ({})", edge(*need).word());
                prop_assert!(drawn.contains(&edge));
            }
        }
        prop_assert!(text == svg(&cards), "the same graph gives another picture");
    }
}

#[test]
fn a_text_cannot_leave_its_place() {
    let mut cards = cards(&[vec![], vec![0]]);
    cards[0].id = "build:a[x=<b> & \"c\" \\ \u{1}]".to_owned();
    cards[0].note = "dirty: variant/x</title><script> changed\n".to_owned();
    let titles = titles(&svg(&cards));
    assert!(
        titles.contains(&"build:a[x=<b> & \"c\" \\ \u{fffd}]\ndirty: variant/x</title><script> changed\n".to_owned())
    );
    let text = dot(&cards);
    assert!(text.contains(r#"label="build:a[x=<b> & \"c\" \\ "#), "{text}");
    // Outside of what is escaped, every quote has its partner.
    for line in text.lines() {
        let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
        assert!(quotes % 2 == 0, "{line}");
    }
    assert!(text.contains("n0 -> n1"));
}
