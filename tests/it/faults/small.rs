//! The smallest project with every kind of node in it, in two states: nothing is built, or everything is and a recipe
//! was edited since.

use std::{fmt::Write as _, path::PathBuf};

use super::state::{Kept, Outcome, leftovers};
use crate::support::Project;

/// A project, what to start from, and what a run that nothing disturbs makes of it.
#[derive(Debug)]
pub(super) struct Small {
    pub(super) project: Project,
    start: Kept,
    pub(super) clean: Outcome,
}

impl Small {
    /// Nothing is built.
    pub(super) fn new() -> Self {
        Self::from(project())
    }

    /// Everything is built, and a file of the package at the bottom is another one now: every node has an old truth.
    pub(super) fn edited() -> Self {
        let project = project();
        project.run(&ARGUMENTS).success();
        project.edit("recipes/base/recipe.yaml", "echo base", "echo edited");
        Self::from(project)
    }

    fn from(project: Project) -> Self {
        let start = Kept::of(&project);
        project.run(&ARGUMENTS).success().says("6 built");
        project.assert_fresh();
        let clean = Outcome::of(&project);
        assert_eq!(leftovers(&project), Vec::<PathBuf>::new());
        Self { project, start, clean }
    }

    /// Puts the project back into the state to start from.
    pub(super) fn restart(&self) {
        self.start.put_back(&self.project);
    }

    /// In what the project is not as after a clean run that leaves nothing to do; empty when it is.
    pub(super) fn flaws(&self) -> String {
        let mut text = Outcome::of(&self.project).differences(&self.clean);
        let left = leftovers(&self.project);
        if !left.is_empty() {
            let _ = writeln!(text, "this is left: {left:?}");
        }
        let again = self.project.run(&["all"]);
        if again.status != Some(0) || !again.stderr.contains("nothing to do") {
            let _ = writeln!(text, "there is work:\n{}", again.stderr);
        }
        text
    }
}

/// Does something at step 1, 2, 3 … until it says that there is no such step; it gives the name of the step and what is
/// wrong, if anything. Fails with all that was wrong, and when there were not even `least` steps.
#[track_caller]
pub(super) fn at_every_step(least: u64, mut check: impl FnMut(u64) -> Option<(String, String)>) {
    let mut flaws = Vec::new();
    let mut at = 1;
    while let Some((what, flaw)) = check(at) {
        if !flaw.is_empty() {
            flaws.push(format!("write {at}, {what}:\n{flaw}"));
            // What is wrong everywhere is seen by now.
            if flaws.len() == 8 {
                break;
            }
        }
        at += 1;
    }
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    assert!(at > least, "only {at} writes were seen");
}

/// One job at a time: then the n-th write is the same one whenever the program is run.
pub(super) const ARGUMENTS: [&str; 3] = ["all", "-j", "1"];

/// The project, with nothing built.
pub(super) fn project() -> Project {
    let recipe = |name: &str, build: &str, script: &str, host: &str| {
        format!(
            "package:\n  name: {name}\n  version: 1.0.0\nbuild:\n{build}  script:\n    - mkdir -p $PREFIX/share\n    - \
             {script}\nrequirements:\n  host: [{host}]\n  run: [{host}]\n"
        )
    };
    Project::new()
        .manifest(
            "[project]\nname = \"small\"\nchannels = []\n[recipes.base]\npath = \"recipes/base\"\n[recipes.tool]\npath = \
             \"recipes/tool\"\n[environments.both]\ndependencies = [\"tool\"]\ntest = \"tests/both.sh\"\npack = \
             [\"tar.zst\"]\n",
        )
        .recipe("base", &recipe("base", "  noarch: generic\n", "echo base in $PREFIX > $PREFIX/share/base", ""))
        .recipe("tool", &recipe("tool", "", "(echo tool; cat $PREFIX/share/base) > $PREFIX/share/tool", "base"))
        .file("tests/both.sh", "grep tool $CONDA_PREFIX/share/tool\n")
}
