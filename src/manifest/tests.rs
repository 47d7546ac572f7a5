//! The room from outside: a whole manifest, and one report for each kind of problem.

use std::collections::BTreeSet;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

use super::{Manifest, ManifestErrors, Spanned, parse};

const GOOD: &str = r#"
[project]
name = "derecho"
channels = ["conda-forge", "./local"]
platforms = ["linux-64"]

[host]
label = "derecho"
rpaths = ["/opt/cray/**"]
libraries = ["libmpi*.so*", "libfabric.so.1"]

[matrix]
python = ["3.10", "3.11", "3.12"]
mpi4py_version = ["3.1.6", "4.0.3"]
pytorch_version = ["2.7.0", "2.6.0"]
torchvision_version = ["0.22.0", "0.21.0"]
zip = [["pytorch_version", "torchvision_version"]]
exclude = [{ python = "3.12", mpi4py_version = "3.1.6" }]

[recipes.pytorch]
path = "recipes/pytorch"
host-bound = true
resources = { cpus = 128, memory = "200G" }

[recipes.mpi4py]
path = "recipes/mpi4py"

[environments.resnet]
matrix = ["python", "mpi4py_version"]
from = ["environment.yml"]
dependencies = ["mpi4py ${{ mpi4py_version }} *derecho*", "pytorch 2.7.* *derecho*", "xarray", "numpy <2"]
target = "production"
test = "tests/resnet.sh"
pack = ["tar.zst"]

[environments.bare]

[targets.production]
platform = "linux-64"
virtual-packages = { __glibc = "2.28", __cuda = "12.3" }
libraries = ["libX11.so.*"]

[targets.production.symbols]
GLIBCXX = "3.4.25"

[targets.skylake.virtual-packages]
__archspec = "1=skylake"
"#;

