//! The processors that nobody holds, lent to the makes of the builds that run. This is GNU make's jobserver protocol: a
//! token is a byte in a pipe; a make takes one for every process beyond its first and puts it back.
//!
//! Each build has a pipe of its own, and tokens wander from pipe to pipe. So what a build has borrowed is known at any
//! time, and it is all back when the build is gone, however it ended: one pipe for all would lose what a killed make held.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{PipeReader, Read as _, Write as _, pipe},
    os::{fd::AsRawFd as _, unix::fs::OpenOptionsExt as _},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use rustix::{fs::OFlags, io::ioctl_fionread};

/// How often tokens are moved. A make that waits for one has work for longer than this.
const PERIOD: Duration = Duration::from_millis(5);

/// The processors of a run. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Jobserver(Arc<Mutex<Lending>>);

/// A build's share, for as long as it runs.
#[derive(Debug)]
pub(super) struct Seat {
    server: Jobserver,
    number: u64,
    reader: PipeReader,
}

#[derive(Debug)]
struct Lending {
    cores: u32,
    /// What the jobs hold that run, or are about to.
    held: u32,
    seats: BTreeMap<u64, Borrower>,
    next: u64,
    /// Who was lent something last.
    served: u64,
    /// Whether a thread moves tokens.
    at_work: bool,
}

#[derive(Debug)]
struct Borrower {
    /// The pipe, to read and to write, without waiting.
    pipe: File,
    /// Tokens beyond those that the build holds itself.
    lent: u32,
}

impl Jobserver {
    /// Nobody holds anything yet.
    pub(super) fn new(cores: u32) -> Self {
        Self(Arc::new(Mutex::new(Lending {
            cores,
            held: 0,
            seats: BTreeMap::new(),
            next: 0,
            served: 0,
            at_work: false,
        })))
    }

    /// Tells how many processors the jobs hold. Says whether as many are free of what builds have borrowed.
    pub(super) fn make_room(&self, held: u32) -> bool {
        let mut lending = self.lending();
        lending.held = held;
        lending.take_back();
        lending.lent() == 0 || lending.spare() >= 0
    }

    /// A place for a build that holds `cpus` processors: the first is its first process, the others are tokens.
    pub(super) fn seat(&self, cpus: u32) -> std::io::Result<Seat> {
        let (reader, mut writer) = pipe()?;
        writer.write_all(&vec![b'+'; cpus.saturating_sub(1) as usize])?;
        // A description of our own: what a make does to the modes of its is not seen here.
        let mut options = File::options();
        options.read(true).write(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let pipe = options.open(format!("/proc/self/fd/{}", reader.as_raw_fd()))?;
        let mut lending = self.lending();
        let number = lending.next;
        lending.next += 1;
        lending.seats.insert(number, Borrower { pipe, lent: 0 });
        if !lending.at_work {
            let server = self.clone();
            let mover = thread::Builder::new().name("jobserver".to_owned()).spawn(move || server.work());
            lending.at_work = mover.is_ok();
        }
        Ok(Seat { server: self.clone(), number, reader })
    }

    fn work(&self) {
        let mut idle_before = BTreeMap::new();
        loop {
            let mut lending = self.lending();
            if lending.seats.is_empty() {
                lending.at_work = false;
                return;
            }
            idle_before = lending.balance(&idle_before);
            drop(lending);
            thread::sleep(PERIOD);
        }
    }

    fn lending(&self) -> MutexGuard<'_, Lending> {
        self.0.lock().expect("no thread panics while it holds the tokens")
    }
}

impl Seat {
    /// The pipe as the standard input of the build's process.
    pub(super) fn stdin(&self) -> std::io::Result<Stdio> {
        Ok(self.reader.try_clone()?.into())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.server.lending().seats.remove(&self.number);
    }
}

impl Lending {
    fn lent(&self) -> u32 {
        self.seats.values().map(|it| it.lent).sum()
    }

    /// What can be lent; less than nothing when too much is.
    fn spare(&self) -> i64 {
        i64::from(self.cores) - i64::from(self.held) - i64::from(self.lent())
    }

    /// Takes tokens back that lie unused, as many as the jobs need. Those that are in use come back later.
    fn take_back(&mut self) {
        while self.spare() < 0 {
            let mut lenders: Vec<&mut Borrower> = self.seats.values_mut().filter(|it| it.lent > 0).collect();
            lenders.sort_by_key(|it| std::cmp::Reverse(it.lent));
            if !lenders.into_iter().any(Borrower::give_up) {
                break;
            }
        }
    }

