//! Real processes contend for real locks, with flock and without; claims of every kind are taken over or waited for.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::Duration,
};

use tempfile::TempDir;

use super::{FileLock, LockError, Means, Wait, owner::Claim, place::beat};
use crate::base::Cancel;

/// Says where a copy of this test's process shall count, and by which means.
const ROLE: &str = "ENVBUILD_TEST_CONTENDER";

/// Without flock, as on a file system that grants it to everybody.
const CLAIMS: Means = Means { flock: false, pulse: Duration::from_millis(50), silence: Duration::from_millis(600) };

const BOTH: Means = Means { flock: true, ..CLAIMS };

/// Longer than any test takes.
fn long() -> Wait {
    Wait::at_most(Duration::from_secs(120))
}

fn take(means: Means, path: &Path) -> FileLock {
    FileLock::acquire_by(means, path, &long(), |_| {}).unwrap()
}

fn attempt(means: Means, path: &Path) -> Result<FileLock, LockError> {
    FileLock::acquire_by(means, path, &Wait::default(), |_| {})
}

fn place() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (lock, claim) = (folder.path().join("lock"), folder.path().join("lock.owner"));
    (folder, lock, claim)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A claim as it would stand there had somebody else written it.
fn leave(claim: &Path, change: impl FnOnce(&mut Claim)) {
    let mut other = Claim::of_this_process();
    change(&mut other);
    fs::write(claim, serde_json::to_vec(&other).unwrap()).unwrap();
}

/// A process that has ended.
fn dead_process() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// Adds one to a number in a file, in three steps that another one must not come between.
fn count(folder: &Path, means: Means) {
    let _lock = take(means, &folder.join("lock"));
    let counter = folder.join("counter");
    let number: u32 = fs::read_to_string(&counter).unwrap().parse().unwrap();
    thread::yield_now();
    fs::write(&counter, "").unwrap();
    thread::yield_now();
    fs::write(&counter, (number + 1).to_string()).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a copy of the test's process is told its role")]
fn role() -> Option<(PathBuf, Means)> {
    let told = std::env::var(ROLE).ok()?;
    let (means, folder) = told.split_once(':').unwrap();
    Some((folder.into(), if means == "both" { BOTH } else { CLAIMS }))
}

const ROUNDS: u32 = 10;

fn contender(test: &str, means: &str, folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("base::lock::tests::{test}"), "--test-threads=1"]);
    command.env(ROLE, format!("{means}:{}", folder.display())).stdout(std::process::Stdio::null());
    command.spawn().unwrap()
}

#[test]
fn processes_that_contend_are_in_it_one_at_a_time() {
    if let Some((folder, means)) = role() {
        (0..ROUNDS).for_each(|_| count(&folder, means));
        return;
    }
    for (means, processes) in [("claims", 2), ("claims", 10), ("both", 10)] {
        let (folder, ..) = place();
        fs::write(folder.path().join("counter"), "0").unwrap();
        // The first finds the claim of somebody who was killed, and all find each other.
        leave(&folder.path().join("lock.owner"), |it| it.process = dead_process());
        let test = "processes_that_contend_are_in_it_one_at_a_time";
        let started: Vec<Child> = (0..processes).map(|_| contender(test, means, folder.path())).collect();
        for mut child in started {
            assert!(child.wait().unwrap().success(), "{means}");
        }
        let counted = fs::read_to_string(folder.path().join("counter")).unwrap();
        assert_eq!(counted, (processes * ROUNDS).to_string(), "{means}");
        let left = names(folder.path());
        assert!(left.iter().all(|it| it == "counter" || it == "lock"), "{means}: {left:?}");
    }
}

#[test]
fn threads_that_contend_are_in_it_one_at_a_time() {
    for means in [CLAIMS, BOTH] {
        let (folder, ..) = place();
        fs::write(folder.path().join("counter"), "0").unwrap();
        thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| (0..5).for_each(|_| count(folder.path(), means)));
            }
        });
        assert_eq!(fs::read_to_string(folder.path().join("counter")).unwrap(), "50");
    }
}

