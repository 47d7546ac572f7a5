//! Answers for people.

use std::{collections::BTreeMap, fmt::Write as _};

use rattler_conda_types::RepoDataRecord;

use super::{
    data::{data, note},
    message::nodes,
    picture,
};
use crate::{
    base::FsError,
    cli::args::Global,
    exec::{Context, State, Status},
    fingerprint::Reason,
    lock::Change,
    plan::{Index, Node, Plan},
};

/// A state in a word.
pub(super) fn word(state: State) -> &'static str {
    match state {
        State::Fresh => "fresh",
        State::Dirty => "dirty",
        State::Maybe => "maybe",
    }
}

/// How many nodes are in a state.
pub(super) fn count(statuses: &[Status], state: State) -> usize {
    statuses.iter().filter(|it| it.state == state).count()
}

/// `plan`, one line per node that is not fresh.
pub(in crate::cli) fn plan_text(context: &Context, statuses: &[Status], global: &Global) -> Result<(), FsError> {
    let mut text = String::new();
    for ((_, node), status) in context.plan.iter().zip(statuses) {
        match &status.reason {
            Some(reason) => {
                let _ = writeln!(text, "{}  {}  ({reason})", word(status.state), node.id);
            }
            None if global.verbose => {
                let _ = writeln!(text, "{}  {}", word(status.state), node.id);
            }
            None => {}
        }
    }
    if !text.is_empty() {
        data(text.trim_end())?;
    }
    if !global.quiet {
        let [fresh, dirty, maybe] = [State::Fresh, State::Dirty, State::Maybe].map(|it| count(statuses, it));
        note(&format!("{}: {dirty} dirty, {maybe} maybe, {fresh} fresh", nodes(statuses.len())));
    }
    Ok(())
}

/// `plan --format dot`.
pub(in crate::cli) fn plan_dot(plan: &Plan, statuses: &[Status]) -> Result<(), FsError> {
    data(&picture::dot(&picture::cards(plan, statuses)))
}

/// `plan --format svg`.
pub(in crate::cli) fn plan_svg(plan: &Plan, statuses: &[Status]) -> Result<(), FsError> {
    data(&picture::svg(&picture::cards(plan, statuses)))
}

/// `why`: each input that changed, and what the node waits for.
pub(in crate::cli) fn why_text(wanted: &[(Index, &Node)], plan: &Plan, statuses: &[Status]) -> Result<(), FsError> {
    for (index, node) in wanted {
        let status = &statuses[index.number()];
        let mut text = match &status.reason {
            None => format!("{} is fresh: no input changed since it was last done\n", node.id),
            Some(Reason::Changed(changes)) => {
                let mut text = format!("{} has to run:\n", node.id);
                for change in changes {
                    let _ = writeln!(text, "  {}", change.input);
                    let _ = writeln!(text, "    old: {}", change.old.as_deref().unwrap_or("(none)"));
                    let _ = writeln!(text, "    new: {}", change.new.as_deref().unwrap_or("(none)"));
                }
                text
            }
            Some(Reason::Behind(_)) => format!("{} may have to run: none of its own inputs changed\n", node.id),
            Some(reason) => format!("{} has to run: {reason}\n", node.id),
        };
        for need in &status.waits_for {
            let other = plan.find(need.as_str()).map(|it| &statuses[it.number()]);
            let state = other.map_or("", |it| word(it.state));
            let reason = other.and_then(|it| it.reason.as_ref()).map(|it| format!(", {it}")).unwrap_or_default();
            let _ = writeln!(text, "  waits for {need} ({state}{reason})");
        }
        text.truncate(text.trim_end().len());
        data(&text)?;
    }
    Ok(())
}

/// `lock`: what moved, a line for each package under the name of its environment.
pub(in crate::cli) fn lock_text(moved: &BTreeMap<String, Vec<Change>>) -> Result<(), FsError> {
    for (environment, changes) in moved {
        let lines: Vec<String> = changes.iter().map(|it| format!("  {it}")).collect();
        data(&format!("{environment}\n{}", lines.join("\n")))?;
    }
    Ok(())
}

/// `list`.
pub(in crate::cli) fn list_text(packages: &[RepoDataRecord]) -> Result<(), FsError> {
    let mut rows: Vec<[String; 4]> = packages
        .iter()
        .map(|it| {
            let record = &it.package_record;
            let name = record.name.as_normalized().to_owned();
            let channel =
                it.channel.as_deref().map_or("", |url| url.trim_end_matches('/').rsplit('/').next().unwrap_or(url));
            [name, record.version.to_string(), record.build.to_string(), channel.to_owned()]
        })
        .collect();
    rows.sort();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let lines: Vec<String> = rows
        .iter()
        .map(|[name, version, build, channel]| {
            format!("{name:<0$}  {version:<1$}  {build:<2$}  {channel}", widths[0], widths[1], widths[2])
        })
        .collect();
    data(&lines.join("\n"))
}