/// For each code, a manifest with this one problem.
const BAD: &[(&str, &str)] = &[
    ("empty", "# nothing here\n"),
    ("syntax", "[project]\nname = \"a\nchannels = []\n"),
    ("unknown_key", "[project]\nname = \"a\"\nchanels = []\n"),
    ("not_supported", "[project]\nname = \"a\"\n\n[environments.e]\npypi-dependencies = [\"einops\"]\n"),
    ("missing_key", "[project]\nname = \"a\"\n\n[recipes.mpi4py]\nhost-bound = true\n"),
    ("wrong_type", "[project]\nname = \"a\"\n\n[matrix]\npython = \"3.11\"\n"),
    ("unquoted", "[project]\nname = \"a\"\n\n[matrix]\npython = [3.10]\n"),
    ("bad_text", "[project]\nname = \"a\"\n\n[recipes.a]\npath = \"\"\n"),
    ("repeated", "[project]\nname = \"a\"\n\n[environments.e]\npack = [\"tar.zst\", \"tar.zst\"]\n"),
    ("invalid_name", "[project]\nname = \"a\"\n\n[environments.\"ResNet 50\"]\n"),
    ("invalid_host", "[project]\nname = \"a\"\n\n[host]\nmodules = [\"--force\"]\n"),
    (
        "unknown_fact",
        "[project]\nname = \"a\"\n\n[host.facts.mpi]\ncommand = \"x\"\n[host.externals.mpich]\nversion = { fact = \"mpich\" }\n",
    ),
    ("invalid_label", "[project]\nname = \"a\"\n\n[host]\nlabel = \"cray-ex\"\n"),
    ("unknown_platform", "[project]\nname = \"a\"\nplatforms = [\"linux64\"]\n"),
    ("empty_axis", "[project]\nname = \"a\"\n\n[matrix]\npython = []\n"),
    ("duplicate_value", "[project]\nname = \"a\"\n\n[matrix]\npython = [\"3.10\", \"3.11\", \"3.10\"]\n"),
    (
        "zip_unknown_axis",
        "[project]\nname = \"a\"\n\n[matrix]\npython = [\"3.10\"]\nnumpy = [\"2\"]\nzip = [[\"pyhton\", \"numpy\"]]\n",
    ),
    ("zip_unequal", "[project]\nname = \"a\"\n\n[matrix]\na = [\"1\", \"2\"]\nb = [\"1\"]\nzip = [[\"a\", \"b\"]]\n"),
    ("zip_too_few", "[project]\nname = \"a\"\n\n[matrix]\na = [\"1\"]\nzip = [[\"a\"]]\n"),
    (
        "zip_twice",
        "[project]\nname = \"a\"\n\n[matrix]\na = [\"1\"]\nb = [\"1\"]\nc = [\"1\"]\nzip = [[\"a\", \"b\"], [\"b\", \"c\"]]\n",
    ),
    ("exclude_empty", "[project]\nname = \"a\"\n\n[matrix]\na = [\"1\"]\nexclude = [{}]\n"),
    ("exclude_unknown_axis", "[project]\nname = \"a\"\n\n[matrix]\npython = [\"1\"]\nexclude = [{ pyton = \"1\" }]\n"),
    (
        "exclude_unknown_value",
        "[project]\nname = \"a\"\n\n[matrix]\npython = [\"3.10\", \"3.11\"]\nexclude = [{ python = \"3.1\" }]\n",
    ),
    ("environment_unknown_axis", "[project]\nname = \"a\"\n\n[environments.e]\nmatrix = [\"python\"]\n"),
    (
        "unknown_target",
        "[project]\nname = \"a\"\n\n[environments.e]\ntarget = \"prodution\"\n\n[targets.production]\nplatform = \"linux-64\"\n",
    ),
    ("dest_prefix", "[project]\nname = \"a\"\n\n[environments.e]\ndest-prefix = \"opt/../x/\"\n"),
    ("no_dest_prefix", "[project]\nname = \"a\"\n\n[environments.e]\npack = [\"tar.zst\", \"squashfs\"]\n"),
    ("unknown_pack", "[project]\nname = \"a\"\n\n[environments.e]\npack = [\"parcel\"]\n"),
    ("invalid_spec", "[project]\nname = \"a\"\n\n[environments.e]\ndependencies = [\"numpy >=1.2,<\"]\n"),
    ("invalid_template", "[project]\nname = \"a\"\n\n[environments.e]\ndependencies = [\"numpy ${{ numpy\"]\n"),
    (
        "unknown_template",
        "[project]\nname = \"a\"\n\n[matrix]\nnumpy = [\"1\"]\n\n[environments.e]\ndependencies = [\"numpy ${{ numpy }}\"]\n",
    ),
    ("invalid_resource", "[project]\nname = \"a\"\n\n[recipes.a]\npath = \"a\"\nresources = { memory = \"8 GB\" }\n"),
    (
        "invalid_activation",
        "[project]\nname = \"a\"\n\n[recipes.a]\npath = \"a\"\n[recipes.a.activation]\nunset = [\"CUDA_VISIBLE_DEVICES\"]\n",
    ),
    (
        "activated_twice",
        "[project]\nname = \"a\"\n\n[recipes.a]\npath = \"a\"\n[recipes.a.activation]\nset = { A = \"1\" }\nunset = [\"A\"]\n",
    ),
    ("invalid_virtual_package", "[project]\nname = \"a\"\n\n[targets.t]\nvirtual-packages = { glibc = \"2.28\" }\n"),
    ("invalid_version", "[project]\nname = \"a\"\n\n[targets.t]\nvirtual-packages = { __glibc = \">=2.28\" }\n"),
];

