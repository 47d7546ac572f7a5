//! What an environment holds, in the words of other programs: conda's lists, conda-lock, pixi, CycloneDX.
//!
//! [`Contents`] is the neutral model. It is made from a lock, from a prefix of anybody's, or from the files of an
//! archive, and [`write`] tells it in one of the [`Format`]s. The same contents give the same text, with no clock, no
//! secret of a URL and no order of a map in it.
//!
//! Knows nothing of: the project, how a prefix was installed, how an archive is read.

mod conda_lock;
mod dist_info;
mod environment;
mod error;
mod explicit;
mod facts;
mod format;
mod list;
mod order;
mod pixi;
mod prefix;
mod record;
mod sbom;
#[cfg(test)]
mod tests;
mod yaml;

pub use environment::requirements;
pub use error::ExportError;
pub use facts::{Contents, Origin, PackageFacts, PythonFacts};
pub use format::{Export, Format, write};
pub use prefix::{is_wanted, of_files, of_prefix};
