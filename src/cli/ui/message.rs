//! Wording and plurals.

use std::{fmt::Write as _, path::Path};

use super::data::note;
use crate::{base::fs, cli::args::Global, exec::Context, run::Report, store::NodeResult};

/// How many lines of a failing log are shown.
const TAIL: usize = 20;

/// A size for people: `3.2 MB`, in powers of 1000.
pub(in crate::cli) fn bytes(count: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// A time for people: `0.4 s`, `3 min 12 s`.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        let whole = seconds.round() as u64;
        format!("{} min {} s", whole / 60, whole % 60)
    }
}

/// How long ago, for people: `, 4 min ago`. Units are not mixed.
pub(super) fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => format!(", {seconds} s ago"),
        60..3600 => format!(", {} min ago", seconds / 60),
        3600..172_800 => format!(", {} h ago", seconds / 3600),
        _ => format!(", {} days ago", seconds / 86_400),
    }
}

/// `3 built, 2 fresh, 1 failed`: what went wrong is only named when there is some.
pub(super) fn counted(built: usize, fresh: usize, failed: usize, skipped: usize) -> String {
    let mut parts = vec![format!("{built} built"), format!("{fresh} fresh")];
    if failed > 0 {
        parts.push(format!("{failed} failed"));
    }
    if skipped > 0 {
        parts.push(format!("{skipped} skipped"));
    }
    parts.join(", ")
}

/// The end of what was stopped while it made something that is whole or not there.
pub(in crate::cli) fn stopped(goal: Option<&Path>) {
    match goal {
        Some(goal) if goal.symlink_metadata().is_ok() => note(&format!("stopped; {} is as it was", goal.display())),
        Some(goal) => note(&format!("stopped; nothing is left at {}", goal.display())),
        None => note("stopped; nothing is left behind"),
    }
}

/// `1 node`, `2 nodes`.
pub(super) fn nodes(count: usize) -> String {
    if count == 1 { "1 node".to_owned() } else { format!("{count} nodes") }
}

/// The end of a run: what failed with the end of its log, what was skipped because of it, and the counts.
pub(in crate::cli) fn summary(context: &Context, report: &Report, global: &Global) {
    let blocked = report.blocked();
    for node in report.nodes.iter().filter(|it| it.result == NodeResult::Failed) {
        let mut text = format!("\nfailed {}\n", node.id);
        for line in node.error.as_deref().unwrap_or_default().lines() {
            let _ = writeln!(text, "  {line}");
        }
        log_tail(&mut text, &context.store.log(&node.id), context);
        if let Some(blocked) = blocked.get(&node.id) {
            let names: Vec<String> = blocked.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "  skipped because of it: {}", names.join(", "));
        }
        note(text.trim_end());
    }
    if global.quiet {
        return;
    }
    let counts = report.counts();
    if report.stopped {
        note(&format!("stopped: {} built, the rest was left for the next run", counts.built));
    } else if counts.built + counts.failed + counts.skipped == 0 {
        note(&format!("nothing to do: {} fresh", nodes(counts.fresh)));
    } else {
        note(&counted(counts.built, counts.fresh, counts.failed, counts.skipped));
    }
}

/// Adds the last lines of a log to a text; nothing when there is none.
pub(super) fn log_tail(text: &mut String, log: &Path, context: &Context) {
    let Some(tail) = tail(log) else { return };
    let _ = writeln!(text, "  the last lines of {}:", relative(log, &context.workspace.root));
    for line in tail {
        let _ = writeln!(text, "  | {line}");
    }
}

/// The last lines of a log; nothing when there is none.
fn tail(log: &Path) -> Option<Vec<String>> {
    let bytes = fs::read(log).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> = text.lines().filter(|it| !it.trim().is_empty()).map(str::to_owned).collect();
    let from = lines.len().saturating_sub(TAIL);
    (!lines.is_empty()).then(|| lines[from..].to_vec())
}

/// A path below the project as the user would type it.
pub(super) fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::{ago, bytes, seconds};

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500), "1.5 kB");
        assert_eq!(bytes(999_950), "1.0 MB");
        assert_eq!(seconds(0.44), "0.4 s");
        assert_eq!(seconds(192.0), "3 min 12 s");
        assert_eq!(
            [0, 59, 60, 3599, 7200, 172_800].map(ago).concat(),
            ", 0 s ago, 59 s ago, 1 min ago, 59 min ago, 2 h ago, 2 days ago"
        );
    }
}
