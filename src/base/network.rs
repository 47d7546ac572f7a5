//! Whether the network may be used.

/// Whether the network may be used. `file://` addresses and what was fetched before are there either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// It may.
    Online,
    /// It may not.
    Offline,
}