#[test]
fn many_that_find_one_dead_claim_take_it_over_one_at_a_time() {
    let (folder, lock, claim) = place();
    fs::write(folder.path().join("counter"), "0").unwrap();
    for _ in 0..20 {
        leave(&claim, |it| {
            it.process = dead_process();
            it.token = Claim::of_this_process().token;
        });
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| count(folder.path(), CLAIMS));
            }
        });
        assert!(!claim.exists());
    }
    assert_eq!(fs::read_to_string(folder.path().join("counter")).unwrap(), "160");
    drop(take(CLAIMS, &lock));
}

#[test]
fn the_claim_of_a_dead_process_is_taken_over_at_once() {
    let mine = Claim::of_this_process();
    type Change = fn(&mut Claim);
    let stale: [(&str, Change); 4] = [
        ("its process has ended", |it| it.process = dead_process()),
        ("its number is another process's now", |it| it.started -= 1),
        ("the machine was started again", |it| it.boot = "another".to_owned()),
        ("there is no such number", |it| it.process = u32::MAX),
    ];
    for means in [CLAIMS, BOTH] {
        for (why, change) in &stale {
            let (folder, lock, claim) = place();
            leave(&claim, change);
            let held = attempt(means, &lock).unwrap_or_else(|error| panic!("{why}: {error}"));
            let now: Claim = serde_json::from_slice(&fs::read(&claim).unwrap()).unwrap();
            assert_eq!((now.process, &now.host), (mine.process, &mine.host));
            drop(held);
            assert!(names(folder.path()).iter().all(|it| it == "lock"), "{:?}", names(folder.path()));
        }
    }
}

#[test]
fn a_claim_that_is_empty_or_cut_short_is_taken_over() {
    let whole = serde_json::to_vec(&Claim::of_this_process()).unwrap();
    for means in [CLAIMS, BOTH] {
        for text in [&b""[..], &whole[..whole.len() / 2], b"process 1\n", b"\0\0\0"] {
            let (_folder, lock, claim) = place();
            fs::write(&claim, text).unwrap();
            // It may still be written: the first look does not take it.
            let refused = attempt(means, &lock).unwrap_err();
            assert!(matches!(refused, LockError::Held { .. }), "{refused}");
            drop(take(means, &lock));
            assert!(!claim.exists());
        }
    }
}

#[test]
fn what_an_older_version_left_is_no_hindrance() {
    for text in ["", "process 1\n"] {
        let (_folder, lock, _) = place();
        fs::write(&lock, text).unwrap();
        drop(attempt(BOTH, &lock).unwrap());
    }
    // It also holds with flock alone, and both kinds keep each other out.
    let (_folder, lock, _) = place();
    let older = fs::File::create(&lock).unwrap();
    older.lock().unwrap();
    assert!(matches!(attempt(BOTH, &lock), Err(LockError::Held { .. })));
    drop(older);
    drop(attempt(BOTH, &lock).unwrap());
}

#[test]
fn the_owner_is_named() {
    let (_folder, lock, _) = place();
    let held = take(CLAIMS, &lock);
    let mine = Claim::of_this_process();
    let mut said = Vec::new();
    let wait = Wait::at_most(Duration::from_millis(200));
    let refused = FileLock::acquire_by(CLAIMS, &lock, &wait, |who| said.push(who.to_owned())).unwrap_err();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with(&format!("process {} of {} on {} (", mine.process, mine.user, mine.host)), "{said:?}");
    assert!(said[0].contains(", for ") && said[0].ends_with(" s)"), "{said:?}");
    assert!(refused.to_string().contains(" is locked by process "), "{refused}");
    drop(held);
}

#[test]
fn another_hosts_claim_counts_for_as_long_as_its_file_changes() {
    let (_folder, lock, claim) = place();
    leave(&claim, |it| {
        it.host = "elsewhere".to_owned();
        it.boot = "another".to_owned();
    });
    let alive = beat(&claim, CLAIMS.pulse);
    // Four times as long as a dead one would be waited for.
    let wait = Wait::at_most(CLAIMS.silence * 4);
    let refused = FileLock::acquire_by(CLAIMS, &lock, &wait, |_| {}).unwrap_err();
    assert!(refused.to_string().contains("on elsewhere"), "{refused}");
    drop(alive);
    // Now it is silent.
    assert!(attempt(CLAIMS, &lock).is_err(), "one look proves nothing");
    drop(take(CLAIMS, &lock));
}

