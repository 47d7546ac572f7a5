//! From the renderer's values to ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rattler_build_jinja::Variable;
use rattler_build_recipe::{
    RenderedVariant, Stage1Recipe, stage0,
    stage1::{
        requirements::{Dependency, Requirements, RunExports},
        source::Source as RenderedSource,
    },
};
use rattler_build_types::NormalizedKey;
use rattler_conda_types::Subdir;

use super::{
    Axes, Cell, Recipe, RecipeError, Requirement, Source,
    mentioned::{files, surroundings},
    render::{parse, render},
};

/// Reads a recipe and renders it for every combination of the axes that it uses.
///
/// # Errors
/// When the recipe cannot be read, parsed or rendered.
pub fn read(file: &Path, axes: &Axes, platform: Subdir) -> Result<Recipe, RecipeError> {
    let (source, parsed) = parse(file)?;
    let rendered = render(&source, &parsed, axes, platform)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let environment = surroundings(source.as_ref());
    let one = |it: &RenderedVariant| {
        let mut cell = cell(it, (&rendered, axes), source.as_ref());
        cell.sources.extend(files(&it.recipe, folder));
        cell.environment.clone_from(&environment);
        cell
    };
    let cells = rendered.iter().filter(|it| !it.recipe.build.skip).map(one).collect();
    let defined = defined_by(&parsed);
    let variables = parsed.used_variables().into_iter().filter(|it| !defined.contains(it)).collect();
    let free = parsed.free_specs().iter().map(|it| it.as_normalized().to_owned()).collect();
    Ok(Recipe { cells, variables, free, environment })
}

/// The names that a recipe gives values to in its own `context`.
fn defined_by(recipe: &stage0::Recipe) -> BTreeSet<String> {
    match recipe {
        stage0::Recipe::SingleOutput(single) => single.context.keys().cloned().collect(),
        stage0::Recipe::MultiOutput(multi) => multi.context.keys().cloned().collect(),
    }
}

fn pick(values: &BTreeMap<NormalizedKey, Variable>, axes: &Axes) -> BTreeMap<String, String> {
    let value = |axis: &String| Some((axis.clone(), values.get(&axis.as_str().into())?.to_string()));
    axes.values.iter().filter_map(|(axis, _)| value(axis)).collect()
}

/// The axes that an output uses, with its values: those that it reads, and those of the outputs that it pins exactly.
/// Each of their builds is pinned by a build of its own, although nothing in it reads the axis.
fn used(rendered: &RenderedVariant, all: &[RenderedVariant], axes: &Axes) -> BTreeMap<String, String> {
    let mut picked = pick(&rendered.variant, axes);
    let name = &rendered.recipe.package.name;
    for pin in rendered.pin_subpackages.values().filter(|it| it.exact && &it.name != name) {
        let is_pinned = |it: &&RenderedVariant| {
            it.recipe.package.name == pin.name && it.recipe.build.string.as_resolved() == pin.build_string.as_deref()
        };
        if let Some(pinned) = all.iter().find(is_pinned) {
            picked.extend(used(pinned, all, axes));
        }
    }
    picked
}

fn cell(rendered: &RenderedVariant, (all, axes): (&[RenderedVariant], &Axes), text: &str) -> Cell {
    let recipe = &rendered.recipe;
    let staged = recipe.staging_caches.iter().flat_map(|it| &it.source);
    Cell {
        package: recipe.package.name.as_normalized().to_owned(),
        version: recipe.package.version.to_string(),
        build_string: recipe.build.string.as_resolved().unwrap_or_default().to_owned(),
        noarch: recipe.build.noarch.is_some(),
        variant: used(rendered, all, axes),
        combination: pick(&rendered.full_combination, axes),
        build: with_staging(recipe, text, |requirements| &requirements.build),
        host: with_staging(recipe, text, |requirements| &requirements.host),
        run: requirements(&recipe.requirements.run, text),
        run_exports: exported(&recipe.requirements.run_exports, &[Strength::Weak, Strength::Strong]),
        strong_run_exports: exported(&recipe.requirements.run_exports, &[Strength::Strong]),
        environment_settings: environment_settings(recipe),
        sources: recipe.source.iter().chain(staged).map(source).collect(),
        environment: BTreeMap::new(),
    }
}

/// What besides requirements decides how the environments come out, for an output and the staging outputs it uses.
fn environment_settings(recipe: &Stage1Recipe) -> Vec<String> {
    let staged = recipe.staging_caches.iter().map(|it| (&it.requirements, &it.build));
    let mut settings = BTreeSet::new();
    for (requirements, build) in std::iter::once((&recipe.requirements, &recipe.build)).chain(staged) {
        let ignored = &requirements.ignore_run_exports;
        settings.extend(ignored.by_name.iter().map(|name| format!("ignores exported {}", name.as_normalized())));
        settings.extend(ignored.from_package.iter().map(|name| format!("ignores exports of {}", name.as_normalized())));
        if build.merge_build_and_host_envs {
            settings.insert("build and host are one".to_owned());
        }
        if build.python.version_independent {
            settings.insert("any Python".to_owned());
        }
    }
    settings.into_iter().collect()
}

