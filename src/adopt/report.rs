//! What is told of a prefix that was adopted.

use serde::Serialize;

/// How the prefix differs from what its packages brought. Names are relative to the prefix; bytes that are no UTF-8 are
/// replaced. All lists are sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many regular files there are.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many of the files no package claims.
    pub unmanaged: u64,
    /// The conda packages.
    pub conda: Vec<Package>,
    /// The packages that pip or another program has installed.
    pub pip: Vec<Package>,
    /// Files that several conda packages claim.
    pub clobbered: Vec<Clobbered>,
    /// Files that go on naming this prefix wherever the environment goes.
    pub unfixable: Vec<Unfixable>,
    /// Files that were linked in the prefix, whose run path became relative to them.
    pub relinked: Vec<String>,
    /// Symbolic links that lead out of the prefix.
    pub outside_links: Vec<Outside>,
    /// `.pth` files that name folders outside of the prefix.
    pub outside_paths: Vec<Outside>,
    /// Editable installs, and what became of them.
    pub editable: Vec<Editable>,
    /// Files of the programs in `bin` whose interpreter is in another environment.
    pub foreign_scripts: Vec<Outside>,
    /// What belongs to the machine and stays behind: caches, other environments.
    pub left_behind: Vec<String>,
    /// How many entries the patterns leave out.
    pub excluded: u64,
}

/// A package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How many files it claims.
    pub files: u64,
    /// Those that are not what it brought.
    pub changed: Vec<Changed>,
    /// Those that are not there.
    pub missing: Vec<String>,
}

impl Package {
    /// Whether all of its files are there as it brought them.
    pub fn is_whole(&self) -> bool {
        self.changed.is_empty() && self.missing.is_empty()
    }
}

/// A file that is not what its package brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The file.
    pub file: String,
    /// The package whose file it is now, when one is known.
    pub by: Option<String>,
}

/// A file that several packages claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clobbered {
    /// The file.
    pub file: String,
    /// Those packages.
    pub packages: Vec<String>,
    /// The one whose file it is, when it is one's.
    pub is_of: Option<String>,
}

/// A file whose prefix cannot be replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unfixable {
    /// The file.
    pub file: String,
    /// The package that claims it.
    pub package: Option<String>,
    /// How long a prefix there is room for, in bytes; 0 when the file's format is not known to allow any other.
    pub room: usize,
}

/// Something that names a place outside of the prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outside {
    /// The link or file.
    pub file: String,
    /// The place.
    pub names: String,
}

/// An editable install.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Editable {
    /// The package.
    pub name: String,
    /// Where its sources are.
    pub sources: Vec<String>,
    /// Whether they are in the archive; otherwise the package was left out.
    pub included: bool,
}
