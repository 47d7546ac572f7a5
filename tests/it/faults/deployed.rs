//! An environment is updated or relocated, and the power is cut, or the disk is full, at every step.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::io::Errno;

use super::{
    interposer::{Exchange, Fault, run_below},
    small::at_every_step,
};
use crate::support::{Project, contents_below};

/// A package without files.
const RECORD: &str = r#"{"name": "x", "version": "1", "build": "0", "build_number": 0, "subdir": "noarch", "depends": [],
    "fn": "x-1-0.conda", "url": "https://conda.example/noarch/x-1-0.conda", "channel": "https://conda.example", "files": [],
    "md5": "d41d8cd98f00b204e9800998ecf8427e", "size": 1, "paths_data": {"paths": [], "paths_version": 1}}"#;

/// How many files of each kind there are: a first one, a last one, and some in between, with each of which the same is done.
const FILES: u32 = 9;

/// How many writes there are at least, then.
const LEAST: u64 = 30;

/// An environment that was unpacked, what it is to become, and what makes it so.
struct Deployed {
    project: Project,
    prefix: PathBuf,
    before: PathBuf,
    old: Vec<(PathBuf, Vec<u8>)>,
}

impl Deployed {
    fn new() -> Self {
        let project = Project::new();
        let made = project.beside("made");
        write(&made, "conda-meta/history", "");
        write(&made, "conda-meta/x-1-0.json", RECORD);
        for number in 0..FILES {
            write(&made, &format!("share/a/{number}"), &format!("{} is the prefix\n", made.display()));
            write(&made, &format!("share/b/{number}"), "no prefix\n");
        }
        let old = project.beside("old.tar.zst");
        project.run(&["pack", "-p", text(&made), "-o", text(&old)]).success();
        for number in 0..FILES / 3 {
            fs::remove_file(made.join(format!("share/a/{number}"))).unwrap();
            write(&made, &format!("share/b/{number}"), &format!("now in {}\n", made.display()));
            write(&made, &format!("share/c/{number}"), &format!("new in {}\n", made.display()));
        }
        let update = project.beside("update.tar.zst");
        project.run(&["pack", "-p", text(&made), "-o", text(&update), "--since", text(&old)]).success();
        let place = project.beside("place");
        let prefix = place.join("environment");
        project.run(&["unpack", text(&old), "-p", text(&prefix)]).success();
        let before = project.beside("before");
        copy(&prefix, &before);
        let old = contents_below(&prefix);
        Self { project, prefix, before, old }
    }

    fn place(&self) -> &Path {
        self.prefix.parent().unwrap()
    }

    /// As it was at first.
    fn restart(&self) {
        fs::remove_dir_all(self.place()).unwrap();
        fs::create_dir(self.place()).unwrap();
        copy(&self.before, &self.prefix);
    }

    /// Runs a command at whose n-th write something happens, and once more; what is wrong then, if anything.
    fn try_at(&self, arguments: &[&str], goal: &Goal, at: u64, fault: Fault) -> Option<(String, String)> {
        self.restart();
        let roots = goal.roots.clone().unwrap_or_else(|| text(self.place()).to_owned());
        let faulted = run_below(&self.project, arguments, (&roots, goal.exchange), at, fault);
        if !faulted.fired {
            faulted.ran.success();
            return None;
        }
        let mut flaw = String::new();
        let now = contents_below(&self.prefix);
        if goal.at_once && now != self.old && now != goal.tree {
            flaw += "it is neither the old tree nor the new one\n";
        }
        if fault != Fault::Kill && goal.at_once && fs::read_dir(self.place()).unwrap().count() != 1 {
            flaw += "something is left beside it\n";
        }
        let next = self.project.run(arguments);
        if next.status != Some(0) {
            flaw += &format!("the next run says:\n{}", next.stderr);
        }
        if contents_below(&self.prefix) != goal.tree {
            flaw += "the next run does not make the new tree\n";
        }
        let verified = self.project.run(&["unpack", "--verify", text(&self.prefix)]);
        if verified.status != Some(0) {
            flaw += &format!("it is not as its digests say:\n{}{}", verified.stdout, verified.stderr);
        }
        Some((faulted.what, flaw))
    }
}

