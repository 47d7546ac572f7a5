//! Rendered recipes, kept: rendering is a function of the recipe's text, the axes, the platform, the engine, and
//! the variables of the environment that it asks for.

use std::{fs::Metadata, path::Path};

use rattler_conda_types::Subdir;

use super::{Axes, Recipe, RecipeError, mentioned::still, read};
use crate::base::{Digest, Stamps, Table};

/// The version of rattler-build's library that renders and builds; part of every key that depends on it.
pub const ENGINE: &str = "rattler_build_core 0.2.24";

/// Changes when the form of [`Recipe`] does, so that an older program's lines are not read as ours.
const FORM: &str = "recipes 7";

/// Recipes that were rendered, kept between runs.
#[derive(Debug)]
pub struct Rendered {
    rows: Table,
    /// The digest of the axes and the platform, which all recipes share.
    frame: Digest,
}

impl Rendered {
    /// Reads what is kept in `file`, for recipes over these axes. A file that cannot be read holds nothing.
    pub fn open(file: &Path, axes: &Axes, platform: Subdir) -> Self {
        Self { rows: Table::open(file, FORM), frame: frame(axes, platform) }
    }

    /// Reads a recipe, from what is kept when it was rendered before with the same text and axes. `file` is no link, and
    /// `metadata` is its own.
    ///
    /// # Errors
    /// When the recipe cannot be read, parsed or rendered.
    pub fn read(
        &self,
        (file, metadata): (&Path, &Metadata),
        axes: &Axes,
        platform: Subdir,
        stamps: &Stamps,
    ) -> Result<Recipe, RecipeError> {
        let text = stamps.digest(file, metadata)?;
        let name = self.name(text);
        if let Some(recipe) = self.rows.get(&name).and_then(|it| serde_json::from_str::<Recipe>(&it).ok())
            && still(&recipe.environment)
        {
            return Ok(recipe);
        }
        let recipe = read(file, axes, platform)?;
        // A text that was changed in the meantime is another one.
        if let Ok(value) = serde_json::to_string(&recipe)
            && Digest::of_file(file)? == text
        {
            self.rows.put(&name, value);
        }
        Ok(recipe)
    }

    /// Keeps what was rendered. Those of other axes stay as long as they are not many.
    pub fn save(&self) {
        let (used, unused) = self.rows.counts();
        let keep = unused <= 4 * used.max(64);
        // Only a cache: a disk that is full or read-only costs the next run some time, not this one its result.
        drop(self.rows.save(&|_| keep));
    }

    fn name(&self, text: Digest) -> String {
        format!("{} {text}", self.frame)
    }
}

/// What a rendered recipe depends on besides its text.
fn frame(axes: &Axes, platform: Subdir) -> Digest {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(ENGINE.as_bytes());
    part(platform.as_str().as_bytes());
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
