//! The project that the table changes: a C library of a tarball with a patch, a program that is linked to it, files for any
//! machine from a folder beside the recipes, and three environments.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use crate::support::Project;

/// The manifest. The two axes advance together, and one output of one recipe reads them.
const MANIFEST: &str = "\
[project]
name = \"exact\"
channels = []

[host]
label = \"site\"
rpaths = [\"/opt/one/**\"]

[matrix]
flavour = [\"plain\", \"bold\"]
mark = [\"dot\", \"bang\"]
zip = [[\"flavour\", \"mark\"]]

[recipes.libtiny]
path = \"recipes/libtiny\"

[recipes.tools]
path = \"recipes/tools\"

[recipes.words]
path = \"recipes/words\"

[environments.full]
matrix = [\"flavour\"]
dependencies = [\"tiny-cli\", \"words\"]
test = \"tests/full.sh\"

[environments.old]
dependencies = [\"libtiny\"]
target = \"old-machine\"
test = \"tests/old.sh\"
pack = []

[targets.old-machine]
virtual-packages = { __glibc = \"2.28\" }
";

const LIBTINY: &str = "\
package:
  name: libtiny
  version: 1.0.0
source:
  url: https://sources.invalid/tiny-1.0.0.tar
  sha256: @SHA256@
  patches:
    - fix.patch
requirements:
  run_exports:
    - ${{ pin_subpackage('libtiny', upper_bound='x') }}
";

const LIBTINY_SCRIPT: &str = "\
set -eu
mkdir -p \"$PREFIX/lib\" \"$PREFIX/include\"
\"${CC:-cc}\" -O1 -fPIC -shared -DBANNER=\"\\\"$(cat \"$RECIPE_DIR/banner.txt\")\\\"\" \\
  -Wl,-soname,libtiny.so.1 -o \"$PREFIX/lib/libtiny.so.1\" tiny.c
ln -s libtiny.so.1 \"$PREFIX/lib/libtiny.so\"
cp tiny.h \"$PREFIX/include/\"
";

/// What upstream's header says is patched, so a new patch reaches what is compiled with the header.
const PATCH: &str = "\
--- a/tiny.h
+++ b/tiny.h
@@ -1,2 +1,2 @@
-#define TINY_ANSWER 41
+#define TINY_ANSWER 42
 const char *tiny_banner(void);
";

const TOOLS: &str = "\
recipe:
  name: tools
  version: 2.0.0
build:
  number: 0
outputs:
  - package:
      name: tiny-cli
    build:
      script:
        env:
          FLAVOUR: ${{ flavour }}
          MARK: ${{ mark }}
        content: |
          set -eu
          mkdir -p \"$PREFIX/bin\"
          \"${CC:-cc}\" -O1 -I\"$PREFIX/include\" -DMARK=\"\\\"$FLAVOUR $MARK\\\"\" -Wl,-rpath,\"$PREFIX/lib\" \\
            -o \"$PREFIX/bin/tiny\" \"$RECIPE_DIR/cli.c\" -L\"$PREFIX/lib\" -ltiny
    requirements:
      host:
        - libtiny
  - package:
      name: tiny-docs
    build:
      noarch: generic
      script: mkdir -p \"$PREFIX/share\" && echo documented > \"$PREFIX/share/tiny.txt\"
";

const CLI: &str = "\
#include <stdio.h>
#include <tiny.h>
int main(void) { return printf(\"%s %d %s\\n\", tiny_banner(), TINY_ANSWER, MARK) < 0; }
";

const WORDS: &str = "\
package:
  name: words
  version: 3.0.0
source:
  path: ../../shared
build:
  noarch: generic
  script: mkdir -p \"$PREFIX/share\" && cp -a words \"$PREFIX/share/\"
";

/// What upstream's archive holds.
pub(super) const UPSTREAM: &str = "#define TINY_ANSWER 41\nconst char *tiny_banner(void);\n";

/// Another archive of the same name, whose header says more.
pub(super) const REPLACED: &str = "#define TINY_ANSWER 41\nconst char *tiny_banner(void);\n#define TINY_MORE 1\n";

/// The project, not built yet.
pub(super) fn project() -> Project {
    let project = Project::new();
    let mirror = project.beside("mirror");
    fs::create_dir(&mirror).unwrap();
    let sha256 = offer(&project, UPSTREAM);
    let project = project
        .env("ENVBUILD_SOURCE_MIRROR", mirror.to_str().unwrap())
        .manifest(MANIFEST)
        .recipe("libtiny", &LIBTINY.replace("@SHA256@", &sha256))
        .file("recipes/libtiny/build.sh", LIBTINY_SCRIPT)
        .file("recipes/libtiny/fix.patch", PATCH)
        .file("recipes/libtiny/banner.txt", "tiny says")
        .file("recipes/libtiny/NOTES", "Nobody reads this.\n")
        .recipe("tools", TOOLS)
        .file("recipes/tools/cli.c", CLI)
        .recipe("words", WORDS)
        .file("shared/words/list.txt", "one\ntwo\n")
        .file("shared/words/greet.sh", "#!/bin/sh\necho hello\n")
        .file("tests/full.sh", "set -eu\ntiny | grep -F ' 42 '\nsh \"$CONDA_PREFIX/share/words/greet.sh\"\n")
        .file("tests/old.sh", "set -eu\ntest -f \"$CONDA_PREFIX/lib/libtiny.so\"\n");
    std::os::unix::fs::symlink("list.txt", project.path("shared/words/current")).unwrap();
    set_mode(&project.path("shared/words/greet.sh"), 0o755);
    project
}

/// Puts an archive with this header into the mirror, and gives its SHA-256 in hexadecimal.
pub(super) fn offer(project: &Project, header: &str) -> String {
    let source = "#include \"tiny.h\"\nconst char *tiny_banner(void) { return BANNER; }\n";
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in [("tiny.c", source), ("tiny.h", header)] {
        let mut entry = tar::Header::new_gnu();
        entry.set_mode(0o644);
        entry.set_size(text.len() as u64);
        archive.append_data(&mut entry, format!("tiny-1.0.0/{name}"), text.as_bytes()).unwrap();
    }
    let bytes = archive.into_inner().unwrap();
    fs::write(project.beside("mirror/tiny-1.0.0.tar"), &bytes).unwrap();
    hex::encode(rattler_digest::compute_bytes_digest::<rattler_digest::Sha256>(&bytes))
}

/// Sets a file's mode.
pub(super) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
