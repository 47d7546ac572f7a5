//! Compiles bytecode of Python's. The files validate by nothing (`unchecked-hash`), name no absolute path and are written
//! in one form, so that the same source gives the same bytes wherever, whenever and with whatever else it is compiled.
//!
//! Knows nothing of: the package cache, prefixes, where the files go.

mod canonical;
mod marshal;
#[cfg(test)]
mod tests;

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use rattler_conda_types::prefix_record::{PathType, PathsEntry};
use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::{
    base::{FsError, Scratch},
    rt::Rt,
};

pub use canonical::settle;

/// How often it is tried to start an interpreter that somebody is writing, and how long it is waited between.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// What Python runs to compile.
const PROGRAM: &str = include_str!("compile.py");
/// The status with which that ends when the operating system refused something (`EX_IOERR` of `sysexits.h`).
const REFUSED: i32 = 74;

/// The oldest Python for which that is written.
const OLDEST: (u64, u64) = (3, 9);

/// Bytecode could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum BytecodeError {
    /// The Python that shall compile it cannot.
    #[error("`{}` could not compile the bytecode of Python {wanted}: {reason}", interpreter.display())]
    Interpreter {
        /// The interpreter.
        interpreter: PathBuf,
        /// The version needed, as `3.12`.
        wanted: String,
        /// What happened.
        reason: String,
    },
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FsError),
}

/// Whether bytecode of a Python of this version (major, minor) can be compiled as it is done here.
pub fn is_compiled(version: (u64, u64)) -> bool {
    version >= OLDEST
}

/// Where the bytecode of a source goes; `tag` is what [`Compiler::tag`] gives.
pub fn target(source: &Path, tag: &str) -> PathBuf {
    let stem = source.file_stem().unwrap_or_default().to_string_lossy();
    source.with_file_name("__pycache__").join(format!("{stem}.{tag}.pyc"))
}

/// What a package's record says of a file of bytecode that was compiled here: conda removes it with the package.
pub fn entry(name: PathBuf) -> PathsEntry {
    PathsEntry {
        relative_path: name,
        original_path: None,
        path_type: PathType::PycFile,
        no_link: false,
        sha256: None,
        sha256_in_prefix: None,
        size_in_bytes: None,
        file_mode: None,
        prefix_placeholder: None,
    }
}

/// A Python that compiles.
#[derive(Debug)]
pub struct Compiler {
    interpreter: PathBuf,
    wanted: String,
    scratch: PathBuf,
    libraries: Option<OsString>,
}

impl Compiler {
    /// `interpreter` must be of the version (major, minor); `scratch` is a folder for the list of sources.
    pub fn new(interpreter: &Path, version: (u64, u64), scratch: &Path) -> Self {
        let wanted = format!("{}.{}", version.0, version.1);
        Self { interpreter: interpreter.to_owned(), wanted, scratch: scratch.to_owned(), libraries: None }
    }

    /// The same, with folders where the interpreter finds libraries that it does not find by itself.
    #[must_use]
    pub fn with_libraries(mut self, folders: &[PathBuf]) -> Self {
        let folders: Vec<&OsStr> = folders.iter().map(|folder| folder.as_os_str()).collect();
        self.libraries = Some(folders.join(OsStr::new(":")));
        self
    }

    /// The tag in the names of bytecode files, such as `cpython-312`.
    ///
    /// # Errors
    /// When the interpreter does not run here, or has another version.
    pub fn tag(&self, rt: &Rt) -> Result<String, BytecodeError> {
        let ask = "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.cache_tag)";
        let output = self.python(rt, &[OsStr::new("-c"), OsStr::new(ask)])?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.trim().split_once(' ') {
            Some((version, tag)) if version == self.wanted => Ok(tag.to_owned()),
            Some((version, _)) => Err(self.failed(&format!("it is Python {version}"))),
            None => Err(self.failed(&String::from_utf8_lossy(&output.stderr))),
        }
    }

    /// Compiles sources, given relative to `root`, beside themselves; the bytecode names them relative to it as well. What
    /// cannot be compiled is left out: packages carry templates and code for other Pythons. `tag` is what [`Self::tag`]
    /// gives. Each file's bytes depend on its source, its name and the Python alone: see [`settle`].
    ///
    /// # Errors
    /// When the interpreter fails, or a file cannot be read or written.
    pub fn run<'a>(
        &self,
        rt: &Rt,
        root: &Path,
        tag: &str,
        sources: impl Iterator<Item = &'a PathBuf>,
    ) -> Result<(), BytecodeError> {
        let aside = Scratch::inside(&self.scratch)?;
        let list = aside.path().join("sources");
        let mut names = Vec::new();
        let mut targets = Vec::new();
        for source in sources {
            names.extend_from_slice(source.as_os_str().as_bytes());
            names.push(0);
            targets.push(target(&root.join(source), tag));
        }
        std::fs::write(&list, names).map_err(|error| FsError::new("write", &list, error))?;
        let output = self.python(rt, &[OsStr::new("-c"), OsStr::new(PROGRAM), root.as_os_str(), list.as_os_str()])?;
        match output.status.code() {
            Some(0) => {}
            Some(REFUSED) => return Err(refused(&output.stdout).into()),
            _ => return Err(self.failed(&format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)))),
        }
        Ok(targets.par_iter().try_for_each(|target| settle(target))?)
    }

    /// Runs the interpreter without the caller's variables, user packages and `.pth` files. `-I` would drop the hash seed
    /// with the other variables, and the order of set constants in bytecode depends on it.
    fn python(&self, rt: &Rt, arguments: &[&OsStr]) -> Result<Output, BytecodeError> {
        let mut command = tokio::process::Command::new(&self.interpreter);
        command
            .args(["-B", "-s", "-S", "-X", "utf8"])
            .args(arguments)
            .env_clear()
            .env("PYTHONHASHSEED", "0")
            .current_dir(&self.scratch)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        let run = async move {
            // A program that was just unpacked is busy for as long as a child of ours, which was started meanwhile, holds
            // it open for writing: until the child runs its own program.
            for _ in 1..TRIES {
                match command.output().await {
                    Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => tokio::time::sleep(PAUSE).await,
                    ran => return ran,
                }
            }
            command.output().await
        };
        rt.block_on(run).map_err(|error| self.failed(&error.to_string()))
    }

    fn failed(&self, reason: &str) -> BytecodeError {
        BytecodeError::Interpreter {
            interpreter: self.interpreter.clone(),
            wanted: self.wanted.clone(),
            reason: reason.trim().to_owned(),
        }
    }
}

/// What the program tells of an error of the operating system.
fn refused(told: &[u8]) -> FsError {
    let (number, path) = told.split_at(told.iter().position(|byte| *byte == b' ').unwrap_or(told.len()));
    let number = std::str::from_utf8(number).ok().and_then(|it| it.parse().ok());
    let error = number.map_or_else(|| io::ErrorKind::Other.into(), io::Error::from_raw_os_error);
    FsError::new("compile", Path::new(OsStr::from_bytes(path.get(1..).unwrap_or_default())), error)
}