/// Other ways to make the same kinds of problems.
const BAD_TOO: &[(&str, &str)] = &[
    ("missing_project", "[environments.e]\ndependencies = [\"numpy\"]\n"),
    ("missing_name", "[project]\nchannels = []\n"),
    ("zip_is_flat", "[project]\nname = \"a\"\n\n[matrix]\na = [\"1\"]\nzip = [\"a\", \"b\"]\n"),
    ("number_for_a_list", "[project]\nname = \"a\"\n\n[matrix]\npython = 3.10\n"),
    ("table_for_a_list", "[project]\nname = \"a\"\n\n[matrix.python]\nversions = [\"3.10\"]\n"),
    ("list_for_a_string", "[project]\nname = \"a\"\n\n[environments.e]\ntest = [\"tests/e.sh\"]\n"),
    ("string_for_a_boolean", "[project]\nname = \"a\"\n\n[recipes.a]\npath = \"a\"\nhost-bound = \"true\"\n"),
    ("no_processors", "[project]\nname = \"a\"\n\n[recipes.a]\npath = \"a\"\nresources = { cpus = 0 }\n"),
    ("string_for_processors", "[project]\nname = \"a\"\n\n[recipes.a]\npath = \"a\"\nresources = { cpus = \"4\" }\n"),
    ("number_for_memory", "[project]\nname = \"a\"\n\n[recipes.a]\npath = \"a\"\nresources = { memory = 8 }\n"),
    ("unknown_resource", "[project]\nname = \"a\"\n\n[recipes.a]\npath = \"a\"\nresources = { cpu = 4 }\n"),
    (
        "resource_of_a_batch_system",
        "[project]\nname = \"a\"\n\n[recipes.a]\npath = \"a\"\n[recipes.a.resources]\nwalltime = \"02:00:00\"\n",
    ),
    ("string_for_resources", "[project]\nname = \"a\"\n\n[recipes.a]\npath = \"a\"\nresources = \"8G\"\n"),
    ("string_for_a_table", "project = \"a\"\n"),
    ("unknown_table", "[project]\nname = \"a\"\n\n[enviroments.e]\n"),
    ("engines", "[project]\nname = \"a\"\n\n[engines.pbs]\nkind = \"pbs\"\n"),
    ("noarch_platform", "[project]\nname = \"a\"\nplatforms = [\"noarch\"]\n"),
    ("axis_with_a_hyphen", "[project]\nname = \"a\"\n\n[matrix]\nr-base = [\"4.3\"]\n"),
    ("module_with_a_blank", "[project]\nname = \"a\"\n\n[host]\nmodules = [\"gcc mpich\"]\n"),
    (
        "recipe_module_with_a_hyphen",
        "[project]\nname = \"a\"\n[host]\n[recipes.a]\npath = \"a\"\nmodules = { load = [\"-f\"] }\n",
    ),
    ("symbols_as_a_name", "[project]\nname = \"a\"\n\n[targets.t]\nsymbols = { GLIBCXX = \"GLIBCXX_3.4\" }\n"),
    ("empty_build_string", "[project]\nname = \"a\"\n\n[targets.t]\nvirtual-packages = { __archspec = \"1=\" }\n"),
    ("rpath_kind", "[project]\nname = \"a\"\n\n[host]\nrpath-kind = \"both\"\n"),
    ("fact_of_nothing", "[project]\nname = \"a\"\n\n[host.facts.mpi]\n"),
    ("fact_name", "[project]\nname = \"a\"\n\n[host.facts.MPI]\ncommand = \"mpichversion\"\n"),
    ("pattern", "[project]\nname = \"a\"\n\n[host.facts.mpi]\ncommand = \"mpichversion\"\npattern = 'Version: ('\n"),
    ("pattern_without_a_command", "[project]\nname = \"a\"\n\n[host.facts.mpi]\nfiles = [\"/a\"]\npattern = '(.*)'\n"),
    (
        "fact_as_a_plain_package",
        "[project]\nname = \"a\"\n[host.facts.mpi]\ncommand = \"x\"\nvirtual-package = \"mpi\"\n",
    ),
    (
        "virtual_package_without_a_command",
        "[project]\nname = \"a\"\n[host.facts.mpi]\nfiles = [\"/a\"]\nvirtual-package = \"__mpi\"\n",
    ),
    (
        "virtual_package_of_two_facts",
        "[project]\nname = \"a\"\n[host.facts.a]\ncommand = \"x\"\nvirtual-package = \"__mpi\"\n[host.facts.b]\ncommand = \"y\"\nvirtual-package = \"__MPI\"\n",
    ),
    ("external_version_with_a_hyphen", "[project]\nname = \"a\"\n\n[host.externals.mpich]\nversion = \"4.3-rc1\"\n"),
    ("external_without_a_version", "[project]\nname = \"a\"\n\n[host.externals.mpich]\n"),
    ("external_version", "[project]\nname = \"a\"\n\n[host.externals.mpich]\nversion = \"4.*\"\n"),
    (
        "external_of_a_fact_without_a_command",
        "[project]\nname = \"a\"\n[host.facts.mpi]\nfiles = [\"/a\"]\n[host.externals.mpich]\nversion = { fact = \"mpi\" }\n",
    ),
    ("template_of_no_axis", "[project]\nname = \"a\"\n\n[environments.e]\ndependencies = [\"numpy ${{ numpy }}\"]\n"),
    ("spec_without_a_name", "[project]\nname = \"a\"\n\n[environments.e]\ndependencies = [\">=3\"]\n"),
];

