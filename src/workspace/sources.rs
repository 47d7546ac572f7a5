//! The sources that name no host, held against what can be asked for. What is wrong with them shows in the recipe.

use std::{collections::BTreeSet, ops::Range, path::Path};

use miette::NamedSource;

use super::{
    WorkspaceError,
    error::{shown, span},
};
use crate::{
    base::fs,
    recipe::{Cell, MirrorError, Source, index_file},
};

/// What is wrong with the sources of a recipe's cells, each address once.
pub(super) fn problems<'a>(
    recipe: &str,
    cells: impl Iterator<Item = &'a Cell>,
    (file, root): (&Path, &Path),
) -> Vec<WorkspaceError> {
    let mut told = BTreeSet::new();
    let mut problems = Vec::new();
    for source in cells.flat_map(|it| &it.sources) {
        let Source::Url { urls, sha256, .. } = source else { continue };
        for url in urls {
            let Some((why, help)) = problem(url, sha256.is_some()) else { continue };
            if !told.insert((url, why.clone())) {
                continue;
            }
            let text = fs::read_text(file).unwrap_or_default();
            let at = span(&place(&text, url));
            let text = NamedSource::new(shown(file, root), text).with_language("YAML");
            problems.push(WorkspaceError::BadSource {
                recipe: recipe.to_owned(),
                url: url.clone(),
                why,
                text,
                at,
                help,
            });
        }
    }
    problems
}

/// What is wrong with an address, and what to do.
fn problem(url: &str, has_sha256: bool) -> Option<(String, String)> {
    let told = |error: MirrorError| (error.to_string(), error.help());
    match index_file(url) {
        Ok(Some(_)) if !has_sha256 => Some((
            "it has no `sha256`, and nobody could tell which file an index gave".to_owned(),
            "add `sha256: …` below its url, with the digest that the index shows for the file".to_owned(),
        )),
        Ok(_) => None,
        Err(error) => Some(told(error)),
    }
}

/// Where an address stands in a recipe. Parts of it may be written as variables there, so what begins like it for the
/// longest counts.
fn place(text: &str, url: &str) -> Range<usize> {
    let alike = |at: usize| text[at..].bytes().zip(url.bytes()).take_while(|(a, b)| a == b).count();
    let starts = text.match_indices("mirror:").map(|(at, _)| at);
    // Of equals, the first.
    let best = starts.min_by_key(|at| std::cmp::Reverse(alike(*at)));
    best.map_or(0..0, |at| {
        let end = text[at..].find(['\n', '"', '\'', '#']).map_or(text.len(), |length| at + length);
        at..at + text[at..end].trim_end().len()
    })
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn the_address_that_is_most_alike_is_shown() {
        let text = "source:\n  - url: mirror://pypi/a/a-${{ v }}.zip\n  - url: \"mirror://pypi/b/b-${{ v }}.zip\"\n";
        assert_eq!(&text[place(text, "mirror://pypi/b/b-1.zip")], "mirror://pypi/b/b-${{ v }}.zip");
        assert_eq!(&text[place(text, "mirror://pypi/a/a-1.zip")], "mirror://pypi/a/a-${{ v }}.zip");
        assert_eq!(place("url: ${{ where }}", "mirror://pypi/a/a-1.zip"), 0..0);
    }
}
