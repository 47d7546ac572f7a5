//! Threads that do small jobs, and give the results in the order in which the jobs came.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

type Job<T> = (Box<dyn FnOnce() -> T + Send>, SyncSender<T>);

/// A few threads and a queue of bounded length.
pub(super) struct Ordered<T> {
    jobs: Option<SyncSender<Job<T>>>,
    waiting: VecDeque<Receiver<T>>,
    threads: Vec<JoinHandle<()>>,
    depth: usize,
}

impl<T: Send + 'static> Ordered<T> {
    /// Threads are started when there is work for them. At most twice as many jobs as threads wait or are done and not
    /// taken.
    pub(super) fn new(threads: usize) -> Self {
        Self { jobs: None, waiting: VecDeque::new(), threads: Vec::new(), depth: threads.max(1) * 2 }
    }

    /// Gives a job to the threads; when the queue is full, waits for the oldest and gives its result.
    pub(super) fn push(&mut self, job: impl FnOnce() -> T + Send + 'static) -> io::Result<Option<T>> {
        let oldest = if self.waiting.len() >= self.depth { self.pop()? } else { None };
        let jobs = self.jobs.get_or_insert_with(|| start(self.depth, &mut self.threads));
        let (result, receiver) = sync_channel(1);
        jobs.send((Box::new(job), result)).map_err(|_| io::Error::other("a thread is gone"))?;
        self.waiting.push_back(receiver);
        Ok(oldest)
    }

    /// Waits for the oldest job; nothing when there is none.
    pub(super) fn pop(&mut self) -> io::Result<Option<T>> {
        let Some(receiver) = self.waiting.pop_front() else { return Ok(None) };
        receiver.recv().map(Some).map_err(|_| io::Error::other("a thread is gone"))
    }
}

fn start<T: Send + 'static>(depth: usize, threads: &mut Vec<JoinHandle<()>>) -> SyncSender<Job<T>> {
    let (sender, receiver) = sync_channel::<Job<T>>(depth);
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..depth / 2 {
        let receiver = Arc::clone(&receiver);
        threads.push(std::thread::spawn(move || {
            loop {
                let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok((job, result)) = next else { return };
                // Nobody waits any more when the archive was given up.
                let _ = result.send(job());
            }
        }));
    }
    sender
}

impl<T> Drop for Ordered<T> {
    fn drop(&mut self) {
        self.waiting.clear();
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked was noticed by whoever waited for its result.
            let _ = thread.join();
        }
    }
}
