//! What a package is made of: scripts, patches, sources, the recipe itself.

use std::{fs, os::unix::fs::symlink};

use crate::exact::{
    project::{REPLACED, UPSTREAM, offer, set_mode},
    row::{Row, Then},
};

pub(super) fn rows() -> Vec<Row> {
    let mut rows =
        vec![Row::new("the first run", |_| {}, Then::Runs(EVERYTHING)), Row::nothing("a second run", |_| {})];
    rows.extend(recipe());
    rows.extend(sources());
    rows
}

const EVERYTHING: &str = "
    dirty  build:libtiny  (never done)
    dirty  build:tiny-cli[flavour=bold,mark=bang]  (never done)
    dirty  build:tiny-cli[flavour=plain,mark=dot]  (never done)
    dirty  build:tiny-docs  (never done)
    dirty  build:words  (never done)
    dirty  lock:full-*  (never done)
    dirty  install:full-*  (never done)
    dirty  test:full-*  (never done)
    dirty  pack:full-*  (never done)
    dirty  lock:old  (never done)
    dirty  install:old  (never done)
    dirty  test:old  (never done)";

/// Files of the recipe's folder.
fn recipe() -> Vec<Row> {
    vec![
        Row::new(
            "a comment in the library's script: the package comes out as it was",
            |it| it.edit("recipes/libtiny/build.sh", "set -eu\n", "set -eu\n# A comment.\n"),
            Then::RunsAndKeepsPackages(
                "dirty  build:libtiny  (recipe/build.sh changed)
                 why  build:libtiny  recipe/build.sh  file recipes/libtiny/build.sh",
            ),
        ),
        Row::new(
            "the library's script: the program is linked again and comes out as it was",
            |it| it.edit("recipes/libtiny/build.sh", "-O1", "-O2 -DUNUSED -g"),
            Then::Runs(
                "dirty  build:libtiny  (recipe/build.sh changed)
                 maybe  build:tiny-cli[flavour=bold,mark=bang]  (waits for build:libtiny)
                 maybe  build:tiny-cli[flavour=plain,mark=dot]  (waits for build:libtiny)
                 chain maybe  lock:full-*  (waits for build:libtiny and 1 more)
                 chain maybe  lock:old  (waits for build:libtiny)
                 why  build:libtiny  recipe/build.sh  file recipes/libtiny/build.sh",
            ),
        ),
        Row::new(
            "the patch: the header changes, and so does the program",
            |it| {
                it.edit("recipes/libtiny/fix.patch", "+#define TINY_ANSWER 42", "+#define TINY_ANSWER 43");
                it.edit("tests/full.sh", " 42 ", " 43 ");
            },
            Then::Runs(
                "dirty  build:libtiny  (recipe/fix.patch changed)
                 maybe  build:tiny-cli[flavour=bold,mark=bang]  (waits for build:libtiny)
                 maybe  build:tiny-cli[flavour=plain,mark=dot]  (waits for build:libtiny)
                 maybe  lock:full-*  (waits for build:libtiny and 1 more)
                 maybe  install:full-*  (waits for lock:full-*)
                 dirty  test:full-*  (script changed)
                 maybe  pack:full-*  (waits for lock:full-*)
                 chain maybe  lock:old  (waits for build:libtiny)
                 why  build:libtiny  recipe/fix.patch  file recipes/libtiny/fix.patch",
            ),
        ),
        Row::new(
            "a file that the script reads",
            |it| it.write("recipes/libtiny/banner.txt", "tiny sings"),
            Then::Runs(
                "dirty  build:libtiny  (recipe/banner.txt changed)
                 maybe  build:tiny-cli[flavour=bold,mark=bang]  (waits for build:libtiny)
                 maybe  build:tiny-cli[flavour=plain,mark=dot]  (waits for build:libtiny)
                 chain maybe  lock:full-*  (waits for build:libtiny and 1 more)
                 chain maybe  lock:old  (waits for build:libtiny)
                 why  build:libtiny  recipe/banner.txt  file recipes/libtiny/banner.txt",
            ),
        ),
        Row::new(
            "a file of the folder that nothing reads",
            |it| it.write("recipes/libtiny/NOTES", "Nobody reads this either.\n"),
            Then::RunsAndKeepsPackages(
                "dirty  build:libtiny  (recipe/NOTES changed)
                 why  build:libtiny  recipe/NOTES  file recipes/libtiny/NOTES",
            ),
        ),
        Row::new(
            "a new file in the folder",
            |it| it.write("recipes/libtiny/more/new.txt", "new"),
            Then::RunsAndKeepsPackages(
                "dirty  build:libtiny  (recipe/more/new.txt is new)
                 why  build:libtiny  recipe/more/new.txt  file recipes/libtiny/more/new.txt",
            ),
        ),
        Row::nothing("the new file goes: all of it was built before", |it| {
            fs::remove_dir_all(it.path("recipes/libtiny/more")).unwrap();
        }),
        Row::new(
            "a comment in the text of a recipe: its packages are built again, and come out as they were",
            |it| it.edit("recipes/tools/recipe.yaml", "outputs:", "# Two packages.\noutputs:"),
            Then::RunsAndKeepsPackages(
                "dirty  build:tiny-cli[flavour=bold,mark=bang]  (recipe/recipe.yaml changed)
                 dirty  build:tiny-cli[flavour=plain,mark=dot]  (recipe/recipe.yaml changed)
                 dirty  build:tiny-docs  (recipe/recipe.yaml changed)
                 why  build:tiny-docs  recipe/recipe.yaml  file recipes/tools/recipe.yaml",
            ),
        ),
        Row::new(
            "the version",
            |it| it.edit("recipes/words/recipe.yaml", "3.0.0", "3.1.0"),
            Then::Runs(
                "dirty  build:words  (package changed, and 1 more)
                 chain maybe  lock:full-*  (waits for build:words)
                 why  build:words  recipe/recipe.yaml  file recipes/words/recipe.yaml
                 why  build:words  package  words 3.0.0 [..] => words 3.1.0 [..]",
            ),
        ),
        Row::new(
            "the build number",
            |it| it.edit("recipes/tools/recipe.yaml", "number: 0", "number: 1"),
            Then::Runs(
                "dirty  build:tiny-cli[flavour=bold,mark=bang]  (package changed, and 1 more)
                 dirty  build:tiny-cli[flavour=plain,mark=dot]  (package changed, and 1 more)
                 dirty  build:tiny-docs  (package changed, and 1 more)
                 chain maybe  lock:full-flavourbold  (waits for build:tiny-cli[flavour=bold,mark=bang])
                 chain maybe  lock:full-flavourplain  (waits for build:tiny-cli[flavour=plain,mark=dot])
                 why  build:tiny-docs  package  tiny-docs 2.0.0 [..]_0 => tiny-docs 2.0.0 [..]_1",
            ),
        ),
    ]
}

