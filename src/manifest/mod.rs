//! The text of a project.toml, read into what was written: every value with its place, every problem in one report.
//!
//! Knows nothing of: files, recipes, what the words mean, where anything is built.

mod activation;
mod axes;
mod check;
mod configuration;
mod error;
mod host;
mod model;
mod names;
#[cfg(test)]
mod noise;
mod packs;
mod parse;
mod problems;
mod read;
mod report;
mod resources;
mod suggest;
mod template;
#[cfg(test)]
mod tests;

pub use configuration::{UserConfiguration, parse_configuration};
pub use error::ManifestError;
pub use model::{
    Activation, Axis, Environment, Exclude, External, ExternalVersion, Fact, Host, Manifest, Matrix, Modules, Project,
    Recipe, Resources, RpathKind, Spanned, Target, Zip,
};
pub use packs::{DEFAULT_PACK_FORMAT, PACK_FORMATS, is_dest_prefix};
pub use parse::{parse, parse_bytes};
pub use report::ManifestErrors;
pub use resources::bytes;
pub use suggest::closest;
pub use template::{TemplateError, fill};
