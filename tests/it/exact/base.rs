//! The tables over projects that take packages from base channels: one channel that grows between the rows, because it is
//! the output of another project, and the one with Python in it.

use super::row::{Row, Then};
use crate::support::{Project, skip, variable};

/// The supplier is a project of its own, in a folder of the project that it supplies.
const SUPPLIER: &str = "\
[project]
name = \"supplier\"
channels = []
[matrix]
zlet_version = [\"1.0.0\"]
[recipes.zlet]
path = \"recipes/zlet\"
";

/// What it supplies: a header, which what is built with it holds.
const ZLET: &str = "\
package:
  name: zlet
  version: ${{ zlet_version }}
build:
  script: mkdir -p \"$PREFIX/include\" && echo \"zlet $PKG_VERSION\" > \"$PREFIX/include/zlet.h\"
";

const MANIFEST: &str = "\
[project]
name = \"base\"
channels = [\"./supplier/output\"]

[recipes.user]
path = \"recipes/user\"

[recipes.alone]
path = \"recipes/alone\"

[environments.both]
dependencies = [\"user\", \"alone\", \"zlet\"]
";

const USER: &str = "\
package:
  name: user
  version: 1.0.0
build:
  script: mkdir -p \"$PREFIX/share\" && cp \"$PREFIX/include/zlet.h\" \"$PREFIX/share/user.txt\"
requirements:
  host:
    - zlet
";

const ALONE: &str = "\
package:
  name: alone
  version: 1.0.0
build:
  noarch: generic
  script: mkdir -p \"$PREFIX/share\" && echo alone > \"$PREFIX/share/alone.txt\"
";

/// A project whose base channel has one package.
pub(super) fn supplied() -> Project {
    let project = Project::new()
        .manifest(MANIFEST)
        .recipe("user", USER)
        .recipe("alone", ALONE)
        .file("supplier/project.toml", SUPPLIER)
        .file("supplier/recipes/zlet/recipe.yaml", ZLET);
    project.run(&["-C", "supplier", "build"]).success();
    project
}

/// Puts another version into the base channel, beside those that it has.
fn supply(project: &Project, version: &str) {
    project.edit("supplier/project.toml", "zlet_version = [", &format!("zlet_version = [\"{version}\", "));
    project.run(&["-C", "supplier", "build"]).success();
}

/// The rows for it.
pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new(
            "the first run",
            |_| {},
            Then::Runs(
                "dirty  build:alone  (never done)
                 dirty  build:user  (never done)
                 dirty  resolve:user  (never done)
                 dirty  lock:both  (never done)
                 dirty  install:both  (never done)
                 dirty  pack:both  (never done)",
            ),
        ),
        Row::nothing("the base channel gets a newer version of what is locked", |it| supply(it, "1.1.0")),
        Row::nothing("a comment in the recipe that uses it, taken back", |it| {
            it.edit("recipes/user/recipe.yaml", "build:", "# A comment.\nbuild:");
            it.run(&["build"]).success();
            it.edit("recipes/user/recipe.yaml", "# A comment.\n", "");
        }),
        Row::new(
            "`lock --update` of the recipe: what is built with it runs, and what holds that",
            |it| drop(it.run(&["lock", "--update", "user"]).success()),
            Then::Runs(
                "dirty  build:user  (host-environment/zlet changed)
                 maybe  lock:both  (waits for build:user)
                 maybe  install:both  (waits for lock:both)
                 maybe  pack:both  (waits for lock:both)
                 why  build:user  host-environment/zlet  1.0.0 [..] => 1.1.0 [..]",
            ),
        ),
        Row::new(
            "`lock --update` of the environment",
            |it| drop(it.run(&["lock", "--update", "both"]).success()),
            Then::RunsAndKeepsPackages(
                "dirty  install:both  (package/zlet changed)
                 dirty  pack:both  (package/zlet changed)
                 why  install:both  package/zlet  1.0.0 [..] => 1.1.0 [..]",
            ),
        ),
        Row::nothing("one more version", |it| supply(it, "1.2.0")),
        Row::new(
            "one more base channel, which has nothing to add",
            |it| {
                it.edit("project.toml", "[\"./supplier/output\"]", "[\"./supplier/output\", \"./empty\"]");
                for folder in ["linux-64", "noarch"] {
                    it.write(&format!("empty/{folder}/repodata.json"), "{\"packages\": {}, \"packages.conda\": {}}");
                }
            },
            Then::RunsAndKeepsPackages(
                "dirty  resolve:user  (channels changed)
                 dirty  lock:both  (channels changed)
                 why  lock:both  channels  ./supplier/output => ./supplier/output ./empty",
            ),
        ),
        Row::new(
            "a spec that only the newer version satisfies",
            |it| it.edit("project.toml", "\"zlet\"]", "\"zlet >=1.2\"]"),
            Then::RunsAndKeepsPackages(
                "dirty  lock:both  (spec/zlet >=1.2 is new, and 1 more)
                 maybe  install:both  (waits for lock:both)
                 maybe  pack:both  (waits for lock:both)",
            ),
        ),
    ]
}

const SNAKES: &str = "\
[project]
name = \"snakes\"
channels = [\"conda-forge\"]

[matrix]
python = [\"3.11\"]

[recipes.anywhere]
path = \"recipes/anywhere\"

[recipes.native]
path = \"recipes/native\"

[environments.snake]
matrix = [\"python\"]
dependencies = [\"anywhere\", \"native\"]
test = \"tests/snake.sh\"
pack = []
";

const ANYWHERE: &str = "\
package:
  name: anywhere
  version: 1.0.0
build:
  noarch: python
  script: mkdir -p \"$SP_DIR\" && cp \"$RECIPE_DIR/anywhere.py\" \"$SP_DIR/\"
requirements:
  host:
    - python
  run:
    - python
";

const NATIVE: &str = "\
package:
  name: native
  version: 1.0.0
build:
  script:
    - mkdir -p \"$SP_DIR\" && cp \"$RECIPE_DIR/native.c\" .
    - ${CC:-cc} -shared -fPIC -I\"$PREFIX/include/python$PY_VER\" -o \"$SP_DIR/native.so\" native.c
requirements:
  host:
    - python
  run:
    - python
";

const NATIVE_C: &str = "\
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, \"native\", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&module); }
";

/// A project with Python in it, when the machine names a channel that has one.
pub(super) fn snakes() -> Option<Project> {
    let Some(channel) = variable("ENVBUILD_TEST_CHANNEL") else {
        skip("conda channel with CPython (ENVBUILD_TEST_CHANNEL)");
        return None;
    };
    let project = Project::new()
        .env("ENVBUILD_CHANNELS", channel)
        .manifest(SNAKES)
        .recipe("anywhere", ANYWHERE)
        .file("recipes/anywhere/anywhere.py", "NAME = 'anywhere'\n")
        .recipe("native", NATIVE)
        .file("recipes/native/native.c", NATIVE_C)
        .file("tests/snake.sh", "python -c 'import anywhere, native; print(anywhere.NAME)'\n");
    Some(project)
}

/// The rows for it.
pub(super) fn snake_rows() -> Vec<Row> {
    vec![
        Row::new(
            "the first run",
            |_| {},
            Then::Runs(
                "dirty  resolve:anywhere  (never done)
                 dirty  resolve:native[python=3.11]  (never done)
                 dirty  build:anywhere  (never done)
                 dirty  build:native[python=3.11]  (never done)
                 dirty  lock:snake-py311  (never done)
                 dirty  install:snake-py311  (never done)
                 dirty  test:snake-py311  (never done)",
            ),
        ),
        Row::nothing("a second run", |_| {}),
        Row::new(
            "a comment in C",
            |it| it.edit("recipes/native/native.c", "static struct", "// A comment.\nstatic struct"),
            Then::RunsAndKeepsPackages(
                "dirty  build:native[python=3.11]  (recipe/native.c changed)
                 why  build:native[python=3.11]  recipe/native.c  file recipes/native/native.c",
            ),
        ),
        Row::new(
            "a module in Python",
            |it| it.write("recipes/anywhere/anywhere.py", "NAME = 'everywhere'\n"),
            Then::Runs(
                "dirty  build:anywhere  (recipe/anywhere.py changed)
                 maybe  lock:snake-py311  (waits for build:anywhere)
                 maybe  install:snake-py311  (waits for lock:snake-py311)
                 maybe  test:snake-py311  (waits for install:snake-py311)
                 why  build:anywhere  recipe/anywhere.py  file recipes/anywhere/anywhere.py",
            ),
        ),
        Row::new(
            "one more Python: what is for any of them stays",
            |it| it.edit("project.toml", "\"3.11\"]", "\"3.11\", \"3.12\"]"),
            Then::Runs(
                "dirty  resolve:native[python=3.12]  (never done)
                 dirty  build:native[python=3.12]  (never done)
                 dirty  lock:snake-py312  (never done)
                 dirty  install:snake-py312  (never done)
                 dirty  test:snake-py312  (never done)",
            ),
        ),
    ]
}
