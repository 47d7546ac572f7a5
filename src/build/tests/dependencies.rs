//! Packages that need each other: a library in the host environment, outputs that pin each other exactly.

use std::{collections::BTreeMap, fs};

use super::bench::Bench;
use crate::build::{BuildError, Sibling};

const LIBRARY: &str = r#"
package: {name: libanswer, version: "1.2"}
build:
  script:
    - mkdir -p $PREFIX/lib $PREFIX/include
    - echo 'int answer(void);' > $PREFIX/include/answer.h
    - echo 'int answer(void) { return 42; }' > answer.c
    - cc -shared -fPIC -Wl,-soname,libanswer.so.1 -o $PREFIX/lib/libanswer.so.1 answer.c
    - ln -s libanswer.so.1 $PREFIX/lib/libanswer.so
requirements:
  run_exports: ["${{ pin_subpackage('libanswer', upper_bound='x') }}"]
tests:
  - package_contents: {files: [lib/libanswer.so, include/answer.h]}
"#;

const PROGRAM: &str = r#"
package: {name: ask, version: "0.1"}
build:
  script:
    - mkdir -p $PREFIX/bin
    - echo '#include <answer.h>' > ask.c
    - 'echo "int main(void) { return answer() != 42; }" >> ask.c'
    - cc -I$PREFIX/include -L$PREFIX/lib -o $PREFIX/bin/ask ask.c -lanswer
requirements:
  host: [libanswer]
tests:
  - script: [ask]
"#;

#[test]
fn a_program_links_to_a_library_from_a_channel() {
    let bench = Bench::new();
    let library = bench.build(&bench.job("libanswer", LIBRARY)).unwrap();
    let mut job = bench.job("ask", PROGRAM);
    job.channels = vec![bench.publish(&library)];
    let built = bench.build(&job).unwrap();
    assert_eq!(built.subdir, "linux-64");
    let [host] = built.resolved.as_slice() else { panic!("{:?}", built.resolved) };
    assert_eq!(host.environment, "host");
    assert!(host.url.ends_with(&format!("/linux-64/libanswer-1.2-{}.conda", library.build)), "{}", host.url);
    assert_eq!(host.sha256.as_deref().map(str::len), Some(64));
    let package = bench.unpack(&built.archive);
    let index = fs::read_to_string(package.join("info/index.json")).unwrap();
    assert!(index.contains("libanswer >=1.2,<2.0a0"), "{index}");
    assert!(!fs::read_to_string(package.join("info/about.json")).unwrap().contains("file:"));
}

#[test]
fn libraries_of_the_host_are_no_reason_to_warn() {
    let bench = Bench::new();
    let talks = PROGRAM.replace("return answer() != 42", "return puts(\\\"\\\") < 0").replace("answer.h", "stdio.h");
    let talks = talks.replace("-lanswer", "").replace("[libanswer]", "[]");
    let mut job = bench.job("ask", &talks);
    let warned = bench.build(&job).unwrap().warnings;
    assert!(warned.iter().any(|warning| warning.contains("libc.so.6")), "{warned:?}");
    job.libraries = vec!["libc.so*".to_owned()];
    assert_eq!(bench.build(&job).unwrap().warnings, Vec::<String>::new());
}

#[test]
fn virtual_packages_of_the_job_satisfy_requirements() {
    let bench = Bench::new();
    let needs = "package: {name: needs, version: '1'}\nbuild: {noarch: generic, script: [touch $PREFIX/x]}\n\
                 requirements: {run: [__fabric >=8]}\ntests: [{script: ['test -e $PREFIX/x']}]\n";
    let mut job = bench.job("needs", needs);
    let error = bench.build(&job).unwrap_err().to_string();
    assert!(error.contains("__fabric >=8"), "{error}");
    job.virtual_packages = vec!["__fabric=8.1=cray".to_owned(), "__unix".to_owned()];
    bench.build(&job).unwrap();
}

