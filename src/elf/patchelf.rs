//! The command line of `patchelf`, as far as rattler-build uses it.

use std::{ffi::OsString, path::PathBuf};

use super::{
    edit::{RunPathKind, run_path, set_run_path},
    error::ElfError,
};

/// Does what `patchelf` does for these arguments (the program's own name is not among them), and gives what it prints on
/// its standard output.
///
/// # Errors
/// When the arguments are not understood, or a file's run path cannot be set; files named before it are changed then.
pub fn patchelf(arguments: &[OsString]) -> Result<String, ElfError> {
    let mut kind = RunPathKind::Runpath;
    let mut new = None;
    let mut print = Print::Nothing;
    let mut files = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--version") => return Ok(format!("patchelf (envbuild {})\n", env!("CARGO_PKG_VERSION"))),
            Some("--force-rpath") => kind = RunPathKind::Rpath,
            Some("--print-rpath") => print = Print::RunPath,
            Some("--remove-rpath") => new = Some(String::new()),
            Some("--set-rpath") => {
                let value = arguments.next().ok_or_else(|| usage("`--set-rpath` needs a run path"))?;
                let value = value.to_str().ok_or_else(|| usage("the run path is not UTF-8"))?;
                new = Some(value.to_owned());
            }
            Some(option) if option.starts_with('-') => return Err(usage(&format!("unknown option `{option}`"))),
            _ => files.push(PathBuf::from(argument)),
        }
    }
    if files.is_empty() {
        return Err(usage("no file is named"));
    }
    let mut printed = String::new();
    for file in &files {
        match (&print, &new) {
            (Print::RunPath, _) => {
                printed.push_str(&run_path(file)?.map(|(text, _)| text).unwrap_or_default());
                printed.push('\n');
            }
            (Print::Nothing, Some(new)) => set_run_path(file, new, kind)?,
            (Print::Nothing, None) => return Err(usage("nothing is to be done")),
        }
    }
    Ok(printed)
}

enum Print {
    Nothing,
    RunPath,
}

fn usage(what: &str) -> ElfError {
    ElfError::Usage(what.to_owned())
}
