//! The table without a base channel, in chapters that follow each other.

mod environments;
mod machine;
mod matrix;
mod packages;

use super::row::Row;

/// All rows, in the order in which they are tried.
pub(super) fn all() -> Vec<Row> {
    [packages::rows(), matrix::rows(), environments::rows(), machine::rows()].into_iter().flatten().collect()
}
