//! Brings the sources that recipes name by URL onto the disk, into a store whose folders are named by content.
//!
//! A source is asked for in the store, then in the mirrors, then on the network, and only bytes with the right hash are
//! taken. The network is what a recipe's URLs name, or for `mirror://pypi/…` the indexes that pip asks. What comes out is a file that stays: a build that uses it needs no network.
//!
//! Knows nothing of: recipes' syntax, the graph, who builds what from the files.

mod error;
mod hash;
mod http;
mod index;
mod mirror;
mod request;
mod store;
#[cfg(test)]
mod tests;
mod verb;

pub use error::FetchError;
pub use request::{FetchRequest, Fetched, SourceRef, file_name};
pub use verb::fetch;
