//! So many threads and no more.

use std::sync::{Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Threads that have nothing to do. New ones would have memory of their own, and what the old ones had would not be given
/// back: a process that packs in three steps would take half as much again.
static IDLE: Mutex<Option<ThreadPool>> = Mutex::new(None);

/// Does some work in which everything parallel uses at most so many threads. Where they cannot be started, those of the
/// process do it.
pub fn within<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let threads = threads.max(1);
    if rayon::current_thread_index().is_some() && rayon::current_num_threads() == threads {
        return work();
    }
    let idle = || IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let old = idle().take().filter(|pool| pool.current_num_threads() == threads);
    let Some(pool) = old.or_else(|| ThreadPoolBuilder::new().num_threads(threads).build().ok()) else { return work() };
    let done = pool.install(work);
    *idle() = Some(pool);
    done
}

/// Does two things at once, and gives both results.
pub fn both<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
    rayon::join(one, other)
}
