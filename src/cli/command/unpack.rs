//! `unpack`: an archive becomes an environment.

use rattler_conda_types::Subdir;

use super::{World, host_libraries};
use crate::{
    base::Cancel,
    cli::{Exit, args::UnpackArgs, signals, ui},
    exec::{self, Children},
    image, solve,
    unpack::{self, Machine, Progress, UnpackRequest},
};

pub(in crate::cli) fn unpack(world: &World, args: &UnpackArgs) -> miette::Result<Exit> {
    let cancel = Cancel::new();
    signals::watch(cancel.clone(), Children::default(), || {});
    let (Some(archive), Some(prefix)) = (&args.archive, &args.prefix) else { return Ok(Exit::Usage) };
    let (archive, prefix) = (world.path(archive), world.path(prefix));
    if image::is_bundle(&archive) {
        let files = exec::unbundle(&archive, &prefix, &cancel)?;
        if !world.global.quiet {
            ui::note(&format!("unpacked {files} files into {}", prefix.display()));
        }
        host_libraries::warn(&prefix, &world.environment);
        return Ok(Exit::Success);
    }
    let machine = if args.ignore_platform { Machine::default() } else { machine() };
    let bar = ui::Bar::new("unpacking", &world.global);
    let unpacked = unpack::unpack(&UnpackRequest {
        archive: &archive,
        prefix: &prefix,
        machine: &machine,
        threads: threads(args),
        progress: Progress::to(&|done, total| bar.at(done, total)),
        cancel: &cancel,
    });
    drop(bar);
    let unpacked = unpacked?;
    if !world.global.quiet {
        ui::note(&format!(
            "unpacked {} files ({}) into {}",
            unpacked.files,
            ui::bytes(unpacked.bytes),
            prefix.display()
        ));
    }
    host_libraries::warn(&prefix, &world.environment);
    Ok(Exit::Success)
}

fn threads(args: &UnpackArgs) -> u32 {
    args.jobs.unwrap_or_else(|| exec::Machine::probe().cpus)
}

/// This machine; what cannot be found out is not held against an archive.
fn machine() -> Machine {
    let packages = solve::host_virtual_packages().unwrap_or_default();
    let glibc = packages.iter().find(|it| it.name.as_normalized() == "__glibc");
    Machine { platform: Subdir::current().map(|it| it.to_string()), glibc: glibc.map(|it| it.version.to_string()) }
}