#[test]
fn a_holder_shows_that_it_lives() {
    let (_folder, lock, claim) = place();
    let held = take(CLAIMS, &lock);
    // As another host would see it: the process cannot be looked at there.
    let token = serde_json::from_slice::<Claim>(&fs::read(&claim).unwrap()).unwrap().token;
    let modified = || claim.metadata().unwrap().modified().unwrap();
    let mut before = modified();
    for _ in 0..3 {
        let started = std::time::Instant::now();
        while modified() == before {
            assert!(started.elapsed() < Duration::from_secs(60), "the claim does not change");
            thread::sleep(Duration::from_millis(5));
        }
        before = modified();
    }
    let now: Claim = serde_json::from_slice(&fs::read(&claim).unwrap()).unwrap();
    assert_eq!(now.token, token);
    drop(held);
    assert!(!claim.exists());
}

#[test]
fn a_claim_that_is_another_ones_now_is_left_alone() {
    let (folder, lock, claim) = place();
    let held = take(CLAIMS, &lock);
    fs::remove_file(&claim).unwrap();
    leave(&claim, |it| it.user = "somebody else".to_owned());
    drop(held);
    assert_eq!(names(folder.path()), ["lock.owner"]);
    assert!(fs::read_to_string(&claim).unwrap().contains("somebody else"));
}

#[test]
fn what_killed_takers_leave_is_removed() {
    let (folder, lock, claim) = place();
    leave(&claim, |it| {
        it.process = dead_process();
        it.token = "first".to_owned();
    });
    // A taker was killed while it removed that claim, and one that removed the taker's.
    leave(&folder.path().join("lock.owner.end-first"), |it| {
        it.process = dead_process();
        it.token = "second".to_owned();
    });
    leave(&folder.path().join("lock.owner.end-second"), |it| {
        it.process = dead_process();
        it.token = "third".to_owned();
    });
    leave(&folder.path().join("lock.owner.new-fourth"), |it| it.process = dead_process());
    leave(&folder.path().join("lock.owner.end-fifth"), |it| {
        it.process = dead_process();
        it.token = "sixth".to_owned();
    });
    let held = attempt(CLAIMS, &lock).unwrap();
    assert_eq!(names(folder.path()), ["lock.owner"]);
    drop(held);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn claims_that_name_each_other_do_not_hang_it() {
    let (folder, lock, claim) = place();
    let dead = |name: &str, token: &str| {
        leave(&folder.path().join(name), |it| {
            it.process = dead_process();
            it.token = token.to_owned();
        });
    };
    dead("lock.owner", "first");
    dead("lock.owner.end-first", "second");
    dead("lock.owner.end-second", "first");
    let refused = attempt(CLAIMS, &lock).unwrap_err();
    assert!(matches!(refused, LockError::Held { .. }), "{refused}");
    assert!(claim.exists());
}

#[test]
fn a_cancelled_wait_ends() {
    let (_folder, lock, _) = place();
    let _held = take(BOTH, &lock);
    let cancel = Cancel::new();
    let wait = Wait { cancel: cancel.clone(), ..long() };
    // It is raised when the wait has begun.
    let refused = FileLock::acquire_by(BOTH, &lock, &wait, |_| cancel.cancel()).unwrap_err();
    assert!(matches!(refused, LockError::Stopped(_)), "{refused}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let (folder, ..) = place();
    fs::write(folder.path().join("file"), "").unwrap();
    let refused = attempt(BOTH, &folder.path().join("file/lock")).unwrap_err();
    assert!(refused.to_string().contains("file`"), "{refused}");
}

#[test]
fn a_removed_lock_file_is_made_again() {
    let (folder, lock, _) = place();
    let held = take(BOTH, &lock);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| drop(take(BOTH, &lock)));
        held.remove().unwrap();
        waiting.join().unwrap();
    });
    assert_eq!(names(folder.path()), ["lock"]);
}
