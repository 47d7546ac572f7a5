//! Bytecode of pure Python packages. rattler's installer compiles none, and on a network file system every start of
//! Python feels it.

use std::path::{Path, PathBuf};

use rattler::install::PythonInfo;
use rattler_conda_types::{PrefixRecord, Subdir, prefix_record::PathType};
use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::{InstallRequest, error::InstallError, prefix};
use crate::{
    base::{FsError, Scratch},
    bytecode::{self, Compiler, is_compiled, target},
    rt::Rt,
};

/// Compiles what is not compiled yet and notes the files in the packages' records, so that they go when the package goes:
/// nothing else would ever notice that such a file is stale. Gives the number of files written. A prefix for another
/// platform is left alone unless the request names an interpreter.
pub(super) fn compile(rt: &Rt, request: &InstallRequest<'_>) -> Result<usize, InstallError> {
    let records = prefix::records(request.prefix)?;
    let Some(python) = records.iter().find(|record| record.name().as_normalized() == "python") else { return Ok(0) };
    let python = &python.repodata_record.package_record;
    let Ok(info) = PythonInfo::from_python_record(python, request.platform) else { return Ok(0) };
    let runs_here = request.interpreter.is_some() || Subdir::current() == Some(request.platform);
    if !is_compiled(info.short_version) || !runs_here {
        return Ok(0);
    }
    let mut stale: Vec<(PrefixRecord, Vec<PathBuf>)> = Vec::new();
    for record in records {
        if record.repodata_record.package_record.noarch.is_python() {
            let sources = sources(&record, &info);
            if !sources.is_empty() && !compiled(&record, request.prefix) {
                stale.push((record, sources));
            }
        }
    }
    if stale.is_empty() {
        return Ok(0);
    }
    let interpreter = request.interpreter.map_or_else(|| request.prefix.join(&info.path), Path::to_owned);
    let scratch = Scratch::inside(&prefix::meta(request.prefix))?;
    let compiler = Compiler::new(&interpreter, info.short_version, scratch.path());
    let tag = compiler.tag(rt)?;
    for (record, sources) in &mut stale {
        // A package may bring bytecode of its own; it is linked to the package cache and stays.
        let brought = |source: &PathBuf| {
            let target = target(source, &tag);
            let mut entries = record.paths_data.paths.iter();
            entries.any(|entry| entry.relative_path == target && entry.path_type != PathType::PycFile)
        };
        sources.retain(|source| !brought(source));
    }
    stale.par_iter().try_for_each(|(_, sources)| compiler.run(rt, request.prefix, &tag, sources.iter()))?;
    let mut written = 0;
    for (mut record, sources) in stale {
        let targets = sources.iter().map(|source| target(source, &tag));
        let targets: Vec<PathBuf> = targets.filter(|target| request.prefix.join(target).is_file()).collect();
        written += targets.len();
        note(&mut record, targets, request.prefix)?;
    }
    Ok(written)
}

/// The Python files of a package in site-packages, sorted.
fn sources(record: &PrefixRecord, info: &PythonInfo) -> Vec<PathBuf> {
    let paths = record.paths_data.paths.iter().map(|entry| &entry.relative_path);
    let mut sources: Vec<PathBuf> = paths
        .filter(|path| path.starts_with(&info.site_packages_path) && path.extension().is_some_and(|kind| kind == "py"))
        .cloned()
        .collect();
    sources.sort();
    sources
}

/// Whether a package's bytecode is noted and all there.
fn compiled(record: &PrefixRecord, prefix: &Path) -> bool {
    let entries = record.paths_data.paths.iter().filter(|entry| entry.path_type == PathType::PycFile);
    let mut entries = entries.peekable();
    entries.peek().is_some() && entries.all(|entry| prefix.join(&entry.relative_path).is_file())
}

fn note(record: &mut PrefixRecord, targets: Vec<PathBuf>, prefix: &Path) -> Result<(), InstallError> {
    let PrefixRecord { paths_data, files, .. } = record;
    files.retain(|file| !targets.contains(file));
    paths_data.paths.retain(|entry| entry.path_type != PathType::PycFile);
    for target in targets {
        files.push(target.clone());
        paths_data.paths.push(bytecode::entry(target));
    }
    let path = prefix::meta(prefix).join(record.file_name());
    record.write_to_path(&path, true).map_err(|source| FsError::new("write", path, source).into())
}
