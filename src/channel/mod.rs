//! The project's own `file://` channel: packages, their index, one writer at a time. Any conda client can use it.
//!
//! Knows nothing of: how packages are built, solved, locked or installed; the graph.

mod error;
mod index;
mod local;
mod publish;
mod published;
mod remove;
#[cfg(test)]
mod tests;
mod view;

pub use error::ChannelError;
pub use local::LocalChannel;
pub use published::{Damage, Published};
