//! The recipes of this repository, rendered for every variant, and `examples/derecho`, which only its own machine builds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use envbuild::{
    base::Stamps,
    conda,
    manifest::parse,
    recipe::{Axes, Cell, Source, index_file, read},
    workspace::{Options, Workspace, load},
};
use rattler_conda_types::Subdir;

use crate::support::{Project, files_below, repository, skip};

/// Every value that an axis of the recipes knows.
const AXES: &[(&str, &[&str])] = &[
    ("python", &["3.10", "3.11", "3.12"]),
    ("mpi4py_version", &["3.1.6", "4.0.3"]),
    ("jax_version", &["0.4.38"]),
    ("petsc_version", &["3.21.6"]),
    ("petsc_blas", &["generic", "mkl"]),
    ("pytorch_version", &["2.7.0", "2.6.0", "2.5.1"]),
    ("torchvision_version", &["0.22.0", "0.21.0", "0.20.1"]),
    ("torch_wheels", &["None", "../../wheels"]),
    ("cuda_version", &["None", "12.3"]),
    ("cuda_architectures", &["8.0"]),
    ("nccl_network", &["cxi", "efa", "tcp"]),
];

/// How many packages each recipe makes of them.
const VARIANTS: &[(&str, usize)] = &[
    ("h5py", 3),
    ("jax", 3),
    ("jaxlib", 3 * 2),
    ("mpi4jax", 3 * 2),
    ("mpi4py", 3 * 2),
    ("nccl-ofi-plugin", 3),
    ("petsc", 2 * 2),
    ("petsc4py", 3),
    ("pytorch", 3 * 3 * 2 * 2),
    ("torchvision", 3 * 3 * 2 * 2),
];

fn axes() -> Axes {
    let strings = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
    let values = AXES.iter().map(|(name, values)| ((*name).to_owned(), strings(values))).collect();
    Axes { values, zip: vec![strings(&["pytorch_version", "torchvision_version"])] }
}

#[test]
fn every_recipe_renders_for_every_variant_and_has_its_sources_by_hash() {
    let mut counted = Vec::new();
    let folders: BTreeSet<PathBuf> = files_below(&repository().join("recipes"))
        .into_iter()
        .filter(|it| it.ends_with("recipe.yaml"))
        .map(|it| it.parent().unwrap().to_owned())
        .collect();
    for folder in &folders {
        let name = folder.to_string_lossy().into_owned();
        let file = repository().join("recipes").join(folder).join("recipe.yaml");
        let recipe = read(&file, &axes(), Subdir::Linux64).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let declared = |it: &&String| !AXES.iter().any(|(axis, _)| axis == it) && *it != "hash";
        let undeclared: Vec<_> = recipe.variables.iter().filter(declared).collect();
        assert!(undeclared.is_empty(), "{name} reads {undeclared:?}");
        for cell in &recipe.cells {
            check_sources(&name, cell);
        }
        let strings: BTreeSet<_> = recipe.cells.iter().map(|it| (&it.package, &it.version, &it.build_string)).collect();
        assert_eq!(strings.len(), recipe.cells.len(), "{name}: two variants have one build string");
        counted.push((name, recipe.cells.len()));
    }
    assert_eq!(counted, VARIANTS.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>());
}

#[track_caller]
fn check_sources(recipe: &str, cell: &Cell) {
    let mut upstream = 0;
    for source in &cell.sources {
        match source {
            Source::Url { urls, sha256, .. } => {
                assert_eq!(sha256.as_ref().map(String::len), Some(64), "{recipe}: {urls:?}");
                for url in urls {
                    let of_index = index_file(url).unwrap_or_else(|error| panic!("{recipe}: {url}: {error}"));
                    assert!(of_index.is_some() || url.starts_with("https://"), "{recipe}: {url}");
                    assert!(urls_version(cell, url), "{recipe}: {url} is of another version than {}", cell.version);
                }
                upstream += 1;
            }
            Source::Git { url, rev, fixed } => {
                assert!(*fixed && rev.len() == 40, "{recipe}: {url} at {rev}");
                upstream += 1;
            }
            // Its own scripts, and the wheels that a site built.
            Source::Path(path) => {
                assert!(!path.starts_with('/'), "{recipe}: {path} is of one machine");
                upstream += usize::from(path.contains("../../wheels/"));
            }
        }
    }
    assert!(upstream > 0, "{recipe} has no source for {:?}", cell.variant);
}

/// Whether an address names the version of the package. That of nccl has another form upstream, and a second source.
fn urls_version(cell: &Cell, url: &str) -> bool {
    cell.package == "nccl" || url.contains(&cell.version)
}

#[test]
fn every_recipe_has_a_licence_tests_and_no_word_of_the_network() {
    for (name, text) in texts("recipes", "recipe.yaml") {
        for needed in ["\n  license: ", "\n  license_file:", "\ntests:\n", "\n  summary: "] {
            assert!(text.contains(needed), "{name} has no `{}`", needed.trim());
        }
    }
    for (name, text) in texts("recipes", ".sh") {
        for word in ["curl ", "wget ", "git clone", "--download-", "http://", "https://"] {
            assert!(!text.contains(word), "{name} has `{word}`");
        }
        let installs = text.lines().filter(|it| it.contains("pip install")).count();
        assert_eq!(text.matches("--no-index").count(), installs, "{name} lets pip ask an index");
    }
}

