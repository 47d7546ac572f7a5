//! An archive: the locked packages go from the package cache into it, with a placeholder for the prefix in their files, so
//! that nothing of this machine is in the archive and the same lock gives the same bytes anywhere. No prefix need exist.

use super::{
    Context, ExecError, Job,
    bundles::{BUNDLE, bundle},
    environment, stated, target,
};
use crate::{
    archive::Format,
    base::Progress,
    image::{self, Bundled, ImageRequest},
    pack::{self, PackRequest, Piece},
    store::Output,
};

pub(super) fn pack(context: &Context, job: &Job) -> Result<Output, ExecError> {
    let node = context.plan.node(job.index);
    let environment = &context.workspace.environments[node.subject];
    let records = environment::records(context, environment)?;
    environment::verify(context, &records)?;
    let archive = context.archive(environment, node.part);
    let file = archive.strip_prefix(&context.workspace.root).unwrap_or(&archive).to_owned();
    let is_bundle = environment.packs.get(node.part).is_some_and(|it| it == BUNDLE);
    let bundled = || -> Result<Output, ExecError> {
        let Bundled { bytes, sha256, digest } = bundle(context, environment, &records, &archive)?;
        Ok(Output::Archive { digest, sha256, bytes, file: file.clone() })
    };
    // The files matter only where there is a target to hold them against.
    if is_bundle && environment.target.is_none() {
        return bundled();
    }
    let mut image = image::image(
        &context.rt,
        &ImageRequest {
            records: &records,
            specs: &environment::specs(environment),
            platform: context.workspace.platform,
            cache: &context.packages(),
            kept: &context.settings.cache.join("bytecode"),
            interpreter: None,
            network: context.settings.network,
        },
    )?;
    let variables = image::variables(&image.entries)?;
    let stated = stated::stated(&image.entries, Some(&environment.name), context.workspace.platform)?;
    // Before anything is sent anywhere.
    target::require_target(context, environment, &stated.needs, &[])?;
    if is_bundle {
        return bundled();
    }
    let format = environment.packs.get(node.part).and_then(|name| Format::parse(name)).unwrap_or(Format::TarZst);
    let packed = pack::pack(PackRequest {
        since: None,
        entries: std::mem::take(&mut image.entries),
        placeholder: &image.placeholder,
        dest_prefix: environment.dest_prefix.as_deref(),
        foreign: &image.foreign,
        needs: &stated.needs.to_bytes(),
        more: &stated.lists,
        archive: &archive,
        format,
        arcroot: "",
        split: None,
        level: matches!(format, Format::TarZst | Format::SelfExtracting).then_some(context.settings.level),
        threads: context.settings.cpus.max(1),
        name: Some(&environment.name),
        platform: context.workspace.platform.as_str(),
        variables: &variables,
        progress: Progress::none(),
        cancel: &context.cancel,
    })?;
    let Some(Piece { digest, sha256, bytes, .. }) = packed.pieces.into_iter().next() else {
        unreachable!("an archive that is not split is one file")
    };
    Ok(Output::Archive { digest, sha256, bytes, file })
}
