//! Bytecode of pure Python packages. rattler's installer compiles none, and on a network file system every start of
//! Python feels it. The files validate by nothing (`unchecked-hash`) and name no absolute path, so that the same
//! packages give the same bytes wherever and whenever they are installed.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use rattler::install::PythonInfo;
use rattler_conda_types::{
    PrefixRecord, Subdir,
    prefix_record::{PathType, PathsEntry},
};

use super::{InstallRequest, error::InstallError, prefix};
use crate::{
    base::{FsError, Scratch, fs},
    rt::Rt,
};

/// The first Python whose `compileall` strips a prefix and reads a list of files.
const OLDEST: (u64, u64) = (3, 9);

/// Compiles what is not compiled yet and notes the files in the packages' records, so that they go when the package goes:
/// nothing else would ever notice that such a file is stale. Gives the number of files written. A prefix for another
/// platform is left alone unless the request names an interpreter.
pub(super) fn compile(rt: &Rt, request: &InstallRequest<'_>) -> Result<usize, InstallError> {
    let records = prefix::records(request.prefix)?;
    let Some(python) = records.iter().find(|record| record.name().as_normalized() == "python") else { return Ok(0) };
    let python = &python.repodata_record.package_record;
    let Ok(info) = PythonInfo::from_python_record(python, request.platform) else { return Ok(0) };
    let runs_here = request.interpreter.is_some() || Subdir::current() == Some(request.platform);
    if info.short_version < OLDEST || !runs_here {
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
    let compiler = Compiler {
        interpreter: request.interpreter.map_or_else(|| request.prefix.join(&info.path), Path::to_owned),
        wanted: format!("{}.{}", info.short_version.0, info.short_version.1),
        scratch: Scratch::inside(&prefix::meta(request.prefix))?,
    };
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
    compiler.run(rt, request.prefix, stale.iter().flat_map(|(_, sources)| sources))?;
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

/// Where the bytecode of a source goes.
fn target(source: &Path, tag: &str) -> PathBuf {
    let stem = source.file_stem().unwrap_or_default().to_string_lossy();
    source.with_file_name("__pycache__").join(format!("{stem}.{tag}.pyc"))
}

fn note(record: &mut PrefixRecord, targets: Vec<PathBuf>, prefix: &Path) -> Result<(), InstallError> {
    let PrefixRecord { paths_data, files, .. } = record;
    files.retain(|file| !targets.contains(file));
    paths_data.paths.retain(|entry| entry.path_type != PathType::PycFile);
    for target in targets {
        files.push(target.clone());
        paths_data.paths.push(PathsEntry {
            relative_path: target,
            original_path: None,
            path_type: PathType::PycFile,
            no_link: false,
            sha256: None,
            sha256_in_prefix: None,
            size_in_bytes: None,
            file_mode: None,
            prefix_placeholder: None,
        });
    }
    let path = prefix::meta(prefix).join(record.file_name());
    record.write_to_path(&path, true).map_err(|source| FsError::new("write", path, source).into())
}

struct Compiler {
    interpreter: PathBuf,
    wanted: String,
    scratch: Scratch,
}

impl Compiler {
    /// The tag in the names of bytecode files, such as `cpython-312`.
    fn tag(&self, rt: &Rt) -> Result<String, InstallError> {
        let ask = "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.cache_tag)";
        let output = self.python(rt, &["-c", ask])?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.trim().split_once(' ') {
            Some((version, tag)) if version == self.wanted => Ok(tag.to_owned()),
            Some((version, _)) => Err(self.failed(&format!("it is Python {version}"))),
            None => Err(self.failed(&String::from_utf8_lossy(&output.stderr))),
        }
    }

    fn run<'a>(&self, rt: &Rt, prefix: &Path, sources: impl Iterator<Item = &'a PathBuf>) -> Result<(), InstallError> {
        let list = self.scratch.path().join("sources");
        let mut text = String::new();
        for source in sources {
            writeln!(text, "{}", prefix.join(source).display()).expect("a string takes any text");
        }
        fs::write_atomic(&list, text.as_bytes())?;
        let (list, prefix) = (list.to_string_lossy(), prefix.to_string_lossy());
        let arguments =
            ["-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash", "-s", &prefix, "-i", &list];
        let output = self.python(rt, &arguments)?;
        // Status 1 says that some file cannot be compiled: packages carry templates and code for other Pythons.
        match output.status.code() {
            Some(0 | 1) => Ok(()),
            _ => Err(self.failed(&format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)))),
        }
    }

    /// Runs the interpreter without the caller's variables, user packages and `.pth` files. `-I` would drop the hash seed
    /// with the other variables, and the order of set constants in bytecode depends on it.
    fn python(&self, rt: &Rt, arguments: &[&str]) -> Result<Output, InstallError> {
        let mut command = tokio::process::Command::new(&self.interpreter);
        command
            .args(["-B", "-s", "-S", "-X", "utf8"])
            .args(arguments)
            .env_clear()
            .env("PYTHONHASHSEED", "0")
            .current_dir(self.scratch.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        rt.block_on(async move { command.output().await }).map_err(|error| self.failed(&error.to_string()))
    }

    fn failed(&self, reason: &str) -> InstallError {
        InstallError::Bytecode {
            interpreter: self.interpreter.clone(),
            wanted: self.wanted.clone(),
            reason: reason.trim().to_owned(),
        }
    }
}
