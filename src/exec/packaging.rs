//! An archive: the locked packages are installed once more, aside, into files that name a placeholder as their prefix,
//! so that nothing of this machine is in the archive and the same lock gives the same bytes anywhere.

use super::{Context, ExecError, Job, environment};
use crate::{
    install::{self, InstallRequest},
    pack::{self, PackRequest},
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
    let archive = context.archive(environment);
    let packed = pack::pack(PackRequest {
        entries: pack::of_prefix(&staging)?,
        placeholder: &placeholder,
        dest_prefix: None,
        foreign: std::slice::from_ref(&staging),
        needs: b"{}\n",
        more: &[],
        archive: &archive,
        level: context.settings.level,
        threads: context.settings.cpus.max(1),
        name: &environment.name,
        platform: context.workspace.platform.as_str(),
        variables: &install::variables(&prefix)?,
    })?;
    let file = archive.strip_prefix(&context.workspace.root).unwrap_or(&archive).to_owned();
    Ok(Output::Archive { digest: packed.digest, sha256: packed.sha256, bytes: packed.bytes, file })
}
