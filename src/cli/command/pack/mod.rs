//! `pack`: environments of the project, or a prefix that lies anywhere.

mod goal;
mod prefix;
mod project;

use std::path::Path;

use super::{World, run_stage};
use crate::{
    adopt::Filter,
    archive,
    cli::{Exit, exit::unless_stopped, pack_args::PackArgs, project::UsageError},
    image,
    plan::{Kind, Stage},
    tree::{Digests, FOLDER},
    unpack,
};

pub(in crate::cli) fn pack(world: &World, args: PackArgs) -> miette::Result<Exit> {
    let extra = args.prefix.is_some() || args.output.is_some() || args.since.is_some();
    if let Some(option) = of_prefixes(&args).filter(|_| args.prefix.is_none()) {
        return Err(UsageError::OfPrefixes(option).into());
    }
    if let Some(option) = of_one(&args).filter(|_| !extra) {
        return Err(UsageError::OfOne(option).into());
    }
    if args.prefix.is_none()
        && let Some(word) =
            args.run.words.iter().find(|it| is_path(it) && world.path(it.as_ref()).join("conda-meta").is_dir())
    {
        return Err(UsageError::APrefix(word.into()).into());
    }
    let goal = args.output.as_ref().map(|it| world.path(it));
    match &args.prefix {
        Some(prefix) => unless_stopped(prefix::pack(world, &args, prefix), goal.as_deref()),
        None if extra => unless_stopped(project::pack(world, &args), goal.as_deref()),
        None => run_stage(world, args.run, Stage::Kind(Kind::Pack)),
    }
}

/// The option that goes only with a prefix and was given. clap's `requires` would not do: it asks for no prefix when there are
/// words that rule it out.
fn of_prefixes(args: &PackArgs) -> Option<&'static str> {
    let options = [
        ("--ignore-editable", args.ignore_editable),
        ("--include-editable", args.include_editable),
        ("--short-prefix", args.short_prefix),
    ];
    options.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
}

/// The option that goes only with one archive, and not with those of the manifest, and was given.
fn of_one(args: &PackArgs) -> Option<&'static str> {
    match args.filters.0.first() {
        _ if args.target.is_some() => Some("--target <NAME>"),
        Some(Filter::Exclude(_)) => Some("--exclude <GLOB>"),
        Some(Filter::Include(_)) => Some("--include <GLOB>"),
        None => None,
    }
}

/// Whether a word can be no name: there may be a folder that is called as an environment is.
fn is_path(word: &str) -> bool {
    word.contains('/') || word.starts_with('.')
}

/// What an update is to build on.
fn digests(old: &Path) -> miette::Result<Digests> {
    // Of parts, the name before their numbers is no file.
    if !old.exists() && !archive::part(old, 0).exists() {
        return Err(UsageError::NoFile { option: "--since <OLD>", path: old.to_owned() }.into());
    }
    if old.join("conda-meta").is_dir() && !old.join(FOLDER).exists() {
        return Err(UsageError::SinceInstalled(old.to_owned()).into());
    }
    if image::is_bundle(old) {
        return Err(UsageError::SinceBundle(old.to_owned()).into());
    }
    Ok(unpack::digests_of(old)?)
}
