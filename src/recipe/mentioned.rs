//! What a recipe reads besides its own text and its sources: patches, build scripts, variables of the environment.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rattler_build::script::ScriptContent;
use rattler_build_recipe::Stage1Recipe;

use super::Source;

/// Variables of the environment, with their values; none for one that is not set.
pub(super) type Surroundings = BTreeMap<String, Option<String>>;

/// The patches of a recipe's sources and the file that holds its script, as it names them. `folder` is the recipe's.
pub(super) fn files(recipe: &Stage1Recipe, folder: &Path) -> Vec<Source> {
    let staged = recipe.staging_caches.iter();
    let sources = recipe.source.iter().chain(staged.clone().flat_map(|it| &it.source));
    // A patch that the source brings with it lies at a place that only the build knows; it counts with the source.
    let patches = sources.flat_map(|it| it.patches()).filter(|it| !it.is_late_bound()).map(ToString::to_string);
    let builds = std::iter::once(&recipe.build).chain(staged.map(|it| &it.build));
    let scripts = builds.filter_map(|it| script(&it.plan.script()?.content, folder));
    patches.chain(scripts).map(Source::Path).collect()
}

/// The file of a script. A name without its extension is found, as it is when the script is run.
fn script(content: &ScriptContent, folder: &Path) -> Option<String> {
    let name = match content {
        ScriptContent::Path(path) => path.to_str()?,
        ScriptContent::CommandOrPath(text) if !text.contains('\n') => text,
        _ => return None,
    };
    [name.to_owned(), format!("{name}.sh")].into_iter().find(|it| folder.join(it).is_file())
}

/// The variables of the environment that a recipe's text asks for, as they are now.
pub(super) fn surroundings(text: &str) -> Surroundings {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices("env") {
        if let Some(name) = asked_for(&text[at + "env".len()..]) {
            names.insert(name.to_owned());
        }
    }
    names.into_iter().map(|name| (name.clone(), value(&name))).collect()
}

/// Whether the variables still have these values.
pub(super) fn still(surroundings: &Surroundings) -> bool {
    surroundings.iter().all(|(name, then)| value(name) == *then)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the recipe's renderer asks the process itself, and the answer must be its own"
)]
fn value(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The name in `.get("NAME"…` or `.exists("NAME"…`.
fn asked_for(text: &str) -> Option<&str> {
    let call = text.trim_start().strip_prefix('.')?.trim_start();
    let call = call.strip_prefix("get").or_else(|| call.strip_prefix("exists"))?;
    let argument = call.trim_start().strip_prefix('(')?.trim_start().trim_start_matches('\\');
    let quote = argument.chars().next().filter(|it| matches!(it, '"' | '\''))?;
    let name = argument[1..].split(quote).next()?.trim_end_matches('\\');
    // Nothing else is a name that the system knows.
    (!name.is_empty() && !name.contains(['=', '\0'])).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::surroundings;

    #[test]
    fn the_variables_that_a_text_asks_for_are_found() {
        let text =
            "a: ${{ env.get(\"A_1\", default='x') }}\nb: \"${{ env.exists( \\\"B\\\" ) }}\"\nenv:\n  C: env.get(D)";
        assert_eq!(surroundings(text).into_keys().collect::<Vec<_>>(), ["A_1", "B"]);
    }
}
