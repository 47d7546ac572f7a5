//! Bundles: the packages of an environment as they are, in a tar archive or a folder that is a channel as well. Nothing is
//! compressed again, any conda client installs from it, and an environment can be made of it without one.

mod grow;
mod index;
mod outline;
mod read;
mod write;

pub use grow::grow;
pub use index::{INDEX, LOCK};
pub use outline::{Outline, outline};
pub use read::{UnbundleRequest, Unbundled, is_bundle, unbundle};
pub use write::{BundleRequest, bundle};
