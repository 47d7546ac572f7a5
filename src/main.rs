//! The `envbuild` program: collects what the operating system gives, and calls the library.

use std::{ffi::OsString, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    envbuild::cli::main(&arguments, environment.collect())
}
