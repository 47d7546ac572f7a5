//! What an archive says of itself: what it needs of a machine, and what is in it.

use super::ExecError;
use crate::{
    export::{self, Contents, Format},
    needs::{self, Needs},
    tree::Entries,
};

/// The file in which CycloneDX lists what an archive holds.
const SBOM: &str = "sbom.cdx.json";

/// The file that lists the packages as `conda list --explicit` does, with hashes.
const PACKAGES: &str = "packages.txt";

/// What an archive says of itself.
#[derive(Debug, Clone)]
pub struct Stated {
    /// What it needs of a machine.
    pub needs: Needs,
    /// The files that list what is in it, for the folder `conda-meta/envbuild`.
    pub lists: Vec<(String, Vec<u8>)>,
}

/// What an archive of these files and packages says.
///
/// # Errors
/// When a file cannot be read, or a list needs something that is not known of a package.
pub fn stated(entries: &Entries, mut contents: Contents) -> Result<Stated, ExecError> {
    contents.forget_local_places();
    let list = |file: &str, format| -> Result<_, ExecError> {
        Ok((file.to_owned(), export::write(&contents, format)?.text.into_bytes()))
    };
    let lists = vec![list(SBOM, Format::Sbom)?, list(PACKAGES, Format::Explicit)?];
    Ok(Stated { needs: needs::of_entries(entries)?, lists })
}
