//! `pack`: environments of the project, or a prefix that lies anywhere.

mod goal;
mod prefix;
mod project;

use super::{World, run_stage};
use crate::{
    cli::{Exit, pack_args::PackArgs},
    plan::{Kind, Stage},
};

pub(in crate::cli) fn pack(world: &World, args: PackArgs) -> miette::Result<Exit> {
    match &args.prefix {
        Some(prefix) => prefix::pack(world, &args, prefix),
        None if args.output.is_some() || args.since.is_some() => project::pack(world, &args),
        None => run_stage(world, args.run, Stage::Kind(Kind::Pack)),
    }
}
