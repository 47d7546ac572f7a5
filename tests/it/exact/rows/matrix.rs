//! The matrix: a value that changes, one more, one less.

use crate::exact::row::{Row, Then};

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new(
            "a value of an axis that one package reads",
            |it| it.edit("project.toml", "\"bang\"", "\"query\""),
            Then::Runs(
                "dirty  build:tiny-cli[flavour=bold,mark=query]  (never done)
                 chain dirty  lock:full-flavourbold  (needs/build:tiny-cli[flavour=bold,mark=bang] is gone)",
            ),
        ),
        Row::new(
            "one more value",
            |it| {
                it.edit("project.toml", "\"bold\"]", "\"bold\", \"huge\"]");
                it.edit("project.toml", "\"query\"]", "\"query\", \"bang\"]");
            },
            Then::Runs(
                "dirty  build:tiny-cli[flavour=huge,mark=bang]  (never done)
                 dirty  lock:full-flavourhuge  (never done)
                 dirty  install:full-flavourhuge  (never done)
                 dirty  test:full-flavourhuge  (never done)
                 dirty  pack:full-flavourhuge  (never done)",
            ),
        ),
        Row::nothing("a value less", |it| {
            it.edit("project.toml", "\"bold\", \"huge\"]", "\"bold\"]");
            it.edit("project.toml", "\"query\", \"bang\"]", "\"query\"]");
        }),
        Row::nothing("the values in another order", |it| {
            it.edit("project.toml", "[\"plain\", \"bold\"]", "[\"bold\", \"plain\"]");
            it.edit("project.toml", "[\"dot\", \"query\"]", "[\"query\", \"dot\"]");
        }),
        Row::new(
            "the value as it was: the package is there, and only the environment follows",
            |it| it.edit("project.toml", "\"query\"", "\"bang\""),
            Then::Runs(
                "chain dirty  lock:full-flavourbold  (needs/build:tiny-cli[flavour=bold,mark=bang] is new, and 1 more)",
            ),
        ),
    ]
}
