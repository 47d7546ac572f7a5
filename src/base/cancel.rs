//! A flag that is raised once, by Ctrl-C, and looked at wherever work can stop safely.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A cloneable flag; every clone sees the same state.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the flag for every clone. Raising it again changes nothing.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether somebody raised it.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