/// What is not in the recipe's folder.
fn sources() -> Vec<Row> {
    vec![
        Row::new(
            "a file of a source outside the recipe's folder",
            |it| it.write("shared/words/list.txt", "one\ntwo\nthree\n"),
            Then::Runs(
                "dirty  build:words  (source/../../shared/words/list.txt changed)
                 chain maybe  lock:full-*  (waits for build:words)
                 why  build:words  source/../../shared/words/list.txt  file shared/words/list.txt",
            ),
        ),
        Row::new(
            "other bytes with the old size and the old time",
            |it| {
                let path = it.path("shared/words/list.txt");
                let time = path.metadata().unwrap().modified().unwrap();
                it.edit("shared/words/list.txt", "three", "seven");
                fs::File::open(path).unwrap().set_modified(time).unwrap();
            },
            Then::Runs(
                "dirty  build:words  (source/../../shared/words/list.txt changed)
                 chain maybe  lock:full-*  (waits for build:words)
                 why  build:words  source/../../shared/words/list.txt  file shared/words/list.txt",
            ),
        ),
        Row::new(
            "the mode of such a file",
            |it| set_mode(&it.path("shared/words/greet.sh"), 0o644),
            Then::Runs(
                "dirty  build:words  (source/../../shared/words/greet.sh changed)
                 chain maybe  lock:full-*  (waits for build:words)
                 why  build:words  source/../../shared/words/greet.sh  file shared/words/greet.sh",
            ),
        ),
        Row::new(
            "where a link leads",
            |it| {
                fs::remove_file(it.path("shared/words/current")).unwrap();
                symlink("greet.sh", it.path("shared/words/current")).unwrap();
            },
            Then::Runs(
                "dirty  build:words  (source/../../shared/words/current changed)
                 chain maybe  lock:full-*  (waits for build:words)
                 why  build:words  source/../../shared/words/current  file shared/words/current",
            ),
        ),
        Row::new(
            "a new file",
            |it| it.write("shared/words/more/list.txt", "four\n"),
            Then::Runs(
                "dirty  build:words  (source/../../shared/words/more/list.txt is new)
                 chain maybe  lock:full-*  (waits for build:words)
                 why  build:words  source/../../shared/words/more/list.txt  file shared/words/more/list.txt",
            ),
        ),
        Row::nothing("other bytes under the URL of a source that is in the store", |it| drop(offer(it, REPLACED))),
        Row::new(
            "other bytes under the URL, and the store is empty",
            |it| {
                fs::remove_dir_all(it.path(".envbuild/cache/sources")).unwrap();
                it.edit("recipes/libtiny/build.sh", "# A comment.", "# Another comment.");
            },
            Then::Refused("dirty  build:libtiny  (recipe/build.sh changed)", |it| {
                let (found, expected) = (offer(it, REPLACED), offer(it, UPSTREAM));
                vec![format!("tiny-1.0.0.tar` has sha256 {found} instead of sha256 {expected}")]
            }),
        )
        .with(&["--offline"]),
        Row::nothing("the comment is taken back", |it| {
            it.edit("recipes/libtiny/build.sh", "# Another comment.", "# A comment.");
        }),
        Row::new(
            "other bytes, which the recipe names",
            |it| {
                let (new, old) = (offer(it, REPLACED), offer(it, UPSTREAM));
                offer(it, REPLACED);
                it.edit("recipes/libtiny/recipe.yaml", &old, &new);
            },
            Then::Runs(
                "dirty  build:libtiny  (recipe/recipe.yaml changed)
                 maybe  build:tiny-cli[flavour=bold,mark=bang]  (waits for build:libtiny)
                 maybe  build:tiny-cli[flavour=plain,mark=dot]  (waits for build:libtiny)
                 chain maybe  lock:full-*  (waits for build:libtiny and 1 more)
                 chain maybe  lock:old  (waits for build:libtiny)",
            ),
        ),
    ]
}
