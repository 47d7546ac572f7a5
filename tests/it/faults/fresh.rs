//! An environment is unpacked, copied or packed, and the power is cut, or the disk is full, at every step.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::interposer::{Exchange, Fault, run_below};
use crate::support::{Project, contents_below};

/// A package that brings one file.
const RECORD: &str = r#"{"name": "x", "version": "1", "build": "0", "build_number": 0, "subdir": "noarch", "depends": [],
    "fn": "x-1-0.conda", "url": "https://conda.example/noarch/x-1-0.conda", "channel": "https://conda.example",
    "files": ["share/a"], "md5": "d41d8cd98f00b204e9800998ecf8427e", "size": 1,
    "paths_data": {"paths": [{"_path": "share/a", "path_type": "hardlink", "size_in_bytes": 8,
    "sha256": "b2ed1e5ae4e3ac5ae4e86f4bd6ed1e5ab2ed1e5ae4e3ac5ae4e86f4bd6ed1e5a"}], "paths_version": 1}}"#;

/// A small prefix, its archive, and an empty folder.
struct Bench {
    project: Project,
    prefix: PathBuf,
    archive: PathBuf,
    place: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let project = Project::new();
        let [prefix, archive, place] = ["made", "made.tar.zst", "place"].map(|name| project.beside(name));
        let here = text(&prefix).to_owned();
        for (name, content) in [
            ("conda-meta/history", String::new()),
            ("conda-meta/x-1-0.json", RECORD.to_owned()),
            ("share/a", "a file.\n".to_owned()),
            ("share/b", format!("{here}/share\n")),
            ("share/c", "x".repeat(3 << 20)),
        ] {
            let path = prefix.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        std::os::unix::fs::symlink(format!("{here}/share/a"), prefix.join("share/d")).unwrap();
        project.run(&["pack", "-p", &here, "-o", text(&archive)]).success();
        fs::create_dir(&place).unwrap();
        Self { project, prefix, archive, place }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    fn restart(&self) {
        fs::remove_dir_all(&self.place).unwrap();
        fs::create_dir(&self.place).unwrap();
    }

    /// Runs a command that makes something at the goal, with the power cut at every other write and a full disk at the ones
    /// between. What it makes is whole or not there, and a full disk leaves nothing else.
    #[track_caller]
    fn assert_whole_or_nothing(&self, goal: &Path, arguments: &[&str]) {
        self.project.run(arguments).success();
        let whole = contents_below(&self.place);
        assert!(!whole.is_empty());
        let mut flaws = Vec::new();
        for at in 1.. {
            let fault = if at % 2 == 0 { Fault::Kill } else { Fault::Full };
            self.restart();
            let exchange = Exchange::Seen;
            let faulted = run_below(&self.project, arguments, (text(&self.place), exchange), at, fault);
            if !faulted.fired {
                assert!(at > 10, "only {at} writes were seen");
                break;
            }
            let mut flaw = |what: &str| flaws.push(format!("{fault:?} at {}: {what}", faulted.what));
            if goal.exists() && !is_part_of(goal, &self.place, &whole) {
                flaw("what is there is not whole");
            }
            if fault == Fault::Full && faulted.ran.status != Some(0) {
                // An archive whose checksum could not be written beside it is whole.
                if fs::read_dir(&self.place).unwrap().any(|it| it.unwrap().path() != goal) {
                    flaw("something is left");
                }
                // A sentence may be broken where a line ends.
                let said: Vec<&str> = faulted.ran.stderr.split_whitespace().filter(|it| *it != "│").collect();
                if !said.join(" ").contains("No space left on device") {
                    flaw(&faulted.ran.stderr);
                }
            }
            if !goal.exists() {
                let next = self.project.run(arguments);
                if next.status != Some(0) || !is_part_of(goal, &self.place, &whole) {
                    flaw(&format!("the next run says {}", next.stderr));
                }
            }
        }
        assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    }
}

/// Whether what is at the goal is what a clean run leaves there.
fn is_part_of(goal: &Path, place: &Path, whole: &[(PathBuf, Vec<u8>)]) -> bool {
    let name = goal.strip_prefix(place).unwrap();
    let ours = contents_below(place);
    let at_goal = |all: &[(PathBuf, Vec<u8>)]| -> Vec<(PathBuf, Vec<u8>)> {
        all.iter().filter(|(path, _)| path.starts_with(name)).cloned().collect()
    };
    at_goal(&ours) == at_goal(whole)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn an_environment_that_is_unpacked_is_whole_or_not_there() {
    let bench = Bench::new();
    let goal = bench.at("environment");
    bench.assert_whole_or_nothing(&goal, &["unpack", text(&bench.archive), "-p", text(&goal), "-j", "1"]);
}

#[test]
fn a_clone_is_whole_or_not_there() {
    let bench = Bench::new();
    let goal = bench.at("clone");
    bench.assert_whole_or_nothing(&goal, &["clone", text(&bench.prefix), "-p", text(&goal), "-j", "1"]);
}

#[test]
fn a_packed_prefix_is_whole_or_not_there() {
    let bench = Bench::new();
    let goal = bench.at("packed.tar.zst");
    bench.assert_whole_or_nothing(&goal, &["pack", "-p", text(&bench.prefix), "-o", text(&goal), "-j", "1"]);
}
