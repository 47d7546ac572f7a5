//! `unpack`: an archive becomes an environment, which is looked after later.

use std::path::Path;

use rattler_conda_types::Subdir;

use super::{World, host_libraries};
use crate::{
    base::{Cancel, Progress, within},
    cli::{
        Exit,
        args::UnpackArgs,
        exit::unless_stopped,
        outside::{require_not_ours, require_outside},
        project, signals, ui,
    },
    exec::{self, Children, UnbundleRequest},
    image, solve,
    unpack::{self, Machine, RelocateRequest, UnpackRequest, VerifyRequest},
};

pub(in crate::cli) fn unpack(world: &World, args: &UnpackArgs) -> miette::Result<Exit> {
    let cancel = Cancel::new();
    signals::watch(cancel.clone(), Children::default(), || {});
    match (&args.archive, &args.prefix, &args.relocate, &args.verify) {
        (Some(archive), Some(prefix), ..) => {
            let (archive, prefix) = (world.path(archive), world.path(prefix));
            if archive.is_dir() {
                require_outside(&archive, &prefix)?;
            }
            require_not_ours(&prefix)?;
            unless_stopped(unpack_to(world, args, &archive, &prefix, &cancel), Some(&prefix))
        }
        (_, _, Some(prefix), _) => relocate(world, args, &world.path(prefix), &cancel),
        (_, _, _, Some(prefix)) => verify(world, args, &world.path(prefix), &cancel),
        // The parser lets nothing else pass.
        _ => Ok(Exit::Usage),
    }
}

fn unpack_to(world: &World, args: &UnpackArgs, archive: &Path, prefix: &Path, cancel: &Cancel) -> miette::Result<Exit> {
    let machine = if args.ignore_platform { Machine::default() } else { machine() };
    if image::is_bundle(archive) {
        let files = unbundle(world, args, &machine, (archive, prefix), cancel)?;
        ui::unpacked(archive, prefix, (files, None), args.format, &world.global)?;
        host_libraries::warn(prefix, &world.environment);
        return Ok(Exit::Success);
    }
    let bar = ui::Bar::new("unpacking", &world.global);
    let progress = |done, total| bar.at(done, total);
    let progress = Progress::to(&progress);
    let threads = threads(args);
    let unpacked = unpack::unpack(&UnpackRequest { archive, prefix, machine: &machine, threads, progress, cancel });
    bar.close();
    let unpacked = unpacked?;
    ui::unpacked(archive, prefix, (unpacked.files, Some(unpacked.bytes)), args.format, &world.global)?;
    host_libraries::warn(prefix, &world.environment);
    Ok(Exit::Success)
}

/// Makes the environment of a bundle; gives the number of files.
fn unbundle(
    world: &World,
    args: &UnpackArgs,
    machine: &Machine,
    (bundle, prefix): (&Path, &Path),
    cancel: &Cancel,
) -> miette::Result<u64> {
    let cache = project::cache(&world.environment);
    let bar = ui::Bar::new("unpacking", &world.global);
    let progress = |done, total| bar.at(done, total);
    let request =
        UnbundleRequest { bundle, prefix, machine, cache: cache.as_deref(), progress: Progress::to(&progress), cancel };
    let files = within(threads(args) as usize, || exec::unbundle(&request));
    bar.close();
    Ok(files?)
}

fn relocate(world: &World, args: &UnpackArgs, prefix: &Path, cancel: &Cancel) -> miette::Result<Exit> {
    let bar = ui::Bar::new("relocating", &world.global);
    let progress = |done, total| bar.at(done, total);
    let progress = Progress::to(&progress);
    let relocated = unpack::relocate(&RelocateRequest { prefix, threads: threads(args), progress, cancel });
    bar.close();
    ui::relocated(&relocated?, prefix, args.format, &world.global)?;
    Ok(Exit::Success)
}

fn verify(world: &World, args: &UnpackArgs, prefix: &Path, cancel: &Cancel) -> miette::Result<Exit> {
    let bar = ui::Bar::new("verifying", &world.global);
    let progress = |done, total| bar.at(done, total);
    let progress = Progress::to(&progress);
    let verified = unpack::verify(&VerifyRequest { prefix, threads: threads(args), progress, cancel });
    bar.close();
    let verified = verified?;
    ui::verified(&verified, prefix, args.format, &world.global)?;
    Ok(if verified.is_good() { Exit::Success } else { Exit::Failure })
}

fn threads(args: &UnpackArgs) -> u32 {
    args.jobs.unwrap_or_else(|| exec::Machine::probe().cpus)
}

/// This machine; what cannot be found out is not held against an archive.
fn machine() -> Machine {
    let packages = solve::host_virtual_packages().unwrap_or_default();
    let glibc = packages.iter().find(|it| it.name.as_normalized() == "__glibc");
    let platform = Subdir::current().map(|it| it.to_string());
    Machine { platform, glibc: glibc.map(|it| it.version.to_string()) }
}
