//! `pack`: environments of the project, or a prefix that lies anywhere.

mod goal;
mod prefix;
mod project;

use std::path::Path;

use super::{World, run_stage};
use crate::{
    cli::{Exit, pack_args::PackArgs, project::UsageError},
    plan::{Kind, Stage},
    tree::Digests,
    unpack,
};

pub(in crate::cli) fn pack(world: &World, args: PackArgs) -> miette::Result<Exit> {
    match &args.prefix {
        Some(prefix) => prefix::pack(world, &args, prefix),
        None if args.output.is_some() || args.since.is_some() => project::pack(world, &args),
        None => run_stage(world, args.run, Stage::Kind(Kind::Pack)),
    }
}

/// What an update is to build on.
fn digests(old: &Path) -> miette::Result<Digests> {
    if !old.exists() {
        return Err(UsageError::NoFile { option: "--since <OLD>", path: old.to_owned() }.into());
    }
    Ok(unpack::digests_of(old)?)
}
