//! How far a long work has come.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

/// Is told how many bytes are done and of how many; from several threads, and not always in order.
#[derive(Clone, Copy, Default)]
pub struct Progress<'a>(Option<&'a (dyn Fn(u64, u64) + Sync)>);

impl<'a> Progress<'a> {
    /// Tells this function.
    pub fn to(function: &'a (dyn Fn(u64, u64) + Sync)) -> Self {
        Self(Some(function))
    }

    /// Tells nobody.
    pub fn none() -> Self {
        Self(None)
    }
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Progress")
    }
}

/// Counts what is done, and tells.
#[derive(Debug)]
pub struct Meter<'a> {
    progress: Progress<'a>,
    done: AtomicU64,
    total: u64,
}

impl<'a> Meter<'a> {
    /// Begins a work of so many bytes.
    pub fn new(progress: Progress<'a>, total: u64) -> Self {
        Self { progress, done: AtomicU64::new(0), total }
    }

    /// So many more bytes are done.
    pub fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if let Some(function) = self.progress.0 {
            function(done.min(self.total), self.total);
        }
    }
}
