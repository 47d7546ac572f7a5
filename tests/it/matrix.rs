//! How the matrix multiplies packages and environments, and which cell needs which.

use std::fs;

use crate::support::{Plan, Project};

/// A noarch recipe whose script, requirements and version are given.
fn recipe(name: &str, version: &str, reads: &str, requirements: &str) -> String {
    format!(
        "package:\n  name: {name}\n  version: {version}\nbuild:\n  noarch: generic\n  script:\n    - echo {reads} > \
         $PREFIX/{name}.txt\nrequirements:\n{requirements}"
    )
}

const PYTHONS: &str = "\
[project]
name = \"matrix\"
channels = []

[matrix]
py = [\"3.10\", \"3.11\", \"3.12\"]
mpi4py_version = [\"3.1.6\", \"4.0.3\"]
exclude = [{ py = \"3.12\", mpi4py_version = \"3.1.6\" }]

[recipes.snake]
path = \"recipes/snake\"
[recipes.mpi4py]
path = \"recipes/mpi4py\"
[recipes.tools]
path = \"recipes/tools\"

[environments.each]
matrix = [\"py\"]
dependencies = [\"snake ${{ py }}.*\", \"tools\"]
[environments.mpi]
matrix = [\"py\", \"mpi4py_version\"]
dependencies = [\"snake ${{ py }}.*\", \"mpi4py ${{ mpi4py_version }}\"]
";

fn pythons() -> Project {
    let host = "  host:\n    - snake ${{ py }}.*\n  run:\n    - snake ${{ py }}.*\n";
    Project::new()
        .manifest(PYTHONS)
        .recipe("snake", &recipe("snake", "${{ py }}.0", "snake", "  run: []\n"))
        .recipe("mpi4py", &recipe("mpi4py", "${{ mpi4py_version }}", "mpi", host))
        .recipe("tools", &recipe("tools", "1.0.0", "tools", "  run: []\n"))
}

fn builds(plan: &Plan) -> Vec<String> {
    let mut builds = plan.of_kind("build");
    builds.sort();
    builds
}

#[test]
fn only_axes_that_a_recipe_uses_multiply_it_and_exclusions_leave_cells_out() {
    let project = pythons();
    let plan = project.plan(&[]);
    let expected = [
        "mpi4py[mpi4py_version=3.1.6,py=3.10]",
        "mpi4py[mpi4py_version=3.1.6,py=3.11]",
        "mpi4py[mpi4py_version=4.0.3,py=3.10]",
        "mpi4py[mpi4py_version=4.0.3,py=3.11]",
        "mpi4py[mpi4py_version=4.0.3,py=3.12]",
        "snake[py=3.10]",
        "snake[py=3.11]",
        "snake[py=3.12]",
        "tools",
    ];
    assert_eq!(builds(&plan), expected);
    let locks = plan.of_kind("lock");
    let expected = [
        "each-py3.10",
        "each-py3.11",
        "each-py3.12",
        "mpi-py3.10-mpi4py3.1.6",
        "mpi-py3.10-mpi4py4.0.3",
        "mpi-py3.11-mpi4py3.1.6",
        "mpi-py3.11-mpi4py4.0.3",
        "mpi-py3.12-mpi4py4.0.3",
    ];
    assert_eq!(locks, expected);
}

#[test]
fn a_cell_feeds_only_what_uses_its_values() {
    let plan = pythons().plan(&[]);
    assert_eq!(plan.needs("build:mpi4py[mpi4py_version=4.0.3,py=3.11]"), ["build:snake[py=3.11]"]);
    let mut needs = plan.needs("lock:mpi-py3.11-mpi4py3.1.6");
    needs.sort();
    assert_eq!(needs, ["build:mpi4py[mpi4py_version=3.1.6,py=3.11]", "build:snake[py=3.11]"]);
    let mut needs = plan.needs("lock:each-py3.12");
    needs.sort();
    assert_eq!(needs, ["build:snake[py=3.12]", "build:tools"]);
    assert_eq!(plan.needs("install:each-py3.12"), ["lock:each-py3.12"]);
}

#[test]
fn a_new_value_builds_only_its_own_cells() {
    let project = pythons();
    project.run(&["all"]).success();
    project.edit("project.toml", "\"3.10\", ", "");
    let report = project.report(&["all"]);
    assert_eq!((report.count("built"), report.count("failed")), (0, 0), "fewer values build nothing");
    project.edit("project.toml", "\"3.12\"]", "\"3.12\", \"3.13\"]");
    let report = project.report(&["build"]);
    let expected = [
        "build:mpi4py[mpi4py_version=3.1.6,py=3.13]",
        "build:mpi4py[mpi4py_version=4.0.3,py=3.13]",
        "build:snake[py=3.13]",
    ];
    assert_eq!(report.sorted("built"), expected);
}

#[test]
fn goals_narrow_the_plan() {
    let project = pythons();
    assert_eq!(builds(&project.plan(&["tools"])), ["tools"]);
    let plan = project.plan(&["each", "py=3.11"]);
    assert_eq!(builds(&plan), ["snake[py=3.11]", "tools"]);
    let plan = project.plan(&["lock:mpi-py3.10-mpi4py3.1.6"]);
    assert_eq!(plan.ids().len(), 3);
    let plan = project.plan(&["mpi4py", "py=3.9,3.11", "mpi4py_version=4.1.0"]);
    let expected = [
        "mpi4py[mpi4py_version=4.1.0,py=3.11]",
        "mpi4py[mpi4py_version=4.1.0,py=3.9]",
        "snake[py=3.11]",
        "snake[py=3.9]",
    ];
    assert_eq!(builds(&plan), expected);
}

#[test]
fn zipped_axes_advance_together() {
    let manifest = "[project]\nname = \"zip\"\nchannels = []\n[matrix]\ntorch = [\"2.7.0\", \"2.6.0\"]\nvision = [\"0.22.0\", \
                    \"0.21.0\"]\nblas = [\"a\", \"b\"]\nzip = [[\"torch\", \"vision\"]]\n[recipes.torch]\npath = \
                    \"recipes/torch\"\n[recipes.vision]\npath = \"recipes/vision\"\n[environments.env]\nmatrix = [\"torch\", \
                    \"vision\"]\ndependencies = [\"vision ${{ vision }}\"]\n";
    let project = Project::new()
        .manifest(manifest)
        .recipe("torch", &recipe("torch", "${{ torch }}", "${{ blas }}", "  run: []\n"))
        .recipe("vision", &recipe("vision", "${{ vision }}", "v", "  run:\n    - torch ${{ torch }}.*\n"));
    let plan = project.plan(&[]);
    let expected = [
        "torch[blas=a,torch=2.6.0]",
        "torch[blas=a,torch=2.7.0]",
        "torch[blas=b,torch=2.6.0]",
        "torch[blas=b,torch=2.7.0]",
        "vision[torch=2.6.0,vision=0.21.0]",
        "vision[torch=2.7.0,vision=0.22.0]",
    ];
    assert_eq!(builds(&plan), expected);
    assert_eq!(plan.of_kind("lock"), ["env-torch2.6.0-vision0.21.0", "env-torch2.7.0-vision0.22.0"]);
    project.run(&["lock"]).success();
}

#[test]
fn outputs_of_one_recipe_are_packages_of_their_own() {
    let manifest = "[project]\nname = \"outputs\"\nchannels = []\n[matrix]\nflavour = [\"plain\", \"salted\"]\n[recipes.many]\npath \
                    = \"recipes/many\"\n[environments.env]\nmatrix = [\"flavour\"]\ndependencies = [\"program\", \"library * \
                    ${{ flavour }}_*\"]\n";
    let many = "\
recipe:
  name: many
  version: 1.0.0
outputs:
  - package:
      name: library
    build:
      noarch: generic
      string: ${{ flavour }}_${{ hash }}
      script: echo ${{ flavour }} > $PREFIX/flavour
  - package:
      name: program
    build:
      noarch: generic
      script: test -f $PREFIX/flavour && echo program > $PREFIX/program
    requirements:
      host:
        - ${{ pin_subpackage('library', exact=True) }}
      run:
        - ${{ pin_subpackage('library', exact=True) }}
  - package:
      name: manual
    build:
      noarch: generic
      script: echo manual > $PREFIX/manual
";
    let project = Project::new().manifest(manifest).recipe("many", many);
    let plan = project.plan(&[]);
    let expected = [
        "library[flavour=plain]",
        "library[flavour=salted]",
        "manual",
        "program[flavour=plain]",
        "program[flavour=salted]",
    ];
    assert_eq!(builds(&plan), expected);
    assert_eq!(plan.needs("build:program[flavour=salted]"), ["build:library[flavour=salted]"]);
    project.run(&["all"]).success();
    project.assert_fresh();
    let listed = project.run(&["list", "env-flavoursalted"]).success().stdout;
    assert!(listed.contains(" salted_"), "{listed}");
    let flavour =
        project.run(&["run", "-q", "env-flavourplain", "--", "sh", "-c", "cat $CONDA_PREFIX/flavour"]).success();
    assert_eq!(flavour.stdout, "plain\n");
    // The exact pin names the build that is really there, key and all. The manual comes of the same file, and stays.
    let manual = fs::read(project.only("output/noarch", "manual-")).unwrap();
    project.edit("recipes/many/recipe.yaml", "echo ${{ flavour }} >", "echo really ${{ flavour }} >");
    assert_eq!(project.report(&["build"]).count("built"), 5);
    assert!(fs::read(project.only("output/noarch", "manual-")).unwrap() == manual);
    project.run(&["all"]).success();
    project.assert_fresh();
}
