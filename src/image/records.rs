//! The records in `conda-meta`, as the installer writes them.

use std::path::{Path, PathBuf};

use rattler::install::PythonInfo;
use rattler_conda_types::{MatchSpec, PrefixRecord, RepoDataRecord, prefix_record::PathsEntry};

use crate::bytecode;

/// The requirements of the user that a package answers.
fn requested(record: &RepoDataRecord, specs: &[MatchSpec]) -> Vec<String> {
    let name = &record.package_record.name;
    specs.iter().filter(|spec| spec.name.as_exact() == Some(name)).map(ToString::to_string).collect()
}

/// A package's record: its file name, and its bytes.
pub(super) fn written(
    record: RepoDataRecord,
    mut paths: Vec<PathsEntry>,
    compiled: Vec<PathBuf>,
    specs: &[MatchSpec],
) -> (String, Vec<u8>) {
    let requested_specs = requested(&record, specs);
    paths.sort_by(|one, other| one.relative_path.cmp(&other.relative_path));
    paths.extend(compiled.into_iter().map(bytecode::entry));
    let record = PrefixRecord { requested_specs, ..PrefixRecord::from_repodata_record(record, paths) };
    (record.file_name(), serde_json::to_vec_pretty(&record).expect("a record is always JSON"))
}

/// Whether a file is a module of Python's that is to be compiled.
pub(super) fn is_source(path: &Path, python: &PythonInfo) -> bool {
    path.starts_with(&python.site_packages_path) && path.extension().is_some_and(|kind| kind == "py")
}
