//! `status`: what is done, stale or failed, how long it took, and how much room it takes.

use super::{World, plan::planned_until_stopped};
use crate::{
    base::fs,
    cli::{
        Exit,
        args::{Format, StatusArgs},
        clock,
        ui::{self, NodeFacts, Overview},
    },
    exec::{Context, survey},
    plan::Node,
    store::{LastRun, NodeResult, Output},
};

pub(in crate::cli) fn status(world: &World, args: &StatusArgs) -> miette::Result<Exit> {
    let context = planned_until_stopped(world, &[])?;
    let statuses = survey(&context)?;
    let last = context.store.last_run()?;
    let facts = context.plan.nodes().iter().map(|it| facts(&context, &last, it)).collect::<miette::Result<_>>()?;
    let root = &context.workspace.root;
    let overview = Overview {
        context: &context,
        statuses: &statuses,
        facts,
        last: last.ended,
        now: clock::now(),
        folders: ["output", "dist", ".envbuild"].map(|it| (it, fs::size(&root.join(it)))),
    };
    match args.format {
        Format::Text => ui::status_text(&overview)?,
        Format::Json => ui::status_json(&overview)?,
    }
    Ok(Exit::Success)
}

/// What is known of a node besides its state.
fn facts(context: &Context, last: &LastRun, node: &Node) -> miette::Result<NodeFacts> {
    let record = context.store.record(&node.id)?;
    let tried = last.nodes.get(&node.id).map(|(result, _, seconds)| (*result, *seconds));
    let seconds = match (tried, &record) {
        (Some((NodeResult::Failed, seconds)), _) => Some(seconds),
        (_, Some(record)) => Some(record.seconds),
        _ => None,
    };
    let log = context.store.log(&node.id);
    Ok(NodeFacts {
        last: tried.map(|(result, _)| result),
        seconds,
        bytes: record.and_then(|it| bytes(context, &it.output)),
        log: log.is_file().then_some(log),
    })
}

/// How much room there is taken by what a node made.
fn bytes(context: &Context, output: &Output) -> Option<u64> {
    let path = match output {
        Output::Package(package) => context.channel.root().join(&package.subdir).join(&package.file_name),
        Output::Prefix { path, .. } => path.clone(),
        Output::Archive { file, .. } | Output::Folder { folder: file, .. } => context.workspace.root.join(file),
        Output::Locked { .. } | Output::Tested { .. } => return None,
    };
    path.exists().then(|| fs::size(&path))
}
