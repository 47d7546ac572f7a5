//! rattler-build's recipe.yaml (schema v1), read and rendered over the matrix.
//!
//! Knows nothing of: the manifest, the graph, where packages are built.

mod cache;
mod cell;
mod error;
mod mentioned;
mod mirror;
mod read;
mod render;

pub use cache::{ENGINE, Rendered};
pub use cell::{Cell, Recipe, Requirement, Source};
pub use error::RecipeError;
pub use mirror::{IndexFile, MirrorError, index_file};
pub use read::{find_variable, read};
pub use render::render_variants;

/// The matrix as a renderer sees it: axes with their values, and the groups that advance together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Axes {
    /// Axis name and its values, in the manifest's order.
    pub values: Vec<(String, Vec<String>)>,
    /// Names of axes that are zipped instead of multiplied.
    pub zip: Vec<Vec<String>>,
}