/// The requirements of an output, and of the staging outputs that it inherits from, which are built with it.
fn with_staging(
    recipe: &Stage1Recipe,
    text: &str,
    list: impl Fn(&Requirements) -> &Vec<Dependency>,
) -> Vec<Requirement> {
    let staged = recipe.staging_caches.iter().map(|it| &it.requirements);
    std::iter::once(&recipe.requirements).chain(staged).flat_map(|it| requirements(list(it), text)).collect()
}

fn requirements(dependencies: &[Dependency], text: &str) -> Vec<Requirement> {
    let one = |dependency: &Dependency| {
        let name = dependency.name()?.as_normalized().to_owned();
        let (spec, exact) = match dependency {
            Dependency::Spec(spec) => (spec.to_string(), false),
            Dependency::PinSubpackage(pin) => (name.clone(), pin.pin_subpackage.args.exact),
            Dependency::PinCompatible(_) => (name.clone(), false),
        };
        Some(Requirement { line: requirement_line(text, &name), name, spec, exact })
    };
    dependencies.iter().filter_map(one).collect()
}

#[derive(Clone, Copy)]
enum Strength {
    Weak,
    Strong,
}

fn exported(exports: &RunExports, strengths: &[Strength]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for strength in strengths {
        let list = match strength {
            Strength::Weak => exports.weak.iter().chain(&exports.noarch),
            Strength::Strong => exports.strong.iter().chain(&[]),
        };
        names.extend(list.filter_map(|it| it.name().map(|name| name.as_normalized().to_owned())));
    }
    names
}

fn source(source: &RenderedSource) -> Source {
    match source {
        RenderedSource::Url(url) => Source::Url {
            urls: url.url.iter().map(ToString::to_string).collect(),
            sha256: url.sha256.map(hex::encode),
            md5: url.md5.map(hex::encode),
        },
        RenderedSource::Path(path) => Source::Path(path.path.to_string_lossy().into_owned()),
        RenderedSource::Git(git) => {
            let rev = git.rev.to_string();
            let is_commit = |it: &str| it.len() >= 40 && it.bytes().all(|byte| byte.is_ascii_hexdigit());
            let fixed = is_commit(&rev) || git.expected_commit.as_deref().is_some_and(is_commit);
            Source::Git { url: git.url.to_string(), rev, fixed }
        }
    }
}

/// The line under some `requirements` that names a package, counted from 1.
fn requirement_line(text: &str, package: &str) -> Option<usize> {
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let item = line.trim_start();
        inside |= item.starts_with("requirements:");
        if inside && (item.starts_with('-') || item.contains('[')) && has_word(item, package) {
            return Some(index + 1);
        }
    }
    None
}

/// Whether a package's name stands in a line on its own, not as a part of another name.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |it: char| it.is_ascii_alphanumeric() || "_-.".contains(it);
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(is_name) && !line[at + word.len()..].starts_with(is_name))
}

/// Where in a recipe's text a variable is first read: the byte range of its name.
///
/// # Errors
/// When the recipe cannot be read or parsed.
pub fn find_variable(file: &Path, variable: &str) -> Result<Option<std::ops::Range<usize>>, RecipeError> {
    let (source, _) = parse(file)?;
    Ok(first_use(source.as_ref(), variable))
}

fn first_use(text: &str, variable: &str) -> Option<std::ops::Range<usize>> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = text.as_bytes();
    let uses = text.match_indices(variable).map(|(at, _)| at..at + variable.len()).filter(|range| {
        let before = range.start.checked_sub(1).map(|at| bytes[at]);
        let after = bytes.get(range.end).copied();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    });
    // A use stands inside `${{ … }}` or in a condition; the same word elsewhere is only text.
    let in_template = |range: &std::ops::Range<usize>| {
        let line_start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let before = &text[line_start..range.start];
        before.rfind("${{") > before.rfind("}}") || before.trim_start().trim_start_matches("- ").starts_with("if:")
    };
    let all: Vec<_> = uses.collect();
    all.iter().find(|range| in_template(range)).or(all.first()).cloned()
}

#[cfg(test)]
mod tests {
    use super::{first_use, requirement_line};

    #[test]
    fn a_requirement_is_found_under_requirements_and_by_its_whole_name() {
        let text = "package:\n  name: a\nrequirements:\n  host:\n    - libb-dev\n    - libb >=1\n";
        assert_eq!(requirement_line(text, "libb"), Some(6));
        assert_eq!(requirement_line(text, "a"), None);
    }

    #[test]
    fn a_use_in_a_template_is_preferred_to_the_same_word_in_a_comment() {
        let text = "# flavour\nname: x\nversion: ${{ flavour }}\n";
        assert_eq!(first_use(text, "flavour").map(|it| &text[it.start - 4..it.end]), Some("${{ flavour"));
        assert_eq!(first_use(text, "flavo"), None);
    }
}
