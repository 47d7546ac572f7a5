//! `status`, for people and for programs.

use std::{fmt::Write as _, path::PathBuf};

use serde_json::{Value, json};

use super::{
    data::data,
    json::{print, reason, rounded},
    message::{ago, bytes, counted, nodes, relative, seconds},
    text::{count, word},
};
use crate::{
    base::FsError,
    exec::{Context, State, Status},
    plan::Kind,
    store::{Ended, NodeResult},
};

/// All that `status` shows.
pub(in crate::cli) struct Overview<'a> {
    /// The project.
    pub(in crate::cli) context: &'a Context,
    /// What a look at each node found.
    pub(in crate::cli) statuses: &'a [Status],
    /// What else is known of each node.
    pub(in crate::cli) facts: Vec<NodeFacts>,
    /// The last run.
    pub(in crate::cli) last: Option<Ended>,
    /// The time, in seconds since 1970.
    pub(in crate::cli) now: Option<u64>,
    /// The project's folders that runs fill, with their sizes.
    pub(in crate::cli) folders: [(&'static str, u64); 3],
}

/// What is known of a node besides its state.
pub(in crate::cli) struct NodeFacts {
    /// How the last run that touched it left it.
    pub(in crate::cli) last: Option<NodeResult>,
    /// How long it took when it was last done, or tried in vain.
    pub(in crate::cli) seconds: Option<f64>,
    /// How much room what it made takes.
    pub(in crate::cli) bytes: Option<u64>,
    /// Its log.
    pub(in crate::cli) log: Option<PathBuf>,
}

/// What the nodes of one kind took together.
struct Total {
    kind: Kind,
    nodes: usize,
    seconds: f64,
    bytes: u64,
}

impl Overview<'_> {
    fn totals(&self) -> Vec<Total> {
        let mut totals: Vec<Total> = Vec::new();
        for (node, facts) in self.context.plan.nodes().iter().zip(&self.facts) {
            if !totals.iter().any(|it| it.kind == node.kind) {
                totals.push(Total { kind: node.kind, nodes: 0, seconds: 0.0, bytes: 0 });
            }
            let total = totals.iter_mut().find(|it| it.kind == node.kind).expect("it was added just now");
            total.nodes += 1;
            total.seconds += facts.seconds.unwrap_or(0.0);
            total.bytes += facts.bytes.unwrap_or(0);
        }
        totals.sort_by_key(|it| it.kind);
        totals
    }

    fn log(&self, facts: &NodeFacts) -> Option<String> {
        facts.log.as_ref().map(|it| relative(it, &self.context.workspace.root))
    }
}

/// `status`: a line about the project, one about the last run, one for each node, and the sums.
pub(in crate::cli) fn status_text(overview: &Overview<'_>) -> Result<(), FsError> {
    let Overview { context, statuses, facts, last, now, folders } = overview;
    let [fresh, dirty, maybe] = [State::Fresh, State::Dirty, State::Maybe].map(|it| count(statuses, it));
    let (name, platform) = (&context.workspace.name, context.workspace.platform);
    let mut text =
        format!("{name} on {platform}: {}, {fresh} fresh, {dirty} dirty, {maybe} maybe\n", nodes(statuses.len()));
    if let Some(ended) = last {
        let when = ended.at.zip(*now).and_then(|(at, now)| now.checked_sub(at)).map(ago).unwrap_or_default();
        let stopped = if ended.stopped { ", stopped" } else { "" };
        let counts = counted(ended.built, ended.fresh, ended.failed, ended.skipped);
        let _ = writeln!(text, "last run: {counts} in {}{stopped}{when}", seconds(ended.seconds));
    }
    text.push('\n');
    let width = context.plan.nodes().iter().map(|it| it.id.as_str().chars().count()).max().unwrap_or(0);
    for ((node, status), facts) in context.plan.nodes().iter().zip(*statuses).zip(facts) {
        let failed = facts.last == Some(NodeResult::Failed);
        let took = match facts.seconds {
            Some(took) if failed => format!("failed after {}", seconds(took)),
            Some(took) => seconds(took),
            None => String::new(),
        };
        let size = facts.bytes.map(bytes).unwrap_or_default();
        let why = status.reason.as_ref().map(|it| format!("({it})")).unwrap_or_default();
        let _ = writeln!(text, "  {}  {:<width$}  {took:>19}  {size:>9}  {why}", word(status.state), node.id.as_str());
        if let Some(log) = overview.log(facts).filter(|_| failed) {
            let _ = writeln!(text, "         log: {log}");
        }
    }
    text.push('\n');
    for Total { kind, nodes: count, seconds: took, bytes: size } in overview.totals() {
        let (kind, count, took) = (kind.to_string(), nodes(count), seconds(took));
        let size = if size > 0 { bytes(size) } else { String::new() };
        let _ = writeln!(text, "  {kind:<9}  {count:>10}  {took:>12}  {size:>9}");
    }
    for (name, size) in folders {
        let _ = writeln!(text, "  {name:<9}  {:>10}  {:>12}  {:>9}", "", "", bytes(*size));
    }
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    data(&lines.join("\n"))
}

/// `status --format json`.
pub(in crate::cli) fn status_json(overview: &Overview<'_>) -> Result<(), FsError> {
    let Overview { context, statuses, facts, last, now: _, folders } = overview;
    let rows = context.plan.nodes().iter().zip(*statuses).zip(facts);
    let nodes: Vec<Value> = rows
        .map(|((node, status), facts)| {
            json!({
                "id": node.id,
                "kind": node.kind,
                "state": status.state,
                "reason": reason(status.reason.as_ref()),
                "last": facts.last,
                "seconds": facts.seconds.map(rounded),
                "bytes": facts.bytes,
                "log": overview.log(facts),
            })
        })
        .collect();
    let total =
        |it: &Total| json!({ "kind": it.kind, "nodes": it.nodes, "seconds": rounded(it.seconds), "bytes": it.bytes });
    let [output, dist, state] = folders.map(|(_, size)| size);
    print(&json!({
        "project": context.workspace.name,
        "platform": context.workspace.platform.as_str(),
        "last_run": last.as_ref().map(|it| json!({
            "ended": it.at,
            "seconds": rounded(it.seconds),
            "stopped": it.stopped,
            "fresh": it.fresh,
            "built": it.built,
            "failed": it.failed,
            "skipped": it.skipped,
        })),
        "nodes": nodes,
        "kinds": overview.totals().iter().map(total).collect::<Vec<_>>(),
        "bytes": { "output": output, "dist": dist, "state": state },
    }))
}
