//! `[environments]` becomes environment cells.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rattler_conda_types::{EnvironmentYaml, MatchSpecOrSubSection};

use super::{Environment, Target, WorkspaceError, error::span, matrix::Grid};
use crate::manifest::{self, DEFAULT_PACK_FORMAT, Manifest, fill};

pub(super) fn load(
    manifest: &Manifest,
    grid: &Grid,
    root: &Path,
    problems: &mut Vec<WorkspaceError>,
) -> Vec<Environment> {
    let mut environments = Vec::new();
    let mut names = BTreeSet::new();
    for written in &manifest.environments {
        let shared = from_files(written, root, problems);
        let test = test_script(written, root, problems);
        let target = target(written, manifest);
        let axes: Vec<String> = written.matrix.iter().map(|it| it.value.clone()).collect();
        for cell in grid.expand(&axes) {
            let name = cell_name(&written.name.value, &axes, &cell);
            if !names.insert(name.clone()) {
                problems.push(WorkspaceError::DuplicateEnvironment { name, at: span(&written.name.span) });
                continue;
            }
            let mut specs: Vec<String> = cell.get("python").map(|value| python_spec(value)).into_iter().collect();
            specs.extend(shared.iter().cloned());
            specs.extend(written.dependencies.iter().map(|it| filled(&it.value, &cell)));
            environments.push(Environment {
                name,
                family: written.name.value.clone(),
                cell,
                specs,
                target: target.clone(),
                test: test.clone(),
                packs: match &written.pack {
                    Some(formats) => formats.iter().map(|it| it.value.clone()).collect(),
                    None => vec![DEFAULT_PACK_FORMAT.to_owned()],
                },
                dest_prefix: written.dest_prefix.as_ref().map(|it| it.value.clone()),
                origin: written.name.span.clone(),
            });
        }
    }
    environments
}

/// `resnet`, `resnet-py311`, `resnet-py311-mpi4py4.0.3`: readable, and safe as a file name.
fn cell_name(family: &str, axes: &[String], cell: &BTreeMap<String, String>) -> String {
    let mut name = family.to_owned();
    for axis in axes {
        let Some(value) = cell.get(axis) else { continue };
        name.push('-');
        if axis == "python" {
            name.push_str("py");
            name.extend(value.chars().filter(char::is_ascii_alphanumeric));
        } else {
            let part = format!("{}{value}", axis.strip_suffix("_version").unwrap_or(axis)).to_lowercase();
            let safe = |it: char| if it.is_ascii_alphanumeric() || "._-".contains(it) { it } else { '_' };
            name.extend(part.chars().map(safe));
        }
    }
    name
}

/// The axis `python` asks for its value's series; a value that is a version expression already is taken as it is.
fn python_spec(value: &str) -> String {
    let plain = value.chars().all(|it| it.is_ascii_digit() || it == '.');
    if plain { format!("python {value}.*") } else { format!("python {value}") }
}

/// Puts the cell's values in the place of `${{ axis }}`. The manifest room has checked that each names an axis.
fn filled(text: &str, cell: &BTreeMap<String, String>) -> String {
    fill(text, |axis| cell.get(axis).map(String::as_str)).unwrap_or_else(|_| text.to_owned())
}

fn test_script(
    written: &manifest::Environment,
    root: &Path,
    problems: &mut Vec<WorkspaceError>,
) -> Option<std::path::PathBuf> {
    let script = written.test.as_ref()?;
    let path = root.join(&script.value);
    if !path.is_file() {
        let (what, path, at) = ("test script", script.value.clone(), span(&script.span));
        problems.push(WorkspaceError::MissingFile { what, path, at });
    }
    Some(path)
}

fn target(written: &manifest::Environment, manifest: &Manifest) -> Option<Target> {
    let name = &written.target.as_ref()?.value;
    targets(manifest).into_iter().find(|it| &it.name == name)
}

/// The targets that a manifest declares, in its order.
pub fn targets(manifest: &Manifest) -> Vec<Target> {
    let text = |it: &manifest::Spanned<String>| it.value.clone();
    let pairs = |list: &[(manifest::Spanned<String>, manifest::Spanned<String>)]| {
        list.iter().map(|(name, version)| (text(name), text(version))).collect()
    };
    let target = |it: &manifest::Target| Target {
        name: text(&it.name),
        platform: it.platform.as_ref().map(text),
        virtual_packages: pairs(&it.virtual_packages),
        libraries: it.libraries.iter().map(text).collect(),
        symbols: pairs(&it.symbols),
    };
    manifest.targets.iter().map(target).collect()
}

/// The dependencies of the conda environment files that an environment is made `from`.
fn from_files(written: &manifest::Environment, root: &Path, problems: &mut Vec<WorkspaceError>) -> Vec<String> {
    let mut specs = Vec::new();
    for file in &written.from {
        let at = span(&file.span);
        let path = root.join(&file.value);
        if !path.is_file() {
            let (what, path) = ("environment file", file.value.clone());
            problems.push(WorkspaceError::MissingFile { what, path, at });
            continue;
        }
        let bad = |why: String| WorkspaceError::BadEnvironmentFile { path: file.value.clone(), why, at };
        match EnvironmentYaml::from_path(&path) {
            Err(error) => problems.push(bad(error.to_string())),
            Ok(yaml) => {
                for dependency in yaml.dependencies {
                    match dependency {
                        MatchSpecOrSubSection::MatchSpec(spec) => specs.push(spec.to_string()),
                        MatchSpecOrSubSection::SubSection(name, _) => {
                            problems.push(bad(format!("its `{name}` section is not supported by this version")));
                        }
                    }
                }
            }
        }
    }
    specs
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{cell_name, filled, python_spec};

    #[test]
    fn cells_are_named_after_their_values() {
        let cell = BTreeMap::from([
            ("python".to_owned(), "3.11".to_owned()),
            ("mpi4py_version".to_owned(), "4.0.3".to_owned()),
            ("blas".to_owned(), "MKL 1".to_owned()),
        ]);
        let axes = ["python".to_owned(), "mpi4py_version".to_owned(), "blas".to_owned()];
        assert_eq!(cell_name("mpi", &axes, &cell), "mpi-py311-mpi4py4.0.3-blasmkl_1");
    }

    #[test]
    fn values_are_put_into_dependencies() {
        let cell = BTreeMap::from([("v".to_owned(), "1.2".to_owned())]);
        assert_eq!(filled("a ${{ v }}.* b${{v}}", &cell), "a 1.2.* b1.2");
        assert_eq!(filled("plain >=1", &cell), "plain >=1");
        assert_eq!(python_spec("3.11"), "python 3.11.*");
        assert_eq!(python_spec(">=3.11"), "python >=3.11");
    }
}
