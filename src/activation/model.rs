//! What an activation does to variables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What happens to variables when an environment is activated that holds a package. No variable is in it twice. In values
/// and folders, `$CONDA_PREFIX` and `${CONDA_PREFIX}` stand for the environment; every other character stands for itself.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Activation {
    /// Variables and the values that they get.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// Variables that are unset.
    #[serde(default)]
    pub unset: Vec<String>,
    /// Variables that list folders, and those that are put in front, the first of them first.
    #[serde(default)]
    pub prepend: BTreeMap<String, Vec<String>>,
    /// Variables that list folders, and those that are put at the end, in this order.
    #[serde(default)]
    pub append: BTreeMap<String, Vec<String>>,
}

impl Activation {
    /// Whether it does nothing.
    pub fn is_empty(&self) -> bool {
        self.names().next().is_none()
    }

    /// Every variable that it changes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let set = self.set.keys().chain(&self.unset);
        set.chain(self.prepend.keys()).chain(self.append.keys()).map(String::as_str)
    }
}
