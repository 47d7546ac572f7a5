//! Named inputs, and the key that is made of them. The list that is hashed is the list that is shown: `why` prints the
//! very values that were compared.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::base::Digest;

/// Changes when the meaning of an input does. 1: first.
const SCHEMA: u32 = 1;

/// The key of a node: equal keys mean equal inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Digest);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Everything that a node reads, by name, in a fixed order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inputs(BTreeMap<String, String>);

impl Inputs {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one input. Names are unique within a node.
    pub fn add(&mut self, name: impl Into<String>, value: impl ToString) {
        let replaced = self.0.insert(name.into(), value.to_string());
        debug_assert!(replaced.is_none(), "an input is named once");
    }

    /// Adds several.
    pub(super) fn extend(&mut self, more: &BTreeMap<String, String>) {
        for (name, value) in more {
            self.add(name, value);
        }
    }

    /// Name and value of every input, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of one input.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The key: every name and value with its length before it, so that no two lists run into each other.
    pub fn key(&self) -> Key {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"envbuild inputs");
        hasher.update(&SCHEMA.to_le_bytes());
        for (name, value) in self.iter() {
            for part in [name, value] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
        }
        Key(hasher.into())
    }
}

#[cfg(test)]
mod tests {
    use super::Inputs;

    fn inputs(pairs: &[(&str, &str)]) -> Inputs {
        let mut inputs = Inputs::new();
        for (name, value) in pairs {
            inputs.add(*name, value);
        }
        inputs
    }

    #[test]
    fn the_order_of_adding_does_not_matter() {
        assert_eq!(inputs(&[("a", "1"), ("b", "2")]).key(), inputs(&[("b", "2"), ("a", "1")]).key());
    }

    #[test]
    fn names_and_values_do_not_run_into_each_other() {
        assert_ne!(inputs(&[("ab", "c")]).key(), inputs(&[("a", "bc")]).key());
        assert_ne!(inputs(&[("a", "b"), ("c", "d")]).key(), inputs(&[("a", "bc"), ("", "d")]).key());
    }

    #[test]
    fn a_key_changes_only_with_its_schema() {
        // A new value here needs a new number in SCHEMA: people's records are full of these keys.
        let key = inputs(&[("platform", "linux-64"), ("variant/python", "3.11")]).key();
        assert!(key.to_string().starts_with("f7ab2dfba3"), "{key}");
    }
}
