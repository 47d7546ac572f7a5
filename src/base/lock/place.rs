//! How a claim gets into its place and out of it, one owner at a time.
//!
//! A claim gets there by a link, which fails when there is one: also on network file systems, where the server decides.
//! To take a claim away, living or dead, one has to hold its end: a second claim whose name is made of the first one's
//! token. Whoever holds it looks once more whether that very claim is still there, and nobody else may remove it. So no
//! one removes a claim that was put there in the meantime. An end whose owner is dead is taken away by the same rule.

use std::{
    fs::{File, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};

use super::{
    claim::{Found, Watch, look},
    owner::Claim,
};
use crate::base::{FsError, fs};

/// A claim's file name is the lock's with this behind it.
pub(super) const ENDING: &str = ".owner";

/// How many takers in a row may have been killed while each removed the one before.
const DEEPEST: usize = 16;

/// Our claim, and where it belongs.
#[derive(Debug)]
pub(super) struct Own {
    place: PathBuf,
    claim: Claim,
    bytes: Vec<u8>,
}

/// A claim of ours that is in its place.
#[derive(Debug)]
pub(super) struct Held {
    place: PathBuf,
    claim: Claim,
    /// Dropping it ends the pulse.
    _pulse: Option<Sender<()>>,
}

/// What came of taking.
pub(super) enum Taking {
    /// It is ours.
    Done(Held),
    /// Somebody who lives, or may live, has it.
    InTheWay(Found),
}

impl Own {
    pub(super) fn new(lock: &Path) -> Self {
        let name = lock.file_name().unwrap_or_default();
        let mut place = name.to_owned();
        place.push(ENDING);
        Self::of(lock.with_file_name(place), Claim::of_this_process())
    }

    fn of(place: PathBuf, claim: Claim) -> Self {
        let mut bytes = serde_json::to_vec_pretty(&claim).expect("a claim holds nothing that JSON cannot say");
        bytes.push(b'\n');
        Self { place, claim, bytes }
    }

    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// Tries to get into the place; a dead owner is removed first.
    pub(super) fn take(&self, watch: &mut Watch, pulse: Duration) -> Result<Taking, FsError> {
        loop {
            if let Some(found) = look(&self.place)? {
                let gone = watch.is_dead(&self.place, &found) && self.end(&self.place, &found, (watch, 0))?;
                if !gone {
                    return Ok(Taking::InTheWay(found));
                }
            }
            if self.put(&self.place)? {
                let _pulse = beat(&self.place, pulse);
                return Ok(Taking::Done(Held { place: self.place.clone(), claim: self.claim.clone(), _pulse }));
            }
        }
    }

    /// Removes a dead claim, unless somebody else is at it. Says whether it is gone. `depth` is how many ends of ends
    /// this is about: each is what a taker that was killed has left.
    fn end(&self, place: &Path, dead: &Found, (watch, depth): (&mut Watch, usize)) -> Result<bool, FsError> {
        let end = end_of(&self.place, &dead.identity());
        while !self.put(&end)? {
            if let Some(other) = look(&end)? {
                let gone =
                    depth < DEEPEST && watch.is_dead(&end, &other) && self.end(&end, &other, (watch, depth + 1))?;
                if !gone {
                    return Ok(false);
                }
            }
        }
        let removed = match look(place) {
            Ok(Some(found)) if found.identity() == dead.identity() => fs::remove_file(place),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        remove_twice(&end)?;
        removed.map(|()| true)
    }

    /// Puts our claim somewhere, when nothing is there.
    fn put(&self, place: &Path) -> Result<bool, FsError> {
        let fail = |source| FsError::new("write", place, source);
        let draft = with_behind(&self.place, &format!(".new-{}", self.claim.token));
        let linked = write(&draft, &self.bytes).and_then(|()| std::fs::hard_link(&draft, place));
        // A draft that stays is tidied away later. It is no reason to give up a claim that is in its place: its owner lives,
        // and nobody could take it away.
        drop(remove_twice(&draft));
        Ok(match linked {
            Ok(()) => true,
            // A server may have done it and its answer was lost; the second try then finds our own.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                look(place)?.and_then(|it| it.owner().map(|it| it.token == self.claim.token)).unwrap_or(false)
            }
            Err(error) if knows_no_links(&error) => match write(place, &self.bytes) {
                Ok(()) => true,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
                Err(error) => {
                    // What is there is half of ours.
                    drop(fs::remove_file(place));
                    return Err(fail(error));
                }
            },
            Err(error) => return Err(fail(error)),
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A failure is harmless: whoever comes next sees that the owner is dead.
        drop(self.release());
    }
}

impl Held {
    fn release(&self) -> Result<(), FsError> {
        let end = end_of(&self.place, &self.claim.token);
        match Own::of(self.place.clone(), self.claim.another()).put(&end) {
            // Somebody takes us for dead and is removing it.
            Ok(false) => Ok(()),
            Ok(true) => {
                let removed = self.remove();
                remove_twice(&end)?;
                removed
            }
            // On a full disk nobody can take anything anyhow.
            Err(_) => self.remove(),
        }
    }

    /// Removes the claim, if it is still ours.
    fn remove(&self) -> Result<(), FsError> {
        let there = look(&self.place)?;
        let is_ours = there.is_some_and(|it| it.owner().is_some_and(|it| it.token == self.claim.token));
        // While this process lives, a claim that stays keeps everybody out, this process too.
        if is_ours { remove_twice(&self.place) } else { Ok(()) }
    }
}

/// Removes a file, with one more try: a server may have been too busy for the first.
fn remove_twice(path: &Path) -> Result<(), FsError> {
    fs::remove_file(path).or_else(|_| fs::remove_file(path))
}

/// Removes what takers that were killed have left beside the claim. Whoever calls it holds the lock. On a disk of this
/// machine nobody drafts a claim who does not hold the flock: a draft that is cut short says no more whose it is.
pub(super) fn tidy(own: &Own, watch: &mut Watch, holds_flock: bool) {
    let Some((folder, name)) = own.place.parent().zip(own.place.file_name()) else { return };
    let is_alone = holds_flock && File::open(folder).is_ok_and(|it| is_local(&it));
    let name = name.to_string_lossy();
    // What cannot be removed now is removed by another.
    for path in fs::list(folder).unwrap_or_default() {
        let Some(file) = path.file_name().map(|it| it.to_string_lossy().into_owned()) else { continue };
        let Some(rest) = file.strip_prefix(&*name).filter(|it| !it.is_empty()) else { continue };
        if is_alone && rest.starts_with(".new-") {
            drop(fs::remove_file(&path));
            continue;
        }
        let Ok(Some(found)) = look(&path) else { continue };
        if !watch.is_dead(&path, &found) {
            continue;
        }
        if rest.starts_with(".new-") {
            drop(fs::remove_file(&path));
        } else if rest.starts_with(".end-") {
            drop(own.end(&path, &found, (watch, 0)));
        }
    }
}

fn end_of(place: &Path, identity: &str) -> PathBuf {
    with_behind(place, &format!(".end-{identity}"))
}

fn with_behind(path: &Path, text: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(text);
    path.with_file_name(name)
}

/// Writes a new file that everybody may read: who may not read a claim has to guess whether its owner lives.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    // Where writing may fail as late as when the file is closed, it has to be known before others see it.
    if is_local(&file) { Ok(()) } else { file.sync_data() }
}

/// Whether a file is on a disk or in the memory of this machine, by the numbers of statfs(2).
fn is_local(file: &File) -> bool {
    const EXT: u64 = 0xEF53;
    const XFS: u64 = 0x5846_5342;
    const BTRFS: u64 = 0x9123_683E;
    const TMPFS: u64 = 0x0102_1994;
    const OVERLAY: u64 = 0x794C_7630;
    rustix::fs::fstatfs(file).is_ok_and(|it| {
        #[expect(clippy::cast_sign_loss, reason = "its sign differs from machine to machine and means nothing")]
        let kind = it.f_type as u64 & 0xFFFF_FFFF;
        [EXT, XFS, BTRFS, TMPFS, OVERLAY].contains(&kind)
    })
}

fn knows_no_links(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let known = [Errno::PERM, Errno::OPNOTSUPP, Errno::NOSYS, Errno::MLINK];
    known.iter().any(|it| error.raw_os_error() == Some(it.raw_os_error()))
}

/// Touches a claim again and again for as long as the lock is held. Without it other hosts take us for dead, ours does not.
pub(super) fn beat(place: &Path, pulse: Duration) -> Option<Sender<()>> {
    let file = File::open(place).ok()?;
    let (held, ended) = channel::<()>();
    let beating = thread::Builder::new().name("pulse".to_owned()).spawn(move || {
        while ended.recv_timeout(pulse) == Err(RecvTimeoutError::Timeout) {
            let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
            let _ = futimens(&file, &Timestamps { last_access: now, last_modification: now });
        }
    });
    beating.ok().map(|_| held)
}
