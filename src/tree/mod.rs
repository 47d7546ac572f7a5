//! An environment's files, ready to be written: where their bytes come from, and where in them the prefix stands.
//!
//! An archive holds one placeholder text wherever the prefix stands. The form of a file with that placeholder is its
//! *canonical* form: digests are of it, and offsets count in it. With the offsets a file can be turned from naming one
//! prefix into naming another, in a stream and as often as one likes.
//!
//! Knows nothing of: conda's records, the formats of archives, where the files come from or go to.

mod content;
mod entries;
mod error;
mod find;
mod head;
mod look;
mod place;
mod placeholder;
mod seen;
mod splice;

pub use content::{Content, Reader};
pub use entries::{EPOCH, Entries, Entry, File, list, what_it_is};
pub use error::TreeError;
pub use find::{Found, Needles};
pub use head::{
    BINARY, COUNTS, Counts, DigestOf, Digests, FILES, FOLDER, FORMAT, HEAD, HEADER, Header, LINKS, MARKER, NEEDS, PART,
    PLACES, Relocation, TEXT,
};
pub use look::{Look, look, see};
pub use place::{Mode, Places, Words};
pub use placeholder::{
    MARKS, PLACEHOLDER_MAX, PLACEHOLDER_MIN, PrefixFault, is_placeholder, placeholder, prefix_fault,
};
pub use seen::{Seeing, Seen, Spare};
pub use splice::{Edit, Splicer, Splices, with_prefix};
