//! The machine: what of it counts, and what does not.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use envbuild::fingerprint::Inputs;
use serde_json::Value;

use crate::{
    exact::row::{Row, Then},
    support::{Project, files_below},
};

pub(super) fn rows() -> Vec<Row> {
    let mut all = host();
    all.extend(nothing());
    all
}

fn host() -> Vec<Row> {
    vec![
        Row::new(
            "the host's label",
            |it| it.edit("project.toml", "\"site\"", "\"other\""),
            Then::Runs(
                "dirty  build:libtiny  (host/label changed)
                 dirty  build:tiny-cli[flavour=bold,mark=bang]  (host/label changed)
                 dirty  build:tiny-cli[flavour=plain,mark=dot]  (host/label changed)
                 chain maybe  lock:full-*  (waits for build:libtiny and 1 more)
                 chain maybe  lock:old  (waits for build:libtiny)
                 why  build:libtiny  host/label  site => other",
            ),
        ),
        Row::new(
            "an allowed run path that no package has",
            |it| it.edit("project.toml", "\"/opt/one/**\"", "\"/opt/one/**\", \"/opt/two/**\""),
            Then::RunsAndKeepsPackages(
                "dirty  build:libtiny  (host/rpaths changed)
                 dirty  build:tiny-cli[flavour=bold,mark=bang]  (host/rpaths changed)
                 dirty  build:tiny-cli[flavour=plain,mark=dot]  (host/rpaths changed)
                 why  build:libtiny  host/rpaths  /opt/one/** => /opt/one/** /opt/two/**",
            ),
        ),
        Row::new(
            "the version of the library that builds",
            |it| age_the_engine(it),
            Then::RunsAndKeepsPackages(
                "dirty  build:libtiny  (engine changed)
                 dirty  build:tiny-cli[flavour=bold,mark=bang]  (engine changed)
                 dirty  build:tiny-cli[flavour=plain,mark=dot]  (engine changed)
                 dirty  build:tiny-docs  (engine changed)
                 dirty  build:words  (engine changed)
                 why  build:words  engine  rattler_build_core 0.2.1, form 1 => rattler_build_core [..]",
            ),
        ),
    ]
}

/// What an older program with an older library left: its keys are those of its own inputs.
fn age_the_engine(project: &Project) {
    let builds = project.path(".envbuild/builds");
    fs::remove_dir_all(&builds).unwrap();
    fs::create_dir(&builds).unwrap();
    let records = project.path(".envbuild/records");
    for name in files_below(&records).iter().filter(|it| it.to_string_lossy().starts_with("build+")) {
        let mut record: Value = serde_json::from_slice(&fs::read(records.join(name)).unwrap()).unwrap();
        record["inputs"]["engine"] = Value::from("rattler_build_core 0.2.1, form 1");
        let inputs: Inputs = serde_json::from_value(record["inputs"].clone()).unwrap();
        record["key"] = Value::from(inputs.key().to_string());
        let bytes = serde_json::to_vec_pretty(&record).unwrap();
        // As the program does: a record is another file each time, and their folder shows it.
        fs::remove_file(records.join(name)).unwrap();
        fs::write(records.join(name), &bytes).unwrap();
        fs::write(builds.join(format!("{}.json", inputs.key())), &bytes).unwrap();
    }
}

/// What no key holds.
fn nothing() -> Vec<Row> {
    vec![
        Row::nothing("every file is touched", |it| {
            let another_time = SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 30);
            for file in files_below(it.root()).into_iter().map(|file| it.path(file)).filter(|it| !it.is_symlink()) {
                fs::File::open(file).unwrap().set_modified(another_time).unwrap();
            }
        }),
        Row::nothing("one job", |_| {}).with(&["-j", "1"]),
        Row::nothing("many jobs", |_| {}).with(&["-j", "16"]),
        Row::nothing("the tables and keys of project.toml in another order", |it| {
            let text = it.read("project.toml");
            let mut tables: Vec<String> = text.split("\n\n").map(turned).collect();
            tables.reverse();
            it.write("project.toml", &tables.join("\n\n"));
        }),
        Row::nothing("comments and spaces in project.toml", |it| {
            let lines: Vec<String> =
                it.read("project.toml").lines().map(|it| format!("  {it}  # A comment.")).collect();
            it.write("project.toml", &lines.join("\n\n"));
        }),
        Row::nothing("variables that no build sees", |it| {
            for (name, value) in [("EDITOR", "ed"), ("CFLAGS", "-O3"), ("LANG", "de_DE.UTF-8"), ("TZ", "Asia/Tokyo")] {
                it.set(name, value);
            }
        }),
        Row::nothing("another user with another home and another cache", |it| {
            let home = it.beside("other home");
            fs::create_dir(&home).unwrap();
            for name in ["HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "ENVBUILD_CACHE_DIR"] {
                it.set(name, home.join(name));
            }
            it.set("HOME", &home);
            it.set("USER", "nobody");
            it.become_nobody();
        }),
        Row::nothing("the first user again", Project::become_ourselves),
        Row::new(
            "a clone at another place: its prefixes name the old one",
            |it| it.clone_to("clones/clone"),
            Then::RunsAndKeepsPackages(
                "dirty  install:full-*  (the prefix was made at [ROOM]/project/.envbuild/envs/full-*)
                 dirty  install:old  (the prefix was made at [ROOM]/project/.envbuild/envs/old)",
            ),
        ),
        Row::nothing("the original, which the clone has left alone", |it| it.go_to("project")),
        Row::new(
            "the checkout is moved",
            |it| it.move_to("else where/moved"),
            Then::RunsAndKeepsPackages(
                "dirty  install:full-*  (the prefix was made at [ROOM]/project/.envbuild/envs/full-*)
                 dirty  install:old  (the prefix was made at [ROOM]/project/.envbuild/envs/old)",
            ),
        ),
    ]
}

/// A table with its keys in the opposite order.
fn turned(table: &str) -> String {
    let mut lines: Vec<&str> = table.lines().collect();
    lines[1..].reverse();
    lines.join("\n")
}
