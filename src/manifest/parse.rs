//! Text to manifest: each table of the file in turn, then the checks across tables.

use std::collections::BTreeSet;

use toml_edit::Document;

use super::{
    activation::activation,
    axes::check_matrix,
    check::check,
    configuration::not_text,
    error::ManifestError,
    host::{host, modules},
    model::{Axis, Environment, Exclude, Manifest, Matrix, Project, Recipe, Spanned, Target, Zip},
    problems::{Problems, clip},
    read::{Entry, Keys, Reader},
    report::ManifestErrors,
    resources::resources,
};

/// The longest manifest that is read, in bytes.
const LONGEST: usize = 1 << 20;

const ROOT: Keys =
    Keys { known: &["project", "host", "matrix", "recipes", "environments", "targets"], later: &["engines"] };
const PROJECT: Keys = Keys { known: &["name", "channels", "platforms"], later: &[] };
const RECIPE: Keys = Keys { known: &["path", "host-bound", "resources", "modules", "activation"], later: &[] };
const ENVIRONMENT: Keys = Keys {
    known: &["matrix", "from", "dependencies", "target", "test", "pack", "dest-prefix"],
    later: &["pypi-dependencies"],
};
const TARGET: Keys = Keys { known: &["platform", "virtual-packages", "libraries", "symbols"], later: &[] };

/// Reads the bytes of a project.toml. `file_name` only names the file in the report.
///
/// # Errors
/// When they are not UTF-8, or as [`parse`].
pub fn parse_bytes(file_name: &str, bytes: &[u8]) -> Result<Manifest, ManifestErrors> {
    if bytes.len() > LONGEST {
        return Err(too_large(file_name, bytes.len()));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(file_name, text),
        Err(error) => Err(not_text(file_name, error.valid_up_to())),
    }
}

/// The text as TOML, or where it is none.
pub(super) fn document<'a>(file_name: &str, text: &'a str) -> Result<Document<&'a str>, ManifestErrors> {
    Document::parse(text).map_err(|error| {
        let at = error.span().unwrap_or(text.len()..text.len()).into();
        let mut problems = Problems::default();
        problems.push(ManifestError::Syntax { message: clip(error.message()), at });
        ManifestErrors::new(file_name, text, problems)
    })
}

fn too_large(file_name: &str, size: usize) -> ManifestErrors {
    let mut problems = Problems::default();
    problems.push(ManifestError::TooLarge { size, limit: LONGEST });
    ManifestErrors::new(file_name, "", problems)
}

/// Reads the text of a project.toml. `file_name` only names the file in the report.
///
/// # Errors
/// When anything is wrong with the text; the error holds every problem, up to fifty.
pub fn parse(file_name: &str, text: &str) -> Result<Manifest, ManifestErrors> {
    let mut problems = Problems::default();
    if text.len() > LONGEST {
        return Err(too_large(file_name, text.len()));
    }
    let document = document(file_name, text)?;
    if document.as_table().is_empty() {
        problems.push(ManifestError::Empty);
        return Err(ManifestErrors::new(file_name, text, problems));
    }
    match read(&Reader::root(&document), &mut problems) {
        Some(manifest) if problems.list.is_empty() => Ok(manifest),
        _ => Err(ManifestErrors::new(file_name, text, problems)),
    }
}

/// Reads and checks all tables. What could not be read is left out or stands as an empty text, with a problem for it.
fn read(root: &Reader<'_>, problems: &mut Problems) -> Option<Manifest> {
    root.only(&ROOT, problems);
    let project = project(root, problems);
    let host = root.table("host", problems).map(|table| host(&table, problems));
    let (matrix, broken) = root.table("matrix", problems).map(|table| matrix(&table, problems)).unwrap_or_default();
    let recipes = root.tables("recipes", problems);
    let recipes = recipes.into_iter().map(|(name, table)| recipe(name, &table, problems)).collect();
    let environments = root.tables("environments", problems);
    let environments = environments.into_iter().map(|(name, table)| environment(name, &table, problems)).collect();
    let targets = root.tables("targets", problems);
    let targets = targets.into_iter().map(|(name, table)| target(name, &table, problems)).collect();
    let nameless = || Project { name: nothing(), channels: Vec::new(), platforms: Vec::new() };
    let is_there = project.is_some();
    let project = project.unwrap_or_else(nameless);
    let manifest = Manifest { project, host, matrix, recipes, environments, targets };
    check_matrix(&manifest.matrix, &broken, problems);
    check(&manifest, problems);
    is_there.then_some(manifest)
}

