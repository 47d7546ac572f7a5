//! `unpack`: an archive becomes an environment.

use super::{World, host_libraries};
use crate::{
    base::Cancel,
    cli::{Exit, args::UnpackArgs, signals, ui},
    exec::Children,
    unpack::{self, UnpackRequest},
};

pub(in crate::cli) fn unpack(world: &World, args: &UnpackArgs) -> miette::Result<Exit> {
    let folder = world.global.directory.clone().unwrap_or_default();
    let absolute = |path: &std::path::Path| {
        let joined = folder.join(path);
        std::path::absolute(&joined).unwrap_or(joined)
    };
    let (archive, prefix) = (absolute(&args.archive), absolute(&args.prefix));
    let cancel = Cancel::new();
    signals::watch(cancel.clone(), Children::default(), || {});
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
