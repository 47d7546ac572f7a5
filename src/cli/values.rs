//! What values of options can be: what is wrong with one is told with the option's name, before anything is read.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::{
    adopt::{Filter, Filters},
    manifest::{self, is_dest_prefix},
    tree::{PLACEHOLDER_MAX, PrefixFault, prefix_fault},
};

/// A number of bytes, with a unit or without.
pub(super) fn size(text: &str) -> Result<u64, String> {
    manifest::bytes(text).ok_or_else(|| "it is a whole number with K, M, G or T after it, as in 2G".to_owned())
}

/// A folder in an archive; nothing stands for its root.
pub(super) fn arcroot(text: &str) -> Result<String, String> {
    let usual = |part: &str| !matches!(part, "" | "." | "..");
    if text.is_empty() || text.split('/').all(usual) {
        return Ok(text.to_owned());
    }
    Err("it is a relative path without `.`, `..`, `//`, and `/` at the end".to_owned())
}

/// A pattern of files.
pub(super) fn pattern(text: &str) -> Result<String, String> {
    match Filters::new(&[Filter::Exclude(text.to_owned())]) {
        Ok(_) => Ok(text.to_owned()),
        Err(errors) => Err(errors.problems().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// The path that an archive's files are to name.
pub(super) fn dest_prefix(text: &str) -> Result<String, String> {
    if !is_dest_prefix(text) {
        return Err("it is an absolute path without `.`, `..`, `//`, and `/` at the end, as /opt/env".to_owned());
    }
    match prefix_fault(text.as_ref(), PLACEHOLDER_MAX) {
        None => Ok(text.to_owned()),
        Some(PrefixFault::Character(what)) => Err(unfit(what)),
        Some(PrefixFault::Length { length, limit }) => {
            Err(format!("it is {length} bytes long, and no environment can live at a path of more than {limit}"))
        }
    }
}

/// Where a new environment is to live. How long its path may be is known when the environment is.
pub(super) fn new_prefix() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match prefix_fault(&path, usize::MAX) {
        Some(PrefixFault::Character(what)) => Err(unfit(what)),
        _ => Ok(path),
    })
}

fn unfit(what: &str) -> String {
    format!("it holds {what}, which the files of an environment cannot have in their path")
}
