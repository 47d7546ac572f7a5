//! The one tokio runtime. `Rt::block_on` is the only bridge from the synchronous program to the rooms that wrap an
//! asynchronous library.

use std::{future::Future, io, sync::Arc};

/// A handle on the runtime; clones share it.
#[derive(Debug, Clone)]
pub struct Rt(Arc<tokio::runtime::Runtime>);

impl Rt {
    /// Starts the runtime with two worker threads: the work behind it waits for disks, networks and children.
    ///
    /// # Errors
    /// When the operating system gives no threads.
    pub fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(Self(Arc::new(runtime)))
    }

    /// Runs a future to its end on this thread. Call it from plain threads only, never from inside the runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }
}
