//! `[recipes]` becomes package cells.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::Metadata,
    path::{Path, PathBuf},
};

use miette::NamedSource;
use rattler_conda_types::Subdir;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::{
    Package, Resources, WorkspaceError,
    error::{shown, span},
    host,
    matrix::Grid,
    model::cell_id,
    sources,
};
use crate::{
    activation::Activation,
    base::{Stamps, fs},
    manifest::{self, Manifest, Spanned, closest},
    recipe::{self, Cell, Recipe, RecipeError, Rendered},
};

/// Variables that every recipe may read: the renderer defines them itself, or has a default for them.
const BUILT_IN: &[&str] = &[
    "target_platform",
    "build_platform",
    "host_platform",
    "channel_targets",
    "channel_sources",
    "unix",
    "linux",
    "osx",
    "win",
    "emscripten",
    "wasi",
    "env",
    "hash",
    "true",
    "false",
    "none",
];

/// The packages of all recipes, and the names that the recipes read.
pub(super) struct Packages {
    pub(super) packages: Vec<Package>,
    pub(super) read: BTreeSet<String>,
}

pub(super) struct Source<'a> {
    pub(super) root: &'a Path,
    pub(super) platform: Subdir,
    pub(super) stamps: &'a Stamps,
}

pub(super) fn load(
    manifest: &Manifest,
    grid: &Grid,
    (source, rendered): (&Source<'_>, &Rendered),
    problems: &mut Vec<WorkspaceError>,
) -> Packages {
    let places = Places::new(manifest, source.root);
    let one = |written: &manifest::Recipe| {
        let at = span(&written.path.span);
        let Some((file, metadata)) = places.recipe(&source.root.join(&written.path.value)) else {
            let (recipe, path) = (written.name.value.clone(), written.path.value.clone());
            return Err(WorkspaceError::NoRecipe { recipe, path, at });
        };
        let bad = |cause: RecipeError| WorkspaceError::BadRecipe { recipe: written.name.value.clone(), at, cause };
        let recipe = rendered.read((&file, &metadata), &grid.axes, source.platform, source.stamps).map_err(bad)?;
        Ok((file, recipe))
    };
    let read: Vec<_> = manifest.recipes.par_iter().map(one).collect();
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    let mut variables = BTreeSet::new();
    for (written, recipe) in manifest.recipes.iter().zip(read) {
        let (file, recipe) = match recipe {
            Ok(read) => read,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        check_variables(written, &recipe, grid, (&file, source.root), problems);
        let is_made = |cell: &Cell| !grid.excludes(&cell.variant);
        let cells = recipe.cells.iter().filter(|it| is_made(it));
        problems.extend(sources::problems(&written.name.value, cells, (&file, source.root)));
        variables.extend(recipe.variables);
        variables.extend(recipe.free);
        let mut made = 0;
        let mut bound = false;
        for cell in recipe.cells {
            variables.extend(cell.variant.keys().cloned());
            if grid.excludes(&cell.variant) {
                continue;
            }
            made += 1;
            let id = cell_id(&cell.package, &cell.variant);
            let host_bound = manifest.host.is_some() && written.host_bound.as_ref().map_or(!cell.noarch, |it| it.value);
            bound |= host_bound;
            let wanted = written.resources.as_ref();
            let package = Package {
                resources: Resources {
                    cpus: wanted.and_then(|it| it.cpus.as_ref()).map(|it| it.value),
                    memory: wanted.and_then(|it| it.memory.as_ref()).map(|it| it.value),
                },
                id: id.clone(),
                recipe: written.name.value.clone(),
                file: file.clone(),
                cell,
                host_bound,
                modules: if host_bound { host::modules(manifest, written) } else { Vec::new() },
                external: None,
                activation: written.activation.as_ref().map(activation).filter(|it| !it.is_empty()),
                origin: written.name.span.clone(),
            };
            match packages.get(&id) {
                // The renderer repeats an output that does not use an axis which its sibling uses.
                Some(first) if first.recipe == package.recipe => made -= 1,
                Some(first) => problems.push(WorkspaceError::DuplicatePackage {
                    id,
                    first: first.recipe.clone(),
                    second: package.recipe,
                    at: span(&written.name.span),
                }),
                None => {
                    packages.insert(id, package);
                }
            }
        }
        if made > 0 && !bound {
            problems.extend(host::modules_in_vain(manifest, written));
        }
        if made == 0 {
            problems.push(WorkspaceError::NothingToBuild {
                recipe: written.name.value.clone(),
                at: span(&written.name.span),
            });
        }
    }
    Packages { packages: packages.into_values().collect(), read: variables }
}

/// `[recipes.NAME.activation]` without its places.
fn activation(written: &manifest::Activation) -> Activation {
    let plain = |list: &[Spanned<String>]| list.iter().map(|it| it.value.clone()).collect::<Vec<String>>();
    let folders = |lists: &[(Spanned<String>, Vec<Spanned<String>>)]| {
        lists.iter().map(|(name, folders)| (name.value.clone(), plain(folders))).collect()
    };
    let mut unset = plain(&written.unset);
    unset.sort();
    Activation {
        set: written.set.iter().map(|(name, value)| (name.value.clone(), value.value.clone())).collect(),
        unset,
        prepend: folders(&written.prepend),
        append: folders(&written.append),
    }
}

/// Where folders really are, whatever links lead to them: the same however the manifest spells it.
struct Places(BTreeMap<PathBuf, PathBuf>);

impl Places {
    /// Recipes usually stand beside each other, so the folder that they are in is resolved once.
    fn new(manifest: &Manifest, root: &Path) -> Self {
        let mut places = BTreeMap::new();
        for written in &manifest.recipes {
            let folder = root.join(&written.path.value);
            if let Some(parent) = folder.parent().filter(|it| !places.contains_key(*it))
                && let Ok(real) = parent.canonicalize()
            {
                places.insert(parent.to_owned(), real);
            }
        }
        Self(places)
    }

    /// The recipe in a folder, if there is one.
    fn recipe(&self, folder: &Path) -> Option<(PathBuf, Metadata)> {
        let file = folder.join("recipe.yaml");
        let real = folder.parent().and_then(|it| self.0.get(it)).zip(folder.file_name());
        if let Some((parent, name)) = real
            && folder.symlink_metadata().is_ok_and(|it| it.is_dir())
            && let Ok(metadata) = file.symlink_metadata()
            && metadata.is_file()
        {
            return Some((parent.join(name).join("recipe.yaml"), metadata));
        }
        let real = file.canonicalize().ok()?;
        let metadata = real.metadata().ok().filter(Metadata::is_file)?;
        Some((real, metadata))
    }
}

fn check_variables(
    written: &manifest::Recipe,
    recipe: &Recipe,
    grid: &Grid,
    (file, root): (&Path, &Path),
    problems: &mut Vec<WorkspaceError>,
) {
    let axes = || grid.axes.values.iter().map(|(name, _)| name.as_str());
    let known = |name: &str| {
        let plain = name.replace('-', "_");
        axes().any(|axis| axis.replace('-', "_") == plain)
            || BUILT_IN.contains(&name)
            || is_compiler_variable(name)
            || is_architecture(name)
    };
    for variable in recipe.variables.iter().filter(|it| !known(it)) {
        let text = fs::read_text(file).unwrap_or_default();
        let range = recipe::find_variable(file, variable).ok().flatten().unwrap_or(0..0);
        let help = match closest(variable, axes()) {
            Some(near) => format!("did you mean `{near}`? Otherwise add `{variable} = [\"…\"]` to [matrix]"),
            None => format!("add `{variable} = [\"…\"]` to [matrix], or define it in the recipe's `context`"),
        };
        problems.push(WorkspaceError::UndeclaredVariable {
            recipe: written.name.value.clone(),
            variable: variable.clone(),
            text: NamedSource::new(shown(file, root), text).with_language("YAML"),
            at: span(&range),
            help,
        });
    }
}

/// What `compiler('c')` and `stdlib('c')` read; rattler-build has defaults for them.
fn is_compiler_variable(name: &str) -> bool {
    ["_compiler", "_compiler_version", "_stdlib", "_stdlib_version"].iter().any(|end| name.ends_with(end))
}

fn is_architecture(name: &str) -> bool {
    ["x86", "x86_64", "aarch64", "arm64", "armv6l", "armv7l", "ppc64le", "s390x", "riscv32", "riscv64"].contains(&name)
}
