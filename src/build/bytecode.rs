//! Compiles the Python files of a package that is made for one Python.
//!
//! The library would compile them in a temporary folder, whose random name every compiled file then tells. Here it is
//! done in the host prefix, with names relative to it: Python puts the real ones in when it loads a module.

use std::{
    collections::HashSet,
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use rattler_build::metadata::Output;
use rattler_build_types::glob::GlobVec;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{
    base::{FsError, fs},
    bytecode::settle,
};

/// Compiles the files that it reads the names of, and writes the names of what it made, each ended by a NUL. The hash in the
/// compiled file is never compared with the source: the times of files mean nothing in a package, and comparing would read
/// every source at every start.
const COMPILE: &str = "\
import os, py_compile, sys
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
for name in sys.stdin.read().split('\\0'):
    try:
        made = py_compile.compile(name, dfile=name, doraise=True, invalidation_mode=mode)
        sys.stdout.buffer.write(os.fsencode(made) + b'\\0')
    except Exception as error:
        print(f'{name} is not compiled: {error}', file=sys.stderr)
";

/// Compiles what is in the prefix and was not `installed`, and keeps the library from doing it. Files that do not compile
/// are mentioned in the log; packages do hold templates and tests of that kind.
pub(super) async fn compile(output: &mut Output, installed: &HashSet<PathBuf>) -> Result<(), FsError> {
    let everything = GlobVec::from_strings(vec!["**".to_owned()], Vec::new()).expect("`**` is a pattern");
    let skipped = std::mem::replace(&mut output.recipe.build.python.skip_pyc_compilation, everything);
    let prefix = output.prefix();
    let python = prefix.join("bin/python");
    let any_python = output.recipe.build.python.version_independent || output.recipe.build.noarch.is_some();
    if any_python || !python.exists() {
        return Ok(());
    }
    let after = rattler_build::packaging::record_files(prefix);
    let after = after.map_err(|source| FsError::new("list", prefix, source))?;
    let mut names = Vec::new();
    for file in after.difference(installed) {
        let name = file.strip_prefix(prefix).unwrap_or(file);
        if is_module(name) && !skipped.is_match(name) && !holds(&prefix.join(name), prefix)? {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    names.sort();
    tracing::info!("compiling {} Python files", names.len());
    let fail = |source| FsError::new("run", &python, source);
    let mut child = Command::new(&python)
        .args(["-B", "-S", "-c", COMPILE])
        .current_dir(prefix)
        .env_clear()
        .env("PYTHONHASHSEED", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(fail)?;
    let mut input = child.stdin.take().expect("the standard input is a pipe");
    input.write_all(names.join("\0").as_bytes()).await.map_err(fail)?;
    drop(input);
    let done = child.wait_with_output().await.map_err(fail)?;
    for line in String::from_utf8_lossy(&done.stderr).lines() {
        tracing::info!("{line}");
    }
    let mut made = done.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    made.try_for_each(|name| settle(&prefix.join(OsStr::from_bytes(name))))
}

fn is_module(name: &Path) -> bool {
    name.extension().is_some_and(|extension| extension == "py") && !name.starts_with("bin")
}

/// A file with the prefix in it changes when it is installed, so that what was compiled from it would be wrong.
fn holds(file: &Path, prefix: &Path) -> Result<bool, FsError> {
    if !file.is_file() {
        return Ok(true);
    }
    let text = fs::read(file)?;
    let prefix = prefix.as_os_str().as_encoded_bytes();
    Ok(text.windows(prefix.len()).any(|part| part == prefix))
}