#[test]
fn an_unsatisfiable_environment_tells_the_solvers_reason() {
    let bench = Bench::new();
    let library = bench.build(&bench.job("libanswer", LIBRARY)).unwrap();
    let mut job = bench.job("ask", &PROGRAM.replace("[libanswer]", "[libanswer >=2]"));
    job.channels = vec![bench.publish(&library)];
    let error = bench.build(&job).unwrap_err();
    assert!(matches!(error, BuildError::Unsolvable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("`ask`") && text.contains("libanswer >=2"), "{text}");
}

const OUTPUTS: &str = r#"
schema_version: 1
context: {version: "3.0"}
recipe: {name: pair, version: "${{ version }}"}
outputs:
  - package: {name: pair-lib}
    build:
      script: ["mkdir -p $PREFIX/share", "echo pair > $PREFIX/share/pair.txt"]
  - package: {name: pair-tool}
    build:
      script: ["mkdir -p $PREFIX/bin", "cp $PREFIX/share/pair.txt $PREFIX/bin/pair"]
    requirements:
      host: ["${{ pin_subpackage('pair-lib', exact=True) }}"]
      run: ["${{ pin_subpackage('pair-lib', exact=True) }}"]
    tests:
      - script: ["test -e $PREFIX/share/pair.txt"]
"#;

#[test]
fn an_exact_pin_names_the_final_build_string() {
    let bench = Bench::new();
    let mut job = bench.job("pair", OUTPUTS);
    job.output = "pair-lib".to_owned();
    job.build_string = "site_first_0_0000000000".to_owned();
    let library = bench.build(&job).unwrap();
    job.output = "pair-tool".to_owned();
    job.build_string = "site_second_0_0000000000".to_owned();
    let sibling = Sibling { version: "3.0".to_owned(), build: library.build.clone() };
    job.siblings = BTreeMap::from([("pair-lib".to_owned(), sibling)]);
    job.channels = vec![bench.publish(&library)];
    let tool = bench.build(&job).unwrap();
    assert!(
        tool.build.starts_with("site_second_0_") && tool.build.ends_with(&tool.content.short(10)),
        "{}",
        tool.build
    );
    let file = format!("pair-lib-3.0-{}.conda", library.build);
    assert!(tool.resolved[0].url.ends_with(&file), "{:?}", tool.resolved);
    let package = bench.unpack(&tool.archive);
    let index = fs::read_to_string(package.join("info/index.json")).unwrap();
    assert!(index.contains(&format!("pair-lib ==3.0 {}", library.build)), "{index}");
    let variant = fs::read_to_string(package.join("info/hash_input.json")).unwrap();
    assert!(variant.contains(&library.build), "{variant}");
    job.output = "pair-doc".to_owned();
    let error = bench.build(&job).unwrap_err();
    assert!(error.to_string().contains("no output `pair-doc`"), "{error}");
}

const SELF_PIN: &str = r#"
package: {name: exact, version: "3.0"}
build:
  script: ["mkdir -p $PREFIX/share", "echo $PKG_BUILD_STRING $PKG_HASH > $PREFIX/share/exact.txt"]
requirements:
  run_exports: {strong: ["${{ pin_subpackage('exact', exact=True) }}"]}
tests:
  - script: ["test -e $PREFIX/share/exact.txt"]
    requirements: {run: ["${{ pin_subpackage('exact', exact=True) }}"]}
"#;

#[test]
fn a_package_that_exports_itself_exactly_names_its_final_build_string() {
    let bench = Bench::new();
    let built = bench.build(&bench.job("exact", SELF_PIN)).unwrap();
    let package = bench.unpack(&built.archive);
    let exports = fs::read_to_string(package.join("info/run_exports.json")).unwrap();
    assert!(exports.contains(&format!("exact ==3.0 {}", built.build)), "{exports}");
    // The test that was passed has named it too.
    let tests = fs::read_to_string(package.join("info/tests/tests.yaml")).unwrap();
    assert!(tests.contains(&format!("exact ==3.0 {}", built.build)), "{tests}");
    for file in fs::read_dir(package.join("info")).unwrap().map(|it| it.unwrap().path()).filter(|it| it.is_file()) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("0000000000\""), "{} names the provisional build string", file.display());
    }
    // The script was told the provisional build string: the final one follows from what it writes.
    let told = fs::read_to_string(package.join("share/exact.txt")).unwrap();
    assert!(told.starts_with("site_1_0000000000 h"), "{told}");
    assert_eq!(bench.build(&bench.job("exact", SELF_PIN)).unwrap(), built);
}

const STAGED: &str = r#"
schema_version: 1
recipe: {name: staged, version: "1.0"}
outputs:
  - staging: {name: compile}
    build:
      script: ["mkdir -p $PREFIX/share/a $PREFIX/share/b", "echo a > $PREFIX/share/a/a", "echo b > $PREFIX/share/b/b"]
  - package: {name: staged-a}
    inherit: compile
    build: {files: [share/a/**]}
  - package: {name: staged-b}
    inherit: compile
    build: {files: [share/b/**]}
"#;

#[test]
fn a_staging_output_is_rebuilt_for_the_one_package() {
    let bench = Bench::new();
    let mut job = bench.job("staged", STAGED);
    job.output = "staged-b".to_owned();
    let package = bench.unpack(&bench.build(&job).unwrap().archive);
    assert!(package.join("share/b/b").exists());
    assert!(!package.join("share/a/a").exists());
}

const MODULE: &str = r#"
package: {name: module, version: "1.0"}
build:
  script:
    - mkdir -p $SP_DIR
    - "echo 'import sys; VERSION = sys.version_info[:2]' > $SP_DIR/module.py"
    - "echo \"PREFIX = '$PREFIX'\" > $SP_DIR/where.py"
requirements:
  host: [python]
  run: [python]
tests:
  - python: {imports: [module], pip_check: false}
  - script: ["python -c 'import module, sys, where; assert module.VERSION == (3, 11) and where.PREFIX == sys.prefix'"]
"#;

#[test]
fn a_python_module_is_built_for_the_cells_python() {
    let Some(channel) = crate::base::testing::base_channel("building with a real Python").map(|it| it.to_string())
    else {
        return;
    };
    let bench = Bench::new();
    let mut job = bench.job("module", MODULE);
    job.axes = BTreeMap::from([("python".to_owned(), "3.11".to_owned())]);
    job.variant = job.axes.clone();
    job.channels = vec![channel];
    let built = bench.build(&job).unwrap();
    assert!(built.resolved.iter().any(|package| package.url.contains("/python-3.11.")), "{:?}", built.resolved);
    let package = bench.unpack(&built.archive);
    assert!(package.join("lib/python3.11/site-packages/module.py").exists());
    let module = package.join("lib/python3.11/site-packages/__pycache__/module.cpython-311.pyc");
    let compiled = fs::read(&module).unwrap();
    assert_eq!(compiled[4..8], [1, 0, 0, 0], "a hash that is not compared with the source");
    crate::bytecode::settle(&module).unwrap();
    assert!(compiled == fs::read(&module).unwrap(), "it depends on what else the Python has done");
    assert!(!package.join("lib/python3.11/site-packages/__pycache__/where.cpython-311.pyc").exists());
    let first = fs::read(&built.archive).unwrap();
    bench.build(&job).unwrap();
    assert!(first == fs::read(&built.archive).unwrap(), "another build gives other bytes");
}
