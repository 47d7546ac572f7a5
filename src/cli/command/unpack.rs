//! `unpack`: an archive becomes an environment.

use super::{World, host_libraries};
use crate::{
    base::Cancel,
    cli::{Exit, args::UnpackArgs, signals, ui},
    exec::{self, Children},
    image,
    unpack::{self, UnpackRequest},
};

pub(in crate::cli) fn unpack(world: &World, args: &UnpackArgs) -> miette::Result<Exit> {
    let (archive, prefix) = (world.path(&args.archive), world.path(&args.prefix));
    let cancel = Cancel::new();
    signals::watch(cancel.clone(), Children::default(), || {});
    if image::is_bundle(&archive) {
        let made = exec::unbundle(&archive, &prefix, &cancel)?;
        if !world.global.quiet {
            ui::note(&format!("installed {} files of the bundle into {}", made.files, prefix.display()));
        }
        host_libraries::warn(&prefix, &world.environment);
        return Ok(Exit::Success);
    }
    let unpacked = unpack::unpack(&UnpackRequest { archive: &archive, prefix: &prefix, cancel: &cancel })?;
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
