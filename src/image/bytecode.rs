//! Bytecode of pure Python packages, as the installer's prefix has it. The interpreter runs where it lies in the package
//! cache. Each package is compiled by itself, and its bytecode kept for the next time.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use rattler::install::PythonInfo;
use rattler_conda_types::Subdir;
use rayon::prelude::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::{cached::Cached, error::ImageError};
use crate::{
    base::{Digest, FsError, Scratch, fs},
    bytecode::{Compiler, is_compiled, target},
    rt::Rt,
    tree::{self, Entry, File},
};

/// What the digests are of; another number when they would be of something else.
const FORM: &str = "2";
/// The files below a folder where bytecode is kept.
const FILES: &str = "files";
/// Their digests: a digest in hexadecimal digits, a space and a name, each ended by a NUL.
const DIGESTS: &str = "digests";

/// The Python of an environment.
pub(super) struct Python<'a> {
    pub(super) package: &'a Cached,
    pub(super) info: &'a PythonInfo,
    /// One that runs instead of the package's own.
    pub(super) interpreter: Option<&'a Path>,
    /// Where libraries of other packages are.
    pub(super) libraries: Vec<PathBuf>,
}

/// What of a package is to be compiled.
pub(super) struct Sources<'a> {
    pub(super) package: &'a Cached,
    /// Names in the environment, and where the files are.
    pub(super) files: Vec<(PathBuf, PathBuf)>,
}

impl Python<'_> {
    /// Whether its bytecode can be compiled here.
    pub(super) fn compiles(&self, platform: Subdir) -> bool {
        is_compiled(self.info.short_version) && (self.interpreter.is_some() || Subdir::current() == Some(platform))
    }

    /// The bytecode of each package, by its names. `kept` is a folder for bytecode of any environment; what cannot be kept
    /// there is in `scratch`.
    ///
    /// # Errors
    /// When the interpreter does not run or a file cannot be written.
    pub(super) fn compile(
        &self,
        rt: &Rt,
        packages: &[Sources<'_>],
        kept: Option<&Path>,
        scratch: &Path,
    ) -> Result<Vec<Vec<(PathBuf, File)>>, ImageError> {
        let kept = kept.filter(|kept| fs::create_dir_all(kept).is_ok());
        packages.par_iter().map(|package| self.of_package(rt, package, kept, scratch)).collect()
    }

    fn of_package(
        &self,
        rt: &Rt,
        sources: &Sources<'_>,
        kept: Option<&Path>,
        scratch: &Path,
    ) -> Result<Vec<(PathBuf, File)>, ImageError> {
        let place = self.key(sources.package).and_then(|key| Some(kept?.join(key.to_string())));
        if let Some(place) = &place {
            if let Some(files) = read(place)? {
                return Ok(files);
            }
            fs::remove_dir_all(place)?;
        }
        let make = |inside: &Path| -> Result<(Scratch, PathBuf), ImageError> {
            let beside = Scratch::inside(inside)?;
            let folder = beside.path().join("made");
            self.write(rt, sources, &folder, beside.path())?;
            Ok((beside, folder))
        };
        let (_beside, folder) = match kept.filter(|_| place.is_some()).map(make) {
            // It may be full, or somebody else's.
            None | Some(Err(ImageError::File(_))) => make(scratch)?,
            Some(made) => made?,
        };
        let place = place.unwrap_or_else(|| scratch.join(sources.package.name()));
        // Somebody else may have been faster.
        if fs::rename(&folder, &place).is_err() && read(&place)?.is_none() {
            let own = scratch.join(sources.package.name());
            fs::rename(&folder, &own)?;
            return Ok(read(&own)?.unwrap_or_default());
        }
        Ok(read(&place)?.unwrap_or_default())
    }

    /// All that the bytecode of a package depends on; nothing when a package has no hash to know it by, or another
    /// interpreter than the package's compiles.
    fn key(&self, package: &Cached) -> Option<Digest> {
        let hash = |package: &Cached| package.record.package_record.sha256.map(hex::encode);
        let site_packages = self.info.site_packages_path.to_string_lossy();
        let parts = [FORM.to_owned(), hash(package)?, hash(self.package)?, site_packages.into_owned()];
        self.interpreter.is_none().then(|| Digest::of(parts.join("\n")))
    }

    /// Compiles into a folder. The sources are linked to where they are in an environment, because the bytecode names
    /// them.
    fn write(&self, rt: &Rt, sources: &Sources<'_>, folder: &Path, aside: &Path) -> Result<(), ImageError> {
        let root = folder.join(FILES);
        fs::create_dir_all(&root)?;
        for (name, file) in &sources.files {
            let link = root.join(name);
            fs::create_dir_all(link.parent().unwrap_or(&root))?;
            std::os::unix::fs::symlink(file, &link).map_err(|error| FsError::new("make the link", &link, error))?;
        }
        let own = self.package.folder.join(&self.info.path);
        let interpreter = self.interpreter.unwrap_or(&own);
        let version = self.info.short_version;
        let mut compiler = Compiler::new(interpreter, version, aside);
        let tag = match compiler.tag(rt) {
            Ok(tag) => tag,
            Err(_) => {
                compiler = compiler.with_libraries(&self.libraries);
                compiler.tag(rt)?
            }
        };
        // A package may bring bytecode of its own.
        let brought = |file: &Path| target(file, &tag).exists();
        let wanted = sources.files.iter().filter(|(_, file)| !brought(file)).map(|(name, _)| name);
        compiler.run(rt, &root, &tag, wanted)?;
        let mut digests = Vec::new();
        for (name, entry) in tree::list(&root, |_| false)? {
            let path = root.join(OsStr::from_bytes(&name));
            match entry {
                Entry::Folder => {}
                Entry::Link(_) => fs::remove_file(&path)?,
                Entry::File(_) => {
                    let digest = Digest::of(fs::read(&path)?).to_string();
                    digests.extend([digest.as_bytes(), b" ", &name, b"\0"].concat());
                }
            }
        }
        Ok(fs::write_atomic(&folder.join(DIGESTS), &digests)?)
    }
}

/// What is kept in a folder, when it is all there.
fn read(folder: &Path) -> Result<Option<Vec<(PathBuf, File)>>, ImageError> {
    let Some(digests) = fs::read_if_there(&folder.join(DIGESTS))? else { return Ok(None) };
    let lines: BTreeSet<&[u8]> = digests.split(|byte| *byte == 0).filter(|line| !line.is_empty()).collect();
    let mut files = Vec::new();
    for (name, entry) in tree::list(&folder.join(FILES), |_| false)? {
        let Entry::File(file) = entry else { continue };
        let path = folder.join(FILES).join(OsStr::from_bytes(&name));
        let digest = Digest::of(fs::read(&path)?).to_string();
        if !lines.contains([digest.as_bytes(), b" ", &name].concat().as_slice()) {
            return Ok(None);
        }
        files.push((std::ffi::OsString::from_vec(name).into(), file));
    }
    Ok((files.len() == lines.len()).then_some(files))
}

/// The source of a bytecode file in `__pycache__`.
pub(super) fn source_of(bytecode: &Path) -> Option<PathBuf> {
    let stem = bytecode.file_stem()?.to_str()?;
    let (stem, _tag) = stem.rsplit_once('.')?;
    Some(bytecode.parent()?.parent()?.join(format!("{stem}.py")))
}
