//! Activation scripts: those that are made of a recipe's settings, and a linter for all that a package brings.
//!
//! Knows nothing of: the manifest, recipes, how a package is built or installed, which shell a user has.

mod compare;
mod driver;
mod error;
mod lint;
mod model;
mod script;
mod session;
mod snapshot;
#[cfg(test)]
mod tests;
mod touched;
mod values;

pub use error::{LintError, Problem};
pub use lint::{LintRequest, lint};
pub use model::Activation;
pub use script::{ACTIVATE, DEACTIVATE, FORM, Scripts, scripts};