/// What a command makes of the environment.
struct Goal {
    tree: Vec<(PathBuf, Vec<u8>)>,
    /// Whether there is nothing between the old tree and the new one.
    at_once: bool,
    exchange: Exchange,
    /// Where writes are counted, when not everywhere beside the environment.
    roots: Option<String>,
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn write(folder: &Path, name: &str, content: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

#[test]
fn an_update_that_is_killed_or_fails_at_any_step_leaves_the_old_tree_or_the_new_one() {
    let deployed = Deployed::new();
    let update = deployed.project.beside("update.tar.zst");
    let arguments = ["unpack", text(&update), "-p", text(&deployed.prefix), "-j", "1"];
    deployed.project.run(&arguments).success();
    let goal = Goal { tree: contents_below(&deployed.prefix), at_once: true, exchange: Exchange::Seen, roots: None };
    assert_ne!(goal.tree, deployed.old);
    for fault in [Fault::Kill, Fault::Full] {
        let mut exchanges = 0;
        at_every_step(LEAST, |at| {
            let tried = deployed.try_at(&arguments, &goal, at, fault);
            exchanges += usize::from(tried.as_ref().is_some_and(|(what, _)| what.starts_with("renameat2")));
            tried
        });
        assert_eq!(exchanges, usize::from(cfg!(target_arch = "x86_64")), "{fault:?}");
    }
    // Where two names cannot be exchanged, the old tree goes aside, the new one comes, and the old one is deleted.
    let aside = deployed.place().join(".envbuild-old-environment");
    let roots = format!("{}:{}", text(&aside), text(&deployed.prefix));
    let goal = Goal { at_once: false, exchange: Exchange::Missing, roots: Some(roots), ..goal };
    for fault in [Fault::Kill, Fault::Once(Errno::IO)] {
        let tried: Vec<_> = (1..).map_while(|at| deployed.try_at(&arguments, &goal, at, fault)).collect();
        let renames = tried.iter().filter(|(what, _)| what.starts_with("rename ")).count();
        assert!(renames > 1 || cfg!(not(target_arch = "x86_64")), "{tried:?}");
        assert!(tried.iter().all(|(_, flaw)| flaw.is_empty()), "{fault:?}: {tried:?}");
    }
}

#[test]
fn an_environment_whose_unpacking_is_killed_at_any_step_is_there_as_a_whole_or_not_at_all() {
    let deployed = Deployed::new();
    let archive = deployed.project.beside("old.tar.zst");
    let arguments = ["unpack", text(&archive), "-p", text(&deployed.prefix), "-j", "1"];
    at_every_step(LEAST, |at| {
        fs::remove_dir_all(deployed.place()).unwrap();
        fs::create_dir(deployed.place()).unwrap();
        let faulted =
            run_below(&deployed.project, &arguments, (text(deployed.place()), Exchange::Seen), at, Fault::Kill);
        let is_there = deployed.prefix.exists();
        let mut flaw = String::new();
        if is_there && contents_below(&deployed.prefix) != deployed.old {
            flaw += "half of it is there\n";
        }
        if !faulted.fired {
            faulted.ran.success();
            return None;
        }
        // What lies beside it is in nobody's way, wherever that comes from.
        if at % 16 == 0 && !is_there && deployed.project.run(&arguments).status != Some(0) {
            flaw += "it cannot be unpacked again\n";
        }
        Some((faulted.what, flaw))
    });
}

#[test]
fn a_relocation_that_is_killed_or_fails_at_any_step_goes_on() {
    let mut deployed = Deployed::new();
    // The same files, elsewhere.
    let moved = deployed.place().join("moved to a longer path");
    fs::rename(&deployed.prefix, &moved).unwrap();
    deployed.prefix = moved;
    let arguments = ["unpack", "--relocate", text(&deployed.prefix), "-j", "1"];
    deployed.project.run(&arguments).success();
    let goal = Goal { tree: contents_below(&deployed.prefix), at_once: false, exchange: Exchange::Seen, roots: None };
    assert_ne!(goal.tree, deployed.old);
    for fault in [Fault::Kill, Fault::Full] {
        at_every_step(LEAST, |at| deployed.try_at(&arguments, &goal, at, fault));
    }
}
