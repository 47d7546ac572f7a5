//! What an archive says of itself: what it needs of a machine, and what is in it.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use rattler_conda_types::Subdir;

use super::ExecError;
use crate::{
    base::both,
    conda::is_record,
    export::{self, Contents, Format},
    needs::{self, Needs},
    tree::{Entries, Entry, File},
};

/// The file in which CycloneDX lists what an archive holds.
const SBOM: &str = "sbom.cdx.json";

/// The file that lists the packages as `conda list --explicit` does, with hashes.
const PACKAGES: &str = "packages.txt";

/// What an environment is called in lists that have to call it something.
const UNNAMED: &str = "environment";

/// What an archive says of itself.
#[derive(Debug, Clone)]
pub struct Stated {
    /// What it needs of a machine.
    pub needs: Needs,
    /// The files that list what is in it, for the folder `conda-meta/envbuild`.
    pub lists: Vec<(String, Vec<u8>)>,
}

/// What an archive of these files says; `name` and `platform` are those of the environment. Without a name it says nothing
/// of what the environment is called. Channels in the folders `own` are named without their place.
///
/// # Errors
/// When a file cannot be read, or a list needs something that is not known of a package.
pub fn stated(entries: &Entries, name: Option<&str>, platform: Subdir, own: &[PathBuf]) -> Result<Stated, ExecError> {
    let lists = || lists(contents(entries, name.unwrap_or(UNNAMED), platform)?, own);
    let (lists, needs) = both(lists, || needs::of_entries(entries));
    Ok(Stated { lists: lists?, needs: needs? })
}

/// The files that list what is in an archive of these packages.
///
/// # Errors
/// When a list needs something that is not known of a package.
pub(super) fn lists(mut contents: Contents, own: &[PathBuf]) -> Result<Vec<(String, Vec<u8>)>, ExecError> {
    contents.forget_places_below(own);
    let list = |file: &str, format| -> Result<_, ExecError> {
        Ok((file.to_owned(), export::write(&contents, format)?.text.into_bytes()))
    };
    Ok(vec![list(SBOM, Format::Sbom)?, list(PACKAGES, Format::Explicit)?])
}

/// The packages, as the records among the files tell.
fn contents(entries: &Entries, name: &str, platform: Subdir) -> Result<Contents, ExecError> {
    let mut files = Vec::new();
    for (path, entry) in entries {
        let Entry::File(File { content, .. }) = entry else { continue };
        let path = String::from_utf8_lossy(path).into_owned();
        if export::is_wanted(&path) {
            let mut bytes = Vec::new();
            content.open()?.read_to_end(&mut bytes).map_err(|error| content.fault(error))?;
            files.push((path, bytes));
        }
    }
    if !files.iter().any(|(path, _)| is_record(path.as_bytes())) {
        return Ok(Contents::of_lock(name, platform, &[], &[]));
    }
    Ok(export::of_files(name, Path::new(name), &files)?)
}
