//! One function for each rule about a source file.

use super::{
    code::{Source, is_word, path_separator, words},
    tables::{LAYERS, LIBRARIES, UNDER_WRAPPERS, WORDS, WRAPPERS},
};

/// The longest file, tests not counted.
const LONGEST: usize = 450;

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|it| it.contains(&room))
}

/// A room names only rooms of lower layers.
pub(super) fn walls(source: &Source) -> Vec<String> {
    let room = source.room();
    let Some(own) = layer(room) else {
        return vec![format!("{}: no layer is given for `{room}` in tests/it/tidy/tables.rs", source.at(0))];
    };
    let forbidden = |name: &str| {
        let Some(other) = layer(name).filter(|_| name != room) else { return false };
        // A test may go there and back: what one room writes, its neighbour reads.
        let neighbours = source.is_test && other == own;
        !neighbours && (other >= own || (WRAPPERS.contains(&room) && !UNDER_WRAPPERS.contains(&name)))
    };
    let named = source.below_crate().into_iter().filter(|(_, name)| forbidden(name));
    let mut complaints: Vec<(usize, String)> =
        named.map(|(at, name)| (at, format!("{}: {room} may not name {name}", source.at(at)))).collect();
    let climbed = source.climbs().into_iter().filter(|(_, name)| layer(name).is_some());
    complaints.extend(climbed.map(|(at, name)| {
        let place = source.at(at);
        (at, format!("{place}: write `crate::{name}`: a path that climbs out of its room is not seen by the walls"))
    }));
    complaints.sort();
    complaints.into_iter().map(|(_, text)| text).collect()
}

/// No import ends in a star.
pub(super) fn stars(source: &Source) -> Vec<String> {
    let stars = source.code.match_indices("::*").map(|(at, _)| at);
    stars.map(|at| format!("{}: name what you import: a star is not seen by the walls", source.at(at))).collect()
}

/// Libraries and words stay where the tables put them.
pub(super) fn libraries(source: &Source) -> Vec<String> {
    let code = source.product();
    let mut complaints = Vec::new();
    let may = |allowed: &[&str]| allowed.iter().any(|it| source.path.starts_with(it));
    for (name, allowed) in LIBRARIES.iter().filter(|(_, allowed)| !may(allowed)) {
        let named = words(code, name).into_iter().find(|at| begins_path(code, *at) && is_path(code, at + name.len()));
        complaints.extend(named.map(|at| (at, *name, *allowed)));
    }
    for (word, allowed) in WORDS.iter().filter(|(_, allowed)| !may(allowed)) {
        complaints.extend(words(code, word).first().map(|at| (*at, *word, *allowed)));
    }
    complaints.sort();
    // One complaint for each line is enough.
    let mut told: Vec<String> = Vec::new();
    let mut lines = Vec::new();
    for (at, name, allowed) in complaints {
        if !lines.contains(&source.at(at)) {
            lines.push(source.at(at));
            let who = if allowed.is_empty() { "nobody".to_owned() } else { format!("only {}", allowed.join(", ")) };
            told.push(format!("{}: {who} may name {name}", source.at(at)));
        }
    }
    told
}

/// Whether a name at this place is the first of its path.
fn begins_path(code: &str, at: usize) -> bool {
    let before = code[..at].trim_end();
    !before.ends_with("::") && !before.ends_with('.')
}

/// Whether a path goes on here, or an import ends.
fn is_path(code: &str, at: usize) -> bool {
    path_separator(code, at).is_some() || (code[at..].starts_with(';') && !code[..at].ends_with(|it| !is_word(it)))
}

/// Files are short; a folder's `mod.rs` says what it is and what it does not know.
pub(super) fn shape(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines = source.product().matches('\n').count();
    if lines > LONGEST {
        let place = format!("{}:{lines}", source.path);
        complaints.push(format!("{place}: a file has at most {LONGEST} lines: this is more than one subject"));
    }
    if !source.text.trim_start().starts_with("//!") && !source.is_test && lines <= LONGEST {
        complaints.push(format!("{}: a file begins with what it is: `//! …`", source.at(0)));
    }
    let is_door = source.path.ends_with("/mod.rs") && source.path.matches('/').count() == 1;
    let head: Vec<&str> = source.text.lines().take_while(|it| it.starts_with("//!")).collect();
    if is_door && !head.join(" ").contains("nows nothing") {
        let place = source.at(0);
        complaints.push(format!("{place}: a door says what is behind it does not know: `Knows nothing of: …`"));
    }
    complaints
}

/// Nothing is left for later.
pub(super) fn leftovers(source: &Source) -> Vec<String> {
    let marks = [("todo", "!"), ("unimplemented", "!"), ("dbg", "!"), ("#[ignore", ""), ("#[should_panic", "")];
    let found = marks.iter().flat_map(|(word, end)| {
        let word = format!("{word}{end}");
        let places = words(&source.code, &word);
        places.into_iter().map(move |at| format!("{}: `{word}` is left", source.at(at))).collect::<Vec<_>>()
    });
    found.collect()
}
