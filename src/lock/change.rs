//! What is different between two sets of packages.

use std::{collections::BTreeMap, fmt};

use rattler_conda_types::{PackageRecord, RepoDataRecord};

/// One package that differs. It is shown as one line, such as `numpy 2.2.5 → 2.2.6`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The package is new.
    Added {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
        /// Its build string.
        build: String,
    },
    /// The package is gone.
    Removed {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
        /// Its build string.
        build: String,
    },
    /// The package has another version, build or content.
    Changed {
        /// Its name.
        name: String,
        /// Version and build string before.
        old: (String, String),
        /// Version and build string now.
        new: (String, String),
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { name, version, build } => write!(f, "{name} {version} {build} added"),
            Self::Removed { name, version, build } => write!(f, "{name} {version} {build} removed"),
            Self::Changed { name, old, new } if old.0 != new.0 => write!(f, "{name} {} → {}", old.0, new.0),
            Self::Changed { name, old, new } if old.1 != new.1 => {
                write!(f, "{name} {} {} → {}", old.0, old.1, new.1)
            }
            Self::Changed { name, old, .. } => write!(f, "{name} {} {} has other content", old.0, old.1),
        }
    }
}

/// The differences from `old` to `new`, sorted by package name.
pub fn changes(old: &[RepoDataRecord], new: &[RepoDataRecord]) -> Vec<Change> {
    let (old, new) = (by_name(old), by_name(new));
    let mut changes = BTreeMap::new();
    for (name, record) in &old {
        let change = match new.get(name) {
            None => Change::Removed {
                name: (*name).to_owned(),
                version: record.version.to_string(),
                build: record.build.to_string(),
            },
            Some(now) if identity(now) != identity(record) || now.sha256 != record.sha256 => {
                Change::Changed { name: (*name).to_owned(), old: identity(record), new: identity(now) }
            }
            Some(_) => continue,
        };
        changes.insert(*name, change);
    }
    for (name, record) in new.iter().filter(|(name, _)| !old.contains_key(**name)) {
        let (version, build) = identity(record);
        changes.insert(*name, Change::Added { name: (*name).to_owned(), version, build });
    }
    changes.into_values().collect()
}

fn by_name(records: &[RepoDataRecord]) -> BTreeMap<&str, &PackageRecord> {
    records.iter().map(|record| (record.package_record.name.as_normalized(), &record.package_record)).collect()
}

fn identity(record: &PackageRecord) -> (String, String) {
    (record.version.to_string(), record.build.to_string())
}
