//! Environments: specs, tests, archives, targets.

use std::fs;

use crate::exact::{
    project::set_mode,
    row::{Row, Then},
};

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new(
            "one more spec",
            |it| it.edit("project.toml", "[\"libtiny\"]", "[\"libtiny\", \"tiny-docs\"]"),
            Then::Runs(
                "chain dirty  lock:old  (needs/build:tiny-docs is new, and 1 more)
                 why  lock:old  spec/tiny-docs  none => empty",
            ),
        ),
        Row::new(
            "a narrower spec that the same packages satisfy",
            |it| it.edit("project.toml", "\"tiny-docs\"]", "\"tiny-docs >=2\"]"),
            Then::RunsAndKeepsPackages(
                "dirty  lock:old  (spec/tiny-docs >=2 is new, and 1 more)
                 why  lock:old  spec/tiny-docs  empty => none",
            ),
        ),
        Row::nothing("the specs in another order", |it| {
            it.edit("project.toml", "[\"libtiny\", \"tiny-docs >=2\"]", "[\"tiny-docs >=2\", \"libtiny\"]");
        }),
        Row::new(
            "the test script",
            |it| it.edit("tests/old.sh", "set -eu\n", "set -eu\ntest -f \"$CONDA_PREFIX/share/tiny.txt\"\n"),
            Then::RunsAndKeepsPackages(
                "dirty  test:old  (script changed)
                 why  test:old  script  file tests/old.sh",
            ),
        ),
        Row::new(
            "the mode of the test script, which decides who runs it",
            |it| {
                it.edit("tests/old.sh", "set -eu\n", "#!/bin/sh\nset -eu\n");
                set_mode(&it.path("tests/old.sh"), 0o755);
            },
            Then::RunsAndKeepsPackages(
                "dirty  test:old  (script changed)
                 why  test:old  script  file tests/old.sh",
            ),
        ),
        // There is one format, so an archive can only be wanted or not.
        Row::new(
            "an archive is wanted",
            |it| it.edit("project.toml", "pack = []", "pack = [\"tar.zst\"]"),
            Then::RunsAndKeepsPackages("dirty  pack:old  (never done)"),
        ),
        Row::nothing("the archive is not wanted any more", |it| {
            it.edit("project.toml", "pack = [\"tar.zst\"]", "pack = []");
        }),
        Row::new(
            "a virtual package of the target",
            |it| it.edit("project.toml", "2.28", "2.17"),
            Then::RunsAndKeepsPackages("dirty  lock:old  (virtual-packages changed)"),
        ),
        Row::new(
            "packages and locks are brought up to date alone, and the rest is left for later",
            |it| {
                it.write("shared/words/list.txt", "eight\n");
                it.run(&["lock"]).success();
            },
            Then::Runs(
                "dirty  install:full-*  (package/words changed)
                 maybe  test:full-*  (waits for install:full-*)
                 dirty  pack:full-*  (package/words changed)
                 why  install:full-flavourbold  package/words  3.1.0 [..] => 3.1.0 [..]",
            ),
        ),
        Row::new(
            "the lock file is gone",
            |it| fs::remove_file(it.path("envbuild.lock")).unwrap(),
            Then::RunsAndKeepsPackages(
                "dirty  lock:full-*  (the lock file changed)
                 dirty  lock:old  (the lock file changed)",
            ),
        ),
    ]
}
