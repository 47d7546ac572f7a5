//! rattler-build's renderer, called for one recipe and some axes. The result is the library's own: only this room and
//! `build` may hold it.

use std::path::Path;

use rattler_build::{env_vars::os_vars, script::RuntimeEnv};
use rattler_build_jinja::Variable;
use rattler_build_recipe::{
    RenderConfig, RenderedVariant, parse_recipe, render_recipe, source_code::Source, stage0::Recipe,
};
use rattler_build_types::NormalizedKey;
use rattler_build_variant_config::VariantConfig;
use rattler_conda_types::Subdir;

use super::{Axes, RecipeError};
use crate::base::FsError;

/// Renders a recipe for every combination of the axes that it uses. Outputs come in an order in which they can be
/// built. Skipped outputs are among them: the caller looks at `recipe.build.skip`.
///
/// # Errors
/// When the recipe cannot be read, parsed or rendered; the error draws the place in the recipe.
pub fn render_variants(file: &Path, axes: &Axes, platform: Subdir) -> Result<Vec<RenderedVariant>, RecipeError> {
    let (source, recipe) = parse(file)?;
    render(&source, &recipe, axes, platform)
}

/// Reads and parses a recipe without rendering it.
pub(super) fn parse(file: &Path) -> Result<(Source, Recipe), RecipeError> {
    let source = Source::from_path(file).map_err(|source| FsError::new("read", file, source))?;
    let recipe = parse_recipe(&source).map_err(|error| RecipeError::Parse(Box::new(error)))?;
    Ok((source, recipe))
}

/// Renders a parsed recipe.
pub(super) fn render(
    source: &Source,
    recipe: &Recipe,
    axes: &Axes,
    platform: Subdir,
) -> Result<Vec<RenderedVariant>, RecipeError> {
    let mut config = VariantConfig::new();
    for (name, values) in &axes.values {
        let values = values.iter().map(|value| Variable::from_string(value)).collect();
        config.variants.insert(NormalizedKey::from(name.as_str()), values);
    }
    if !axes.zip.is_empty() {
        let group = |names: &Vec<String>| names.iter().map(|name| NormalizedKey::from(name.as_str())).collect();
        config.zip_keys = Some(axes.zip.iter().map(group).collect());
    }
    let none = Path::new("");
    let environment = os_vars(none, &platform, &platform, &platform, Default::default(), none, &RuntimeEnv::current());
    let options = RenderConfig::new()
        .with_target_platform(platform)
        .with_build_platform(platform)
        .with_host_platform(platform)
        .with_recipe_path(&source.path)
        .with_os_env_var_keys(environment.keys().cloned().collect());
    render_recipe(source, recipe, &config, options).map_err(|error| RecipeError::Render(Box::new(error)))
}
