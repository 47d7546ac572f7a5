//! The ledger as a file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::LedgerError;
use crate::{
    base::{Digest, fs},
    elf::Rule,
};

/// The folder of a prefix that holds the ledgers.
pub const FOLDER: &str = "share/envbuild/host";

/// The version of the format.
const FORM: u32 = 1;

/// The host's libraries of one package.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// What it needs of the host, sorted by name and path.
    pub libraries: Vec<HostLibrary>,
}

/// A library outside the prefix that a package's programs and libraries are loaded with.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostLibrary {
    /// The name by which it is needed, mostly its soname.
    pub name: String,
    /// Where it was when the package was built.
    pub path: PathBuf,
    /// Its version, as the name of the file tells it. Of the C library, the version that is needed: what newer symbols
    /// the package uses says more than where it was built.
    pub version: Option<String>,
    /// Its GNU build-id. The C library has none here: any that is new enough does.
    pub build_id: Option<String>,
    /// The digest of its bytes, when it has no build-id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Digest>,
    /// The module that provided it.
    pub module: Option<String>,
    /// Whether the package's own files need it; otherwise a library of the host does.
    pub direct: bool,
    /// Whether it is a part of the C library.
    pub c_library: bool,
    /// By which rule the loader found it.
    pub found: Rule,
}

#[derive(Serialize, Deserialize)]
struct File {
    form: u32,
    #[serde(flatten)]
    ledger: Ledger,
}

impl Ledger {
    /// The name of its file below the prefix.
    pub fn path_of(package: &str) -> String {
        format!("{FOLDER}/{package}.json")
    }

    /// The bytes of its file: the same for the same libraries.
    pub fn to_bytes(&self) -> Vec<u8> {
        let file = File { form: FORM, ledger: self.clone() };
        let mut bytes = serde_json::to_vec_pretty(&file).expect("a ledger holds nothing that JSON cannot say");
        bytes.push(b'\n');
        bytes
    }

    /// Reads the bytes of a file; `path` is for the error.
    ///
    /// # Errors
    /// When they are no ledger, or one of a format that is not known here.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, LedgerError> {
        let fail = |reason: String| LedgerError::File { path: path.to_owned(), reason };
        // The number first: in another format the rest may not fit.
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| fail(error.to_string()))?;
        if value["form"] != FORM {
            return Err(fail(format!("its format is {}, and {FORM} is known", value["form"])));
        }
        let file: File = serde_json::from_value(value).map_err(|error| fail(error.to_string()))?;
        Ok(file.ledger)
    }
}

/// The ledgers of all packages in a prefix, sorted by package; none when no package is bound to the host.
///
/// # Errors
/// When one cannot be read or is damaged.
pub fn of_prefix(prefix: &Path) -> Result<Vec<Ledger>, LedgerError> {
    let mut files = fs::list(&prefix.join(FOLDER))?;
    files.retain(|it| it.extension().is_some_and(|kind| kind == "json"));
    files.iter().map(|it| Ledger::parse(&fs::read(it)?, it)).collect()
}
