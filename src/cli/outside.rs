//! What is written does not lie in what is read.

use std::path::Path;

use super::project::UsageError;

/// Fails when something would be written into the environment that is read: the next archive or copy would hold it.
pub(super) fn require_outside(prefix: &Path, goal: &Path) -> Result<(), UsageError> {
    let Ok(prefix) = prefix.canonicalize() else { return Ok(()) };
    let goal = std::path::absolute(goal).unwrap_or_else(|_| goal.to_owned());
    let there = goal.ancestors().find_map(|it| it.canonicalize().ok());
    match there {
        Some(there) if there.starts_with(&prefix) => Err(UsageError::Inside(goal)),
        _ => Ok(()),
    }
}
