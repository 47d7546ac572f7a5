//! Threads that do what one thread brings, or a list.

use std::{
    collections::VecDeque,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Work for the crew.
pub(super) struct Bench<'a, J, E> {
    work: &'a (dyn Fn(J) -> Result<(), E> + Sync),
    /// Nothing when there is no crew.
    queue: Option<&'a Queue<J, E>>,
}

impl<J: Send, E: Send> Bench<'_, J, E> {
    /// Hands over a piece of work that holds so many bytes in memory, and waits while too much is waiting.
    ///
    /// # Errors
    /// What went wrong with an earlier piece.
    pub(super) fn bring(&self, bytes: usize, piece: J) -> Result<(), E> {
        match self.queue {
            Some(queue) => queue.bring(bytes, piece),
            None => (self.work)(piece),
        }
    }
}

/// Runs `lead` here while `threads` others do the work that it brings; at most `limit` bytes of it wait. Without others
/// the work is done here. Of several faults that of the first piece is told.
pub(super) fn lead<J: Send, E: Send, T>(
    threads: u32,
    limit: usize,
    work: &(dyn Fn(J) -> Result<(), E> + Sync),
    lead: impl FnOnce(&Bench<'_, J, E>) -> Result<T, E>,
) -> Result<T, E> {
    if threads == 0 {
        return lead(&Bench { work, queue: None });
    }
    let queue = Queue::new(limit);
    let outcome = thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((number, bytes, piece)) = queue.take() {
                    queue.end(number, bytes, work(piece));
                }
            });
        }
        let _closed = Closing(&queue);
        lead(&Bench { work, queue: Some(&queue) })
    });
    match queue.state.into_inner().unwrap_or_else(PoisonError::into_inner).fault {
        Some((_, fault)) => Err(fault),
        None => outcome,
    }
}

/// Does the same with each item, with so many threads, and gives what came of them in their order.
pub(super) fn each<T: Sync, R: Send>(threads: u32, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let one = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return done };
            done.push((index, work(item)));
        }
    };
    let mut all = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(one)).collect();
        let mut all = one();
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, done)| done).collect()
}

/// Pieces that wait.
struct Queue<J, E> {
    state: Mutex<State<J, E>>,
    /// There is something to take, or nothing will come any more.
    work: Condvar,
    /// There is room again.
    room: Condvar,
    limit: usize,
}

struct State<J, E> {
    waiting: VecDeque<(u64, usize, J)>,
    /// What waits and what is being worked on.
    bytes: usize,
    brought: u64,
    closed: bool,
    fault: Option<(u64, E)>,
    /// The piece whose fault was told; nothing is done any more.
    failed: Option<u64>,
}

impl<J, E> Queue<J, E> {
    fn new(limit: usize) -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, brought: 0, closed: false, fault: None, failed: None };
        Self { state: Mutex::new(state), work: Condvar::new(), room: Condvar::new(), limit }
    }

    fn state(&self) -> MutexGuard<'_, State<J, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bring(&self, bytes: usize, piece: J) -> Result<(), E> {
        let mut state = self.state();
        while state.fault.is_none() && state.bytes > 0 && state.bytes + bytes > self.limit {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some((_, fault)) = state.fault.take() {
            return Err(fault);
        }
        let number = state.brought;
        state.brought += 1;
        state.bytes += bytes;
        state.waiting.push_back((number, bytes, piece));
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    fn take(&self) -> Option<(u64, usize, J)> {
        let mut state = self.state();
        loop {
            if let Some(piece) = state.waiting.pop_front() {
                return Some(piece);
            }
            if state.closed {
                return None;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn end(&self, number: u64, bytes: usize, outcome: Result<(), E>) {
        let mut state = self.state();
        state.bytes -= bytes;
        if let Err(fault) = outcome
            && state.failed.is_none_or(|first| number < first)
        {
            state.failed = Some(number);
            state.fault = Some((number, fault));
            let dropped: usize = state.waiting.drain(..).map(|(_, bytes, _)| bytes).sum();
            state.bytes -= dropped;
        }
        drop(state);
        self.room.notify_one();
    }
}

/// Lets the crew go home, also when the leading thread panics.
struct Closing<'a, J, E>(&'a Queue<J, E>);

impl<J, E> Drop for Closing<'_, J, E> {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.work.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{each, lead};

    #[test]
    fn all_that_is_brought_is_done() {
        for threads in [0, 1, 5] {
            let sum = AtomicU64::new(0);
            let work = |piece: u64| {
                sum.fetch_add(piece, Ordering::SeqCst);
                Ok::<(), String>(())
            };
            let bring_all = |bench: &super::Bench<'_, u64, String>| (1..=1000).try_for_each(|it| bench.bring(7, it));
            lead(threads, 20, &work, bring_all).unwrap();
            assert_eq!(sum.into_inner(), 500_500);
        }
        for threads in [1, 3] {
            let squares: Vec<usize> = each(threads, &[1, 2, 3, 4, 5], |it| it * it);
            assert_eq!(squares, [1, 4, 9, 16, 25]);
        }
    }

    #[test]
    fn the_first_fault_ends_it() {
        for threads in [0, 1, 5] {
            let work = |piece: u64| if piece < 500 { Ok(()) } else { Err(piece) };
            let outcome = lead(threads, 20, &work, |bench| (1..=1_000_000).try_for_each(|it| bench.bring(1, it)));
            assert_eq!(outcome, Err(500), "{threads}");
            // A fault of the one who leads counts when the work is good.
            assert_eq!(lead(threads, 20, &work, |bench| bench.bring(1, 1).and(Err::<(), u64>(7))), Err(7));
        }
    }
}
