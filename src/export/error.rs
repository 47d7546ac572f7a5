//! What can go wrong.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::base::FsError;

/// The packages of an environment cannot be read or told.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ExportError {
    /// A file cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] FsError),
    /// Records of packages are no records.
    #[error("{} of `{}` cannot be read:\n{}", plural(.problems.len()), .place.display(), .problems.join("\n"))]
    #[diagnostic(
        code(envbuild::export::records),
        help("reinstall these packages, or delete their records if the packages are gone")
    )]
    Records {
        /// The prefix or archive.
        place: PathBuf,
        /// Each file with what is wrong with it.
        problems: Vec<String>,
    },
    /// There are no records at all.
    #[error("`{}` holds no records of conda packages", .0.display())]
    #[diagnostic(code(envbuild::export::no_records), help("an environment has a folder `conda-meta` with JSON files"))]
    NoRecords(PathBuf),
    /// The packages are not for one platform.
    #[error("the packages of `{}` are for several platforms: {}", .place.display(), .platforms.join(", "))]
    #[diagnostic(
        code(envbuild::export::platforms),
        help("one environment holds packages of one platform and `noarch`")
    )]
    Platforms {
        /// The prefix or archive.
        place: PathBuf,
        /// The platforms.
        platforms: Vec<String>,
    },
    /// A format needs what is not known of some packages.
    #[error("{format} needs {what} of each package, which is not known of {}", .packages.join(", "))]
    #[diagnostic(
        code(envbuild::export::unknown),
        help(
            "install these packages from a channel that others can reach, or choose another format; \
             `envbuild pack ENV -o FILE.bundle` writes a file that holds the packages themselves"
        )
    )]
    Unknown {
        /// The format's name.
        format: &'static str,
        /// What is needed.
        what: &'static str,
        /// The packages that lack it.
        packages: Vec<String>,
    },
}

fn plural(count: usize) -> String {
    if count == 1 { "a record".to_owned() } else { format!("{count} records") }
}