    /// Lends what is spare to those who have used up what they had, and moves what lies unused to them. Takes and gives
    /// who had unused tokens the last time: what lies for a moment only is about to be used.
    fn balance(&mut self, idle_before: &BTreeMap<u64, bool>) -> BTreeMap<u64, bool> {
        self.take_back();
        let idle: BTreeMap<u64, bool> = self.seats.iter().map(|(number, it)| (*number, it.idle() > 0)).collect();
        let mut hungry: Vec<u64> = idle.iter().filter(|(_, idle)| !**idle).map(|(number, _)| *number).collect();
        // In turns, so that those who never use any do not pass it between them while another one waits.
        hungry.sort_by_key(|it| (*it <= self.served, *it));
        for number in hungry {
            if self.spare() <= 0 {
                let unused = |it: &u64| idle_before.get(it) == Some(&true) && idle.get(it) == Some(&true);
                let giver = self.seats.iter_mut().filter(|(other, _)| unused(other)).find(|(_, it)| it.lent > 0);
                if !giver.is_some_and(|(_, it)| it.give_up()) {
                    break;
                }
            }
            let spare = u32::try_from(self.spare()).unwrap_or(0);
            if let Some(borrower) = self.seats.get_mut(&number) {
                // Twice as many each time: a make on a large machine has its processors soon, a script none for nothing.
                borrower.lend(spare.min(borrower.lent.max(1)));
                self.served = number;
            }
        }
        idle
    }
}

impl Borrower {
    /// Tokens in the pipe.
    fn idle(&self) -> u64 {
        ioctl_fionread(&self.pipe).unwrap_or(0)
    }

    fn lend(&mut self, tokens: u32) {
        // A pipe holds more tokens than any machine has processors.
        if let Ok(written) = self.pipe.write(&vec![b'+'; tokens as usize]) {
            self.lent += u32::try_from(written).unwrap_or(tokens);
        }
    }

    /// Takes a lent token out of the pipe, if there is one.
    fn give_up(&mut self) -> bool {
        let got = self.lent > 0 && matches!(self.pipe.read(&mut [0]), Ok(1));
        self.lent -= u32::from(got);
        got
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read as _, Write as _};

    use super::{Jobserver, Seat};

    /// A make that takes tokens out of its build's pipe and puts them back.
    struct Make(std::fs::File);

    impl Make {
        fn of(seat: &Seat) -> Self {
            use std::os::fd::AsRawFd as _;
            let path = |it: &PipeReader| format!("/proc/self/fd/{}", it.as_raw_fd());
            Self(std::fs::File::options().read(true).write(true).open(path(&seat.reader)).unwrap())
        }

        /// Waits for a token.
        fn take(&mut self) {
            self.0.read_exact(&mut [0]).unwrap();
        }

        fn put_back(&mut self) {
            self.0.write_all(b"+").unwrap();
        }
    }

    fn eventually(happened: impl Fn() -> bool) {
        while !happened() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    #[test]
    fn a_lone_build_gets_what_nobody_holds() {
        let server = Jobserver::new(4);
        assert!(server.make_room(1));
        let seat = server.seat(1).unwrap();
        let mut make = Make::of(&seat);
        (0..3).for_each(|_| make.take());
        assert_eq!(server.lending().spare(), 0);
    }

    #[test]
    fn what_a_job_holds_is_not_lent_and_what_is_in_use_is_waited_for() {
        let server = Jobserver::new(2);
        assert!(server.make_room(1));
        let seat = server.seat(1).unwrap();
        let mut make = Make::of(&seat);
        make.take();
        assert!(!server.make_room(2), "the second processor is in use");
        make.put_back();
        eventually(|| server.make_room(2));
        assert_eq!(server.lending().lent(), 0);
        assert!(server.make_room(5), "more jobs than processors were asked for");
    }

    #[test]
    fn what_a_killed_build_had_borrowed_is_not_lost() {
        let server = Jobserver::new(4);
        assert!(server.make_room(2));
        let (killed, other) = (server.seat(1).unwrap(), server.seat(1).unwrap());
        let mut make = Make::of(&killed);
        (0..2).for_each(|_| make.take());
        drop((killed, make));
        assert!(server.make_room(1));
        let mut make = Make::of(&other);
        (0..3).for_each(|_| make.take());
    }

    #[test]
    fn unused_tokens_wander_to_who_uses_them() {
        let server = Jobserver::new(4);
        assert!(server.make_room(3));
        let seats: Vec<Seat> = (0..3).map(|_| server.seat(1).unwrap()).collect();
        for seat in &seats {
            let mut make = Make::of(seat);
            make.take();
            make.put_back();
        }
    }

    #[test]
    fn declared_processors_are_there_from_the_start_and_are_not_taken_away() {
        let server = Jobserver::new(4);
        assert!(server.make_room(4));
        let seat = server.seat(4).unwrap();
        assert!(server.make_room(4));
        let mut make = Make::of(&seat);
        (0..3).for_each(|_| make.take());
        assert_eq!(server.lending().lent(), 0);
    }
}
