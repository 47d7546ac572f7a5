//! What a tree needs, as values and as JSON. The book's chapter "Targets" describes the fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::NeedsError;
use crate::elf::Level;

/// The version of the format.
pub const FORMAT: u32 = 1;

/// What a tree needs of the machine that it runs on.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The version of the format.
    pub format: u32,
    /// The conda platform that it is for; nothing when all of it runs anywhere.
    pub platform: Option<String>,
    /// How many executables and shared libraries for that platform it has.
    pub elf_files: u64,
    /// The newest GNU C library that a file needs.
    pub glibc: Option<Highest>,
    /// The newest versions of symbols that are needed of libraries outside, by library and kind.
    pub symbols: Vec<Symbols>,
    /// The highest level of x86-64 processors that a file says it needs.
    pub cpu: Option<Cpu>,
    /// The libraries that nothing in it provides; the C library is not among them.
    pub libraries: Vec<Library>,
    /// What its packages say of virtual packages.
    pub virtual_packages: Vec<Constraint>,
    /// The libraries of the host that its packages were knowingly linked with.
    pub host: Vec<HostNeed>,
    /// What each file needs, in the order of their names; those that need nothing are left out.
    pub files: Vec<FileNeeds>,
    /// Files that begin as executables do and contradict themselves.
    pub damaged: Vec<String>,
    /// Files that name the prefix in a way that cannot be changed. Whoever looks for prefixes fills it in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfixable: Vec<Unfixable>,
    /// Its packages, as `name-version-build`.
    pub packages: Vec<String>,
    /// More of its packages, by the same names. Channels may be folders of this machine: they are not written down.
    #[serde(skip)]
    pub owners: BTreeMap<String, Owner>,
}

/// A file that names the prefix in a way that cannot be changed.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Unfixable {
    /// The file, relative to the prefix.
    pub file: String,
    /// Its package, as `name-version-build`.
    pub package: Option<String>,
    /// How it names the prefix.
    pub why: String,
}

/// A package of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The build string.
    pub build: String,
    /// The channel that it came from, where its record says where that is.
    pub channel: Option<String>,
}

/// The highest version of something, and who needs it.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Highest {
    /// The version, such as `2.34`.
    pub version: String,
    /// The first file that needs it.
    pub file: String,
    /// Its package.
    pub package: Option<String>,
}

/// The highest version of one kind of symbols of a library.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Symbols {
    /// The library.
    pub library: String,
    /// The kind, such as `GLIBCXX`.
    pub name: String,
    /// The version, such as `3.4.29`.
    pub version: String,
    /// The first file that needs it.
    pub file: String,
    /// Its package.
    pub package: Option<String>,
}

/// The highest level of processors, and who needs it.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Cpu {
    /// The level.
    pub level: Level,
    /// The first file that needs it.
    pub file: String,
    /// Its package.
    pub package: Option<String>,
}

/// A library that has to be there.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The name that it is needed by.
    pub name: String,
    /// Whether it belongs to the driver of a graphics card.
    pub driver: bool,
    /// How many files need it.
    pub files: u64,
    /// The first of them.
    pub file: String,
    /// Its package.
    pub package: Option<String>,
}

/// What a package says of a virtual package.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// As written, such as `__glibc >=2.17`.
    pub spec: String,
    /// Whether the virtual package may also be missing (`constrains`).
    pub optional: bool,
    /// The packages that say so.
    pub packages: Vec<String>,
}

/// A library of the host that a ledger lists.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostNeed {
    /// The library.
    pub name: String,
    /// Its version when the package was built.
    pub version: Option<String>,
    /// The module that provided it.
    pub module: Option<String>,
    /// The package.
    pub package: String,
}

/// What one file needs.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct FileNeeds {
    /// Its name, relative to the prefix. Bytes that are no UTF-8 are escaped.
    pub file: String,
    /// The package that it belongs to, as `name-version-build`, or `pypi:name-version` of what pip has installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The GNU C library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glibc: Option<String>,
    /// The level of the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Level>,
    /// Libraries from outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<String>,
    /// The newest versions of symbols of these, by library and kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub symbols: BTreeMap<String, BTreeMap<String, String>>,
    /// What a library of the tree should have and has not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<Lacking>,
}

/// A version of symbols that a library in the tree does not have.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lacking {
    /// The library.
    pub library: String,
    /// The version, such as `GLIBCXX_3.4.32`.
    pub version: String,
}

impl FileNeeds {
    /// Whether it runs on any machine of the platform.
    pub(super) fn is_empty(&self) -> bool {
        self.glibc.is_none() && self.cpu.is_none() && self.libraries.is_empty() && self.lacking.is_empty()
    }
}

impl Needs {
    /// The bytes of its file: the same for the same tree.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("needs hold nothing that JSON cannot say");
        bytes.push(b'\n');
        bytes
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// When they are something else, or of a format that is not known here.
    pub fn parse(bytes: &[u8]) -> Result<Self, NeedsError> {
        let fail = |reason: String| NeedsError::File { reason };
        // The number first: in another format the rest may not fit.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|error| fail(error.to_string()))?;
        if head.format != FORMAT {
            return Err(fail(format!("its format is {}, and {FORMAT} is known", head.format)));
        }
        serde_json::from_slice(bytes).map_err(|error| fail(error.to_string()))
    }
}
