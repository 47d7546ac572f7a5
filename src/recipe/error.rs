//! What can be wrong with a recipe.

use std::path::PathBuf;

use miette::Diagnostic;
use rattler_build_recipe::{ParseErrorWithSource, RenderErrorWithSource, source_code::Source};

use crate::base::FsError;

/// A recipe that cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum RecipeError {
    /// The folder holds no recipe.
    #[error("the recipe folder `{}` holds no `recipe.yaml`", .0.display())]
    #[diagnostic(code(envbuild::recipe::missing))]
    Missing(PathBuf),
    /// The recipe is not what rattler-build's schema asks for.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Parse(Box<ParseErrorWithSource<Source>>),
    /// The recipe cannot be rendered for some variant.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Render(Box<RenderErrorWithSource<Source>>),
    /// A file could not be read.
    #[error(transparent)]
    #[diagnostic(code(envbuild::recipe::file), forward(0))]
    File(#[from] FsError),
}