/// Stands for a string that was reported as missing or wrong; the checks pass over it.
fn nothing() -> Spanned<String> {
    Spanned { value: String::new(), span: 0..0 }
}

fn project(root: &Reader<'_>, problems: &mut Problems) -> Option<Project> {
    if !root.has("project") {
        root.missing("[project]", "[project]` with `name = \"my-project\"", problems);
    }
    let table = root.table("project", problems)?;
    table.only(&PROJECT, problems);
    if !table.has("name") {
        table.missing("name", "name = \"my-project\"", problems);
    }
    Some(Project {
        name: table.string("name", problems).unwrap_or_else(nothing),
        channels: table.strings("channels", problems).unwrap_or_default(),
        platforms: table.strings("platforms", problems).unwrap_or_default(),
    })
}

/// The matrix, and the axes whose values could not all be read: what depends on their values is not checked.
fn matrix(table: &Reader<'_>, problems: &mut Problems) -> (Matrix, BTreeSet<String>) {
    let mut broken = BTreeSet::new();
    let mut axes = Vec::new();
    for (name, item) in table.entries() {
        if matches!(name.value.as_str(), "zip" | "exclude") {
            continue;
        }
        let before = problems.count();
        let entry = Entry::of(item, name.span.clone());
        let values = table.strings_of(&format!("the axis `{}`", clip(&name.value)), entry, problems);
        if problems.count() > before {
            broken.insert(name.value.clone());
        }
        axes.push(Axis { name, values: values.unwrap_or_default() });
    }
    let help =
        "write the groups as lists in a list, `zip = [[\"a\", \"b\"]]`; no axis can be called `zip` or `exclude`";
    let zip = table.list_of_lists("zip", help, problems);
    let zip = zip.into_iter().map(|(span, axes)| Zip { span, axes }).collect();
    let mut exclude = Vec::new();
    for entry in table.list_of_tables("exclude", problems) {
        let before = problems.count();
        let mut values = Vec::new();
        for (axis, item) in entry.entries() {
            let what = format!("the value of `{}` in `exclude`", clip(&axis.value));
            let value = entry.string_of(&what, Entry::of(item, axis.span.clone()), problems);
            values.extend(value.map(|value| (axis, value)));
        }
        if !values.is_empty() || problems.count() == before {
            exclude.push(Exclude { span: entry.at.clone(), values });
        }
    }
    (Matrix { axes, zip, exclude }, broken)
}

fn recipe(name: Spanned<String>, table: &Reader<'_>, problems: &mut Problems) -> Recipe {
    table.only(&RECIPE, problems);
    if !table.has("path") {
        table.missing("path", &format!("path = \"recipes/{}\"", clip(&name.value)), problems);
    }
    Recipe {
        path: table.string("path", problems).unwrap_or_else(nothing),
        host_bound: table.boolean("host-bound", problems),
        resources: resources(table, problems),
        modules: modules(table, problems),
        activation: activation(table, problems),
        name,
    }
}

fn environment(name: Spanned<String>, table: &Reader<'_>, problems: &mut Problems) -> Environment {
    table.only(&ENVIRONMENT, problems);
    Environment {
        name,
        matrix: table.strings("matrix", problems).unwrap_or_default(),
        from: table.strings("from", problems).unwrap_or_default(),
        dependencies: table.strings("dependencies", problems).unwrap_or_default(),
        target: table.string("target", problems),
        test: table.string("test", problems),
        pack: table.strings("pack", problems),
        dest_prefix: table.string("dest-prefix", problems),
    }
}

fn target(name: Spanned<String>, table: &Reader<'_>, problems: &mut Problems) -> Target {
    table.only(&TARGET, problems);
    Target {
        name,
        platform: table.string("platform", problems),
        virtual_packages: versions(table, "virtual-packages", problems),
        libraries: table.strings("libraries", problems).unwrap_or_default(),
        symbols: versions(table, "symbols", problems),
    }
}

/// A table of names with versions.
fn versions(table: &Reader<'_>, key: &str, problems: &mut Problems) -> Vec<(Spanned<String>, Spanned<String>)> {
    let mut versions = Vec::new();
    if let Some(named) = table.table(key, problems) {
        for (name, item) in named.entries() {
            let what = format!("the version of `{}`", clip(&name.value));
            let version = named.string_of(&what, Entry::of(item, name.span.clone()), problems);
            versions.extend(version.map(|version| (name, version)));
        }
    }
    versions
}
