//! Rendered recipes, kept: rendering is a function of the recipe's text, the axes, the platform and the engine.

use std::path::Path;

use rattler_conda_types::Subdir;

use super::{Axes, Recipe, RecipeError, read};
use crate::base::{Digest, fs};

/// The version of rattler-build's library that renders and builds; part of every key that depends on it.
pub const ENGINE: &str = "rattler_build_core 0.2.24";

/// Changes when the form of [`Recipe`] does, so that an older program's files are not read as ours.
const FORM: &str = "5";

/// Reads a recipe, from `cache` when it was rendered before with the same text and axes.
///
/// # Errors
/// When the recipe cannot be read, parsed or rendered. A cache that cannot be read or written is no error.
pub fn read_cached(file: &Path, axes: &Axes, platform: Subdir, cache: &Path) -> Result<Recipe, RecipeError> {
    let text = fs::read(file)?;
    let kept = cache.join(format!("{}.json", key(&text, axes, platform)));
    if let Ok(bytes) = fs::read(&kept)
        && let Ok(recipe) = serde_json::from_slice(&bytes)
    {
        return Ok(recipe);
    }
    let recipe = read(file, axes, platform)?;
    if let Ok(bytes) = serde_json::to_vec(&recipe) {
        // Only a cache: a disk that is full or read-only costs the next run some time, not this one its result.
        drop(fs::write_atomic(&kept, &bytes));
    }
    Ok(recipe)
}

fn key(text: &[u8], axes: &Axes, platform: Subdir) -> Digest {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(FORM.as_bytes());
    part(ENGINE.as_bytes());
    part(platform.as_str().as_bytes());
    part(text);
    for (name, values) in &axes.values {
        part(name.as_bytes());
        part(&(values.len() as u64).to_le_bytes());
        values.iter().for_each(|value| part(value.as_bytes()));
    }
    for group in &axes.zip {
        part(b"zip");
        part(&(group.len() as u64).to_le_bytes());
        group.iter().for_each(|name| part(name.as_bytes()));
    }
    hasher.into()
}