const SEVERAL: &str = r#"
[project]
name = "a"
chanels = ["conda-forge"]

[matrix]
python = [3.10, "3.11"]
numpy = ["1.26", "2.0"]
zip = [["numpy", "scipy"]]

[recipes.mpi4py]
resources = { walltime = "02:00:00" }

[environments.gpu]
matrix = ["pyton"]
dependencies = ["numpy ${{ numpy }}", "=="]
target = "production"
pack = ["parcel"]
"#;

pub(super) fn errors(text: &str) -> ManifestErrors {
    parse("project.toml", text).expect_err("the manifest has a problem")
}

pub(super) fn report(errors: &ManifestErrors) -> String {
    let mut drawn = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    handler.render_report(&mut drawn, errors).unwrap();
    // Trailing blanks are the renderer's, and editors would eat them in the snapshots.
    drawn.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn code(problem: &dyn Diagnostic) -> String {
    problem.code().unwrap().to_string()
}

fn words(values: &[Spanned<String>]) -> Vec<&str> {
    values.iter().map(|it| it.value.as_str()).collect()
}

fn pairs(values: &[(Spanned<String>, Spanned<String>)]) -> Vec<(&str, &str)> {
    values.iter().map(|(key, value)| (key.value.as_str(), value.value.as_str())).collect()
}

fn good() -> Manifest {
    parse("project.toml", GOOD).unwrap_or_else(|errors| panic!("{}", report(&errors)))
}

#[test]
fn reads_every_field() {
    let Manifest { project, host, matrix, recipes, environments, targets } = good();
    assert_eq!(project.name.value, "derecho");
    assert_eq!(words(&project.channels), ["conda-forge", "./local"]);
    assert_eq!(words(&project.platforms), ["linux-64"]);

    let host = host.unwrap();
    assert_eq!(host.label.unwrap().value, "derecho");
    assert_eq!(words(&host.rpaths), ["/opt/cray/**"]);
    assert_eq!(words(&host.libraries), ["libmpi*.so*", "libfabric.so.1"]);

    let axes: Vec<_> = matrix.axes.iter().map(|axis| (axis.name.value.as_str(), words(&axis.values))).collect();
    assert_eq!(axes[0], ("python", vec!["3.10", "3.11", "3.12"]));
    assert_eq!(axes[3], ("torchvision_version", vec!["0.22.0", "0.21.0"]));
    assert_eq!(axes.len(), 4);
    assert_eq!(words(&matrix.zip[0].axes), ["pytorch_version", "torchvision_version"]);
    assert_eq!(pairs(&matrix.exclude[0].values), [("python", "3.12"), ("mpi4py_version", "3.1.6")]);

    let told: Vec<_> = recipes
        .iter()
        .map(|it| (it.name.value.as_str(), it.path.value.as_str(), it.host_bound.as_ref().map(|it| it.value)))
        .collect();
    assert_eq!(told, [("pytorch", "recipes/pytorch", Some(true)), ("mpi4py", "recipes/mpi4py", None)]);

    let resources = recipes[0].resources.as_ref().unwrap();
    assert_eq!(resources.cpus.as_ref().unwrap().value, 128);
    assert_eq!(resources.memory.as_ref().unwrap().value, 200 << 30);
    assert_eq!(recipes[1].resources, None);

    let resnet = &environments[0];
    assert_eq!(resnet.name.value, "resnet");
    assert_eq!(words(&resnet.matrix), ["python", "mpi4py_version"]);
    assert_eq!(words(&resnet.from), ["environment.yml"]);
    assert_eq!(resnet.dependencies.len(), 4);
    assert_eq!(resnet.target.as_ref().unwrap().value, "production");
    assert_eq!(resnet.test.as_ref().unwrap().value, "tests/resnet.sh");
    assert_eq!(words(resnet.pack.as_ref().unwrap()), ["tar.zst"]);
    assert_eq!((environments[1].name.value.as_str(), &environments[1].pack), ("bare", &None));

    assert_eq!(targets[0].platform.as_ref().unwrap().value, "linux-64");
    assert_eq!(pairs(&targets[0].virtual_packages), [("__glibc", "2.28"), ("__cuda", "12.3")]);
    assert_eq!(words(&targets[0].libraries), ["libX11.so.*"]);
    assert_eq!(pairs(&targets[0].symbols), [("GLIBCXX", "3.4.25")]);
    assert_eq!(pairs(&targets[1].virtual_packages), [("__archspec", "1=skylake")]);
}

#[test]
fn every_value_knows_its_place() {
    let manifest = good();
    let written = |span: &std::ops::Range<usize>| &GOOD[span.clone()];
    assert_eq!(written(&manifest.project.name.span), "\"derecho\"");
    assert_eq!(written(&manifest.project.channels[1].span), "\"./local\"");
    assert_eq!(written(&manifest.host.unwrap().span), "host");
    assert_eq!(written(&manifest.matrix.axes[1].name.span), "mpi4py_version");
    assert_eq!(written(&manifest.matrix.axes[1].values[1].span), "\"4.0.3\"");
    assert_eq!(written(&manifest.matrix.zip[0].span), r#"["pytorch_version", "torchvision_version"]"#);
    assert_eq!(written(&manifest.matrix.exclude[0].span), r#"{ python = "3.12", mpi4py_version = "3.1.6" }"#);
    assert_eq!(written(&manifest.matrix.exclude[0].values[0].0.span), "python");
    assert_eq!(written(&manifest.recipes[0].name.span), "pytorch");
    assert_eq!(written(&manifest.recipes[0].host_bound.as_ref().unwrap().span), "true");
    let resources = manifest.recipes[0].resources.as_ref().unwrap();
    assert_eq!(written(&resources.span), r#"{ cpus = 128, memory = "200G" }"#);
    assert_eq!(written(&resources.memory.as_ref().unwrap().span), "\"200G\"");
    assert_eq!(written(&manifest.environments[1].name.span), "bare");
    assert_eq!(written(&manifest.targets[0].virtual_packages[1].0.span), "__cuda");
    assert_eq!(written(&manifest.targets[0].virtual_packages[1].1.span), "\"12.3\"");
}

#[test]
fn the_quickstart_is_a_manifest() {
    let text = include_str!("../../examples/quickstart/project.toml");
    let manifest = parse("project.toml", text).unwrap_or_else(|errors| panic!("{}", report(&errors)));
    assert_eq!((manifest.recipes.len(), manifest.environments.len(), manifest.matrix.zip.len()), (6, 2, 1));
}

#[test]
fn other_spellings_of_the_same_tables() {
    let text = "project.name = \"a\"\nmatrix = { a = [\"1\"], b = [\"2\"] }\nrecipes.x.path = \"x\"\n\
                [[matrix_is_closed]]\n";
    // An inline table cannot be reopened, so arrays of tables are tried on their own.
    assert_eq!(errors(text).problems().len(), 1);
    let text = "project.name = \"a\"\nrecipes.x.path = \"x\"\nenvironments = { e = { matrix = [\"a\"] } }\n\
                [matrix]\na = [\"1\", \"2\"]\n[[matrix.exclude]]\na = \"1\"\n";
    let manifest = parse("project.toml", text).unwrap();
    assert_eq!(manifest.recipes[0].path.value, "x");
    assert_eq!(manifest.environments[0].matrix[0].value, "a");
    assert_eq!(pairs(&manifest.matrix.exclude[0].values), [("a", "1")]);
}

#[test]
fn each_problem_is_drawn() {
    for (name, text) in BAD {
        let errors = errors(text);
        assert_eq!(errors.problems().len(), 1, "{name}: {}", report(&errors));
        assert_eq!(code(&errors.problems()[0]), format!("envbuild::manifest::{name}"));
        insta::assert_snapshot!(*name, report(&errors), text);
    }
    for (name, text) in BAD_TOO {
        let errors = errors(text);
        assert_eq!(errors.problems().len(), 1, "{name}: {}", report(&errors));
        insta::assert_snapshot!(*name, report(&errors), text);
    }
}

#[test]
fn each_problem_has_a_test_a_code_and_a_help() {
    let declared: BTreeSet<&str> = include_str!("error.rs")
        .split("code(envbuild::manifest::")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap())
        .collect();
    let tested: BTreeSet<&str> = BAD.iter().map(|(name, _)| *name).chain(["too_large", "not_text"]).collect();
    assert_eq!(declared, tested);
    let variants = include_str!("error.rs").matches("#[error(").count();
    assert_eq!(variants, declared.len(), "each variant has a code of its own");

    let texts = BAD.iter().chain(BAD_TOO).map(|(_, text)| (*text).to_owned());
    for text in texts.chain([" ".repeat(2 << 20), SEVERAL.to_owned()]) {
        for problem in errors(&text).problems() {
            let help = problem.help().map(|help| help.to_string()).unwrap_or_default();
            assert!(!help.is_empty(), "{problem}");
            let sentence = problem.to_string();
            assert!(!sentence.ends_with('.') && !sentence.starts_with(char::is_uppercase) || sentence.contains("TOML"));
        }
    }
}

#[test]
fn all_problems_come_in_one_report() {
    let errors = errors(SEVERAL);
    let codes: Vec<String> =
        errors.problems().iter().map(|it| code(it).trim_start_matches("envbuild::manifest::").to_owned()).collect();
    assert_eq!(
        codes,
        [
            "unknown_key",
            "unquoted",
            "zip_unknown_axis",
            "missing_key",
            "not_supported",
            "environment_unknown_axis",
            "unknown_template",
            "invalid_spec",
            "unknown_target",
            "unknown_pack",
        ]
    );
    assert_eq!(errors.to_string(), "`project.toml` has 10 problems");
    insta::assert_snapshot!("several", report(&errors), SEVERAL);
}

#[test]
fn a_broken_axis_makes_one_problem_only() {
    let text = "[project]\nname = \"a\"\n[matrix]\na = 3.1\nb = [1]\nc = [\"1\", \"2\"]\nzip = [[\"a\", \"b\", \"c\"]]\n\
                exclude = [{ a = \"1\", b = \"1\" }]\n[environments.e]\nmatrix = [\"a\"]\n";
    assert_eq!(errors(text).problems().len(), 2);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_fine() {
    let manifest = parse("project.toml", &GOOD.replace('\n', "\r\n")).unwrap();
    assert_eq!(manifest.project.name.value, "derecho");
    let text = format!("\u{feff}{}", GOOD.trim_start());
    let manifest = parse("project.toml", &text).unwrap();
    assert_eq!(&text[manifest.project.name.span], "\"derecho\"");
}
