//! Answers for programs. The book's chapter "Commands" documents the fields.

use std::collections::BTreeMap;

use rattler_conda_types::RepoDataRecord;
use serde_json::{Value, json};

use super::{data::data, message::relative};
use crate::{
    base::FsError,
    exec::{Context, Status},
    fingerprint::Reason,
    lock::Change,
    plan::{Index, Node, Plan},
    run::Report,
};

/// Prints one value.
pub(super) fn print(value: &Value) -> Result<(), FsError> {
    data(&serde_json::to_string_pretty(value).expect("a JSON value can be written"))
}

/// A reason as a sentence.
pub(super) fn reason(reason: Option<&Reason>) -> Value {
    reason.map_or(Value::Null, |it| Value::String(it.to_string()))
}

/// A time in seconds, to the millisecond.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// `plan --format json`.
pub(in crate::cli) fn plan_json(plan: &Plan, statuses: &[Status]) -> Result<(), FsError> {
    let nodes: Vec<Value> = plan
        .iter()
        .zip(statuses)
        .map(|((_, node), status)| {
            let needs: Vec<&str> = node.needs.iter().map(|it| plan.node(*it).id.as_str()).collect();
            json!({
                "id": node.id,
                "kind": node.kind,
                "state": status.state,
                "reason": reason(status.reason.as_ref()),
                "waits_for": status.waits_for,
                "needs": needs,
            })
        })
        .collect();
    print(&json!({ "nodes": nodes }))
}

/// The end of a run with `--format json`.
pub(in crate::cli) fn json_report(context: &Context, report: &Report) -> Result<(), FsError> {
    print(&run(context, report))
}

/// The end of `lock --format json`: a run's report, and what moved in the lock file.
pub(in crate::cli) fn lock_json(
    context: &Context,
    report: &Report,
    moved: &BTreeMap<String, Vec<Change>>,
) -> Result<(), FsError> {
    let mut answer = run(context, report);
    let lines = |changes: &Vec<Change>| changes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let moved: BTreeMap<&String, Vec<String>> = moved.iter().map(|(name, changes)| (name, lines(changes))).collect();
    answer["moved"] = json!(moved);
    print(&answer)
}

pub(super) fn run(context: &Context, report: &Report) -> Value {
    let blocked = report.blocked();
    let nodes: Vec<Value> = report
        .nodes
        .iter()
        .map(|node| {
            let log = context.store.log(&node.id);
            let said = node.error.clone().map(Value::String).unwrap_or_else(|| reason(node.reason.as_ref()));
            let kind = node.id.as_str().split(':').next().unwrap_or_default();
            json!({
                "id": node.id,
                "kind": kind,
                "result": node.result,
                "reason": said,
                "seconds": rounded(node.seconds),
                "because": node.because,
                "blocked": blocked.get(&node.id).cloned().unwrap_or_default(),
                "log": if log.is_file() { Value::String(relative(&log, &context.workspace.root)) } else { Value::Null },
            })
        })
        .collect();
    json!({ "nodes": nodes, "counts": report.counts() })
}

/// `why --format json`.
pub(in crate::cli) fn why_json(wanted: &[(Index, &Node)], statuses: &[Status]) -> Result<(), FsError> {
    let nodes: Vec<Value> = wanted
        .iter()
        .map(|(index, node)| {
            let status = &statuses[index.number()];
            let changes = match &status.reason {
                Some(Reason::Changed(changes)) => json!(changes),
                _ => json!([]),
            };
            json!({
                "id": node.id,
                "kind": node.kind,
                "state": status.state,
                "reason": reason(status.reason.as_ref()),
                "waits_for": status.waits_for,
                "changes": changes,
            })
        })
        .collect();
    print(&json!({ "nodes": nodes }))
}

/// `list --format json`.
pub(in crate::cli) fn list_json(packages: &[RepoDataRecord]) -> Result<(), FsError> {
    let mut rows: Vec<Value> = packages
        .iter()
        .map(|it| {
            let record = &it.package_record;
            json!({
                "name": record.name.as_normalized(),
                "version": record.version.to_string(),
                "build": record.build,
                "subdir": record.subdir,
                "channel": it.channel,
                "url": it.url.to_string(),
                "sha256": record.sha256.map(hex::encode),
            })
        })
        .collect();
    rows.sort_by_key(|it| it["name"].to_string());
    print(&json!({ "packages": rows }))
}
