//! Kills at any time, again and again, while the sources change.

use std::{
    fs::File,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use super::{
    ends::{end_session, lives},
    interposer::leader,
    state::{Outcome, leftovers, while_aside},
};
use crate::support::{Project, eventually, variable};

/// How many runs are killed, at least.
const KILLS: u32 = 200;

/// How many runs are killed before one may end.
const ROUND: u32 = 20;

/// Numbers that look random: splitmix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// The quickstart with one version of its library: six packages in C, two environments, two archives.
fn project() -> Project {
    let project = Project::example("quickstart");
    project.edit("project.toml", "[\"1.0.0\", \"2.0.0\"]", "[\"1.0.0\"]");
    project.edit("project.toml", "[\"Hello\", \"Welcome\"]", "[\"Hello\"]");
    project.edit(
        "recipes/libgreet/src/greet.c",
        "const char *greet_version",
        "int greet_edition = 0;\n\nconst char *greet_version",
    );
    project.edit("recipes/hello/src/hello.c", "\"usage:", "\"0 usage:");
    project.edit("recipes/greet-data/src/names.txt", "Barbara", "Barbara 0");
    project
}

/// Changes what one of three packages holds: to something that was never there before.
fn edit(project: &Project, which: u64, number: u32) {
    let (file, before, after) = [
        ("recipes/libgreet/src/greet.c", "greet_edition = ", ";"),
        ("recipes/hello/src/hello.c", "fputs(\"", " usage"),
        ("recipes/greet-data/src/names.txt", "Barbara ", "\n"),
    ][usize::try_from(which).unwrap()];
    let text = project.read(file);
    let (head, rest) = text.split_once(before).unwrap();
    let (_, tail) = rest.split_once(after).unwrap();
    project.write(file, &format!("{head}{before}{number}{after}{tail}"));
}

/// Starts a run and kills it after a while: all that it has started, or itself alone. Says whether it was still there.
fn kill_one(project: &Project, numbers: &mut Numbers, longest: Duration) -> bool {
    let jobs = ["1", "2", "4"][usize::try_from(numbers.below(3)).unwrap()];
    let mut command = leader(project, &["all", "-j", jobs]);
    let output = File::create(project.beside("output of a killed run")).unwrap();
    command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    let mut run = command.spawn().unwrap();
    // Short times are the likelier ones: what a run has done, the next one does not do again.
    let share = numbers.below(1000) * numbers.below(1000);
    thread::sleep(longest * u32::try_from(share).unwrap() / 1_000_000);
    let was_there = run.try_wait().unwrap().is_none();
    if numbers.below(4) == 0 {
        // Its children hear of it and end by themselves, while the next run begins.
        run.kill().unwrap();
        run.wait().unwrap();
        eventually("the children of a killed run are gone", || !lives(run.id()));
    } else {
        end_session(run.id());
        run.wait().unwrap();
    }
    was_there
}

/// What a run makes of the sources where nothing was made before.
fn clean(project: &Project) -> Outcome {
    while_aside(project, || {
        project.run(&["all"]).success();
        Outcome::of(project)
    })
}

#[test]
fn two_hundred_kills_at_any_time_leave_no_trace() {
    let seed = variable("ENVBUILD_TEST_SEED").and_then(|it| it.parse().ok());
    let seed = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let mut numbers = Numbers(seed);
    let project = project();
    let project = {
        let cache = project.beside("cache");
        project.env("ENVBUILD_CACHE_DIR", cache)
    };
    let started = Instant::now();
    clean(&project);
    // On a machine that is busy the test is not longer, it only kills earlier.
    let longest = (started.elapsed() / 2).min(Duration::from_secs(3));
    let (mut kills, mut edits) = (0, 0);
    while kills < KILLS {
        let mut tries = 0;
        while tries < ROUND {
            if numbers.below(3) == 0 {
                edits += 1;
                edit(&project, numbers.below(3), edits);
            }
            kills += u32::from(kill_one(&project, &mut numbers, longest));
            tries += 1;
        }
        let when = format!("after {kills} kills and {edits} edits with ENVBUILD_TEST_SEED={seed}");
        let ran = project.run(&["all"]);
        assert_eq!(ran.status, Some(0), "{when}:\n{}", ran.stderr);
        let left = leftovers(&project);
        assert!(left.is_empty(), "{when}, this is left: {left:?}");
        let outcome = Outcome::of(&project);
        project.run(&["all"]).success().says("nothing to do");
        let clean = clean(&project);
        let differences = outcome.without_older(&clean).differences(&clean);
        assert!(differences.is_empty(), "{when}:\n{differences}");
    }
}