#[test]
fn every_script_passes_bash_and_shellcheck() {
    let with_shellcheck = Command::new("shellcheck").arg("--version").output().is_ok();
    if !with_shellcheck {
        skip("shellcheck");
    }
    let scripts: Vec<PathBuf> = ["recipes", "examples"]
        .iter()
        .flat_map(|kind| files_below(&repository().join(kind)).into_iter().map(move |it| Path::new(kind).join(it)))
        .filter(|it| it.extension().is_some_and(|it| it == "sh"))
        // What runs of the examples have left is not theirs.
        .filter(|it| !it.iter().any(|part| part == ".envbuild"))
        .collect();
    assert!(scripts.len() > 15, "{scripts:?}");
    for script in &scripts {
        let mut checks = vec![vec!["bash", "-n"]];
        checks.extend(with_shellcheck.then(|| vec!["shellcheck"]));
        for check in checks {
            let ran = Command::new(check[0]).args(&check[1..]).arg(script).current_dir(repository()).output().unwrap();
            let said = [ran.stdout, ran.stderr].concat();
            assert!(ran.status.success(), "{}\n{}", script.display(), String::from_utf8_lossy(&said));
        }
    }
}

#[test]
fn settings_of_networks_are_the_variables_of_conda() {
    let folder = repository().join("recipes/nccl-ofi-plugin/activation");
    let networks = AXES.iter().find(|(axis, _)| *axis == "nccl_network").unwrap().1;
    for network in networks {
        let text = fs::read_to_string(folder.join(format!("{network}.json"))).unwrap();
        let settings: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
        assert!(settings["FI_PROVIDER"].starts_with(network), "{settings:?}");
        // The scheduler says which GPUs are ours, and the loader's path is the user's.
        for name in ["CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH"] {
            assert!(!settings.contains_key(name), "{network} sets {name}");
        }
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), networks.len());
}

#[test]
fn derecho_has_41_packages_that_are_selected_by_its_name() {
    let workspace = derecho();
    let nccl = workspace.packages.iter().find(|it| it.cell.package == "nccl").unwrap();
    assert!(nccl.cell.build_string.starts_with("cxi_h"), "{}", nccl.cell.build_string);
    let made: Vec<_> = workspace.packages.iter().filter(|it| it.external.is_none()).collect();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut files = BTreeSet::new();
    for package in &made {
        assert!(package.host_bound, "{}", package.id);
        let label = workspace.host.label.as_deref();
        let build = conda::provisional(label, &package.cell.build_string);
        assert!(build.starts_with("derecho_") && build.len() <= 64, "{}: {build}", package.id);
        *names.entry(&package.cell.package).or_default() += 1;
        files.insert((&package.cell.package, &package.cell.version, build));
    }
    assert_eq!(files.len(), 41, "{files:#?}");
    let expected = [
        ("h5py", 3),
        ("jax", 3),
        ("jaxlib", 3),
        ("mpi4jax", 3),
        ("mpi4py", 6),
        ("nccl", 1),
        ("petsc", 1),
        ("petsc4py", 3),
        ("pytorch", 9),
        ("torchvision", 9),
    ];
    assert_eq!(names, BTreeMap::from(expected));
    for environment in &workspace.environments {
        let selects = |it: &String| it.contains(" derecho_*");
        assert!(environment.specs.iter().any(selects), "{}: {:?}", environment.name, environment.specs);
    }
}

/// No module system, no such host and no network is asked by a plan.
#[test]
fn derecho_is_planned_on_any_machine() {
    let project = Project::new();
    for folder in ["recipes", "examples/derecho", "examples/mpi", "examples/parallel"] {
        for file in files_below(&repository().join(folder)) {
            let file = Path::new(folder).join(file);
            if !file.iter().any(|part| ["output", "dist", ".envbuild", "envbuild.lock"].iter().any(|it| part == *it)) {
                project.write(file.to_str().unwrap(), &fs::read_to_string(repository().join(&file)).unwrap());
            }
        }
    }
    let plan = project.run(&["-C", "examples/derecho", "plan"]).success();
    for node in ["build:nccl[", "build:torchvision[", "test:resnet-py310", "pack:jax-py312-jax0.4.38"] {
        assert!(plan.stdout.contains(node), "{node} is not in\n{}", plan.stdout);
    }
}

fn derecho() -> Workspace {
    let root = repository().join("examples/derecho");
    let text = fs::read_to_string(root.join("project.toml")).unwrap();
    let manifest = parse("project.toml", &text).unwrap_or_else(|error| panic!("{error:?}"));
    let place = tempfile::tempdir().unwrap();
    let options = Options {
        root: &root,
        text: ("project.toml", &text),
        overrides: &[],
        base_channels: None,
        rendered: &place.path().join("rendered"),
        stamps: &Stamps::default(),
        machine: Subdir::Linux64,
    };
    load(&manifest, &options).unwrap_or_else(|error| panic!("{error:?}"))
}

/// The files below a folder whose names end so, with their text.
fn texts(folder: &str, ending: &str) -> Vec<(String, String)> {
    let root = repository().join(folder);
    let files = files_below(&root).into_iter().filter(|it| it.to_string_lossy().ends_with(ending));
    files.map(|it| (it.to_string_lossy().into_owned(), fs::read_to_string(root.join(&it)).unwrap())).collect()
}
