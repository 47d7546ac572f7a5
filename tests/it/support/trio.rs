//! A project of each kind of package: compiled with a local library, for any machine, and several of one recipe.

use super::Project;

const MANIFEST: &str = "\
[project]
name = \"trio\"
channels = []
[recipes.libanswer]
path = \"recipes/libanswer\"
[recipes.ask]
path = \"recipes/ask\"
[recipes.data]
path = \"recipes/data\"
[recipes.pair]
path = \"recipes/pair\"
[environments.env]
dependencies = [\"ask\", \"data\", \"pair-tool\"]
pack = [\"tar.zst\"]
";

const LIBRARY: &str = "\
package: {name: libanswer, version: '1.2'}
requirements:
  run_exports: [\"${{ pin_subpackage('libanswer', upper_bound='x') }}\"]
tests:
  - package_contents: {files: [lib/libanswer.so, include/answer.h]}
";

const BUILD_LIBRARY: &str = "\
# The library.
mkdir -p $PREFIX/lib $PREFIX/include
echo 'int answer(void);' > $PREFIX/include/answer.h
cc -g -shared -fPIC -Wl,-soname,libanswer.so.1 -o $PREFIX/lib/libanswer.so.1 $RECIPE_DIR/answer.c
ln -s libanswer.so.1 $PREFIX/lib/libanswer.so
";

const PROGRAM: &str = "\
package: {name: ask, version: '0.1'}
source: {path: ask.c}
build:
  script:
    - mkdir -p $PREFIX/bin $PREFIX/share
    - cc -g -I$PREFIX/include -L$PREFIX/lib -o $PREFIX/bin/ask ask.c -lanswer
    - echo \"asks in $PREFIX\" > $PREFIX/share/ask.txt
requirements:
  host: [libanswer]
tests:
  - script: ['test -x $PREFIX/bin/ask']
";

const DATA: &str = "\
package: {name: data, version: '1.0'}
build:
  noarch: generic
  script:
    - mkdir -p $PREFIX/share/data $PREFIX/bin
    - for i in 3 1 2; do echo $i > $PREFIX/share/data/$i; done
    - printf '#!/bin/sh\\ncat %s/share/data/1\\n' \"$PREFIX\" > $PREFIX/bin/data
    - chmod 755 $PREFIX/bin/data
about: {license: MIT, license_file: LICENSE}
";

const PAIR: &str = "\
schema_version: 1
recipe: {name: pair, version: '3.0'}
outputs:
  - package: {name: pair-lib}
    build:
      script: ['mkdir -p $PREFIX/share/pair', 'echo $PKG_BUILD_STRING > $PREFIX/share/pair/build.txt']
    requirements:
      run_exports: [\"${{ pin_subpackage('pair-lib', exact=True) }}\"]
  - package: {name: pair-tool}
    build:
      script: ['mkdir -p $PREFIX/share/pair', 'wc -c < $PREFIX/share/pair/build.txt > $PREFIX/share/pair/tool.txt']
    requirements:
      host: [\"${{ pin_subpackage('pair-lib', exact=True) }}\"]
      run: [\"${{ pin_subpackage('pair-lib', exact=True) }}\"]
    tests:
      - script: ['test -s $PREFIX/share/pair/build.txt']
";

/// Writes the project's files.
pub(crate) fn trio(project: Project) -> Project {
    project
        .manifest(MANIFEST)
        .recipe("libanswer", LIBRARY)
        .file("recipes/libanswer/build.sh", BUILD_LIBRARY)
        .file("recipes/libanswer/answer.c", "int answer(void) { return 42; }\n")
        .recipe("ask", PROGRAM)
        .file("recipes/ask/ask.c", "#include <answer.h>\nint main(void) { return answer(); }\n")
        .recipe("data", DATA)
        .file("recipes/data/LICENSE", "Do what you like.\n")
        .recipe("pair", PAIR)
}
