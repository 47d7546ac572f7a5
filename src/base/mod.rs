//! What would be true in any other program: digests, files, locks, a cancel flag, errors told with their causes.
//!
//! Knows nothing of: recipes, environments, conda, the graph.

mod buffer;
mod cancel;
mod causes;
mod digest;
mod disk;
pub mod fs;
mod lock;
mod network;
mod paths;
mod progress;
mod stamps;
mod table;
#[cfg(test)]
pub(crate) mod testing;
mod threads;
mod users;

pub use buffer::with_buffer;
pub use cancel::Cancel;
pub use causes::{out_of_room, with_causes};
pub use digest::{Digest, DigestError};
pub use disk::{Disk, Room};
pub use fs::{FsError, Scratch};
pub use lock::{FileLock, LockError, Wait, trust_no_flock};
pub use network::Network;
pub use paths::without_dots;
pub use progress::{Meter, Progress};
pub use stamps::Stamps;
pub use table::Table;
pub use threads::{both, within};
pub use users::{User, is_mine, users_of};
