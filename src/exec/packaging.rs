//! An archive: the locked packages are installed once more, aside, into files that name a placeholder as their prefix,
//! so that nothing of this machine is in the archive and the same lock gives the same bytes anywhere.

use super::{Context, ExecError, Job, environment};
use crate::{
    archive::Format,
    install::{self, InstallRequest},
    pack::{self, PackRequest, Piece},
    store::Output,
    tree::{PLACEHOLDER_MAX, placeholder},
};

pub(super) fn pack(context: &Context, job: &Job) -> Result<Output, ExecError> {
    let node = context.plan.node(job.index);
    let environment = &context.workspace.environments[node.subject];
    let records = environment::records(context, environment)?;
    environment::verify(context, &records)?;
    let prefix = context.store.prefix(&environment.name);
    let length = install::shortest_placeholder(&prefix)?.map_or(PLACEHOLDER_MAX, |it| it.min(PLACEHOLDER_MAX));
    let placeholder = placeholder(length);
    let scratch = context.scratch()?;
    let staging = scratch.path().join("prefix");
    let python = prefix.join("bin/python");
    install::install(
        &context.rt,
        &InstallRequest {
            prefix: &staging,
            target_prefix: Some(placeholder.as_ref()),
            platform: context.workspace.platform,
            records: &records,
            specs: &environment::specs(environment),
            cache: &context.packages(),
            network: context.settings.network,
            interpreter: python.is_file().then_some(python.as_path()),
        },
    )?;
    let archive = context.archive(environment, node.part);
    let format = environment.packs.get(node.part).and_then(|name| Format::parse(name)).unwrap_or(Format::TarZst);
    let packed = pack::pack(PackRequest {
        since: None,
        entries: pack::of_prefix(&staging)?,
        placeholder: &placeholder,
        dest_prefix: environment.dest_prefix.as_deref(),
        foreign: std::slice::from_ref(&staging),
        needs: b"{}\n",
        more: &[],
        archive: &archive,
        format,
        arcroot: "",
        split: None,
        level: (format == Format::TarZst).then_some(context.settings.level),
        threads: context.settings.cpus.max(1),
        name: &environment.name,
        platform: context.workspace.platform.as_str(),
        variables: &install::variables(&prefix)?,
        progress: &|_| {},
        cancel: &context.cancel,
    })?;
    let file = archive.strip_prefix(&context.workspace.root).unwrap_or(&archive).to_owned();
    let Some(Piece { digest, sha256, bytes, .. }) = packed.pieces.into_iter().next() else {
        unreachable!("an archive that is not split is one file")
    };
    Ok(Output::Archive { digest, sha256, bytes, file })
}
