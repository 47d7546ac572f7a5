//! The collector that every step of reading writes its problems into.

use super::{error::ManifestError, suggest::closest};

/// Problems that a report shows at most: a file with more is not a manifest with slips, and nobody reads on.
pub(super) const MOST: usize = 50;

/// Problems in the order found; beyond [`MOST`] they are only counted.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub(super) list: Vec<ManifestError>,
    pub(super) untold: usize,
}

impl Problems {
    pub(super) fn push(&mut self, problem: ManifestError) {
        if self.is_full() { self.untold += 1 } else { self.list.push(problem) }
    }

    /// How many were found so far, told or not.
    pub(super) fn count(&self) -> usize {
        self.list.len() + self.untold
    }

    fn is_full(&self) -> bool {
        self.list.len() >= MOST
    }

    /// The help for a name that is not known: the one that was meant, or all there are, or `none` when there are none.
    /// A full collector gives no help, because measuring thousands of names against each other takes minutes.
    pub(super) fn help<'a>(
        &self,
        word: &str,
        what: &str,
        known: impl Iterator<Item = &'a str> + Clone,
        none: &str,
    ) -> String {
        if self.is_full() {
            String::new()
        } else if let Some(meant) = closest(word, known.clone()) {
            format!("did you mean `{meant}`?")
        } else if known.clone().next().is_none() {
            none.to_owned()
        } else {
            format!("{what}: {}", listed(known))
        }
    }
}

/// Names in backticks with commas, at most twelve of them.
pub(super) fn listed<'a>(mut names: impl Iterator<Item = &'a str> + Clone) -> String {
    const SHOWN: usize = 12;
    let mut shown: Vec<String> = names.clone().take(SHOWN).map(|name| format!("`{}`", clip(name))).collect();
    if names.nth(SHOWN).is_some() {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

/// The text as it may stand in a message: one line of at most 80 characters.
pub(super) fn clip(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut clipped: String = text.chars().take(LONGEST).map(|c| if c.is_control() { '·' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        clipped.push('…');
    }
    clipped
}
