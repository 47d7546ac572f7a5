//! Words on a terminal, lines in a pipe, JSON for programs. Data goes to standard output, talk to standard error.

mod adopted;
mod archived;
mod bar;
mod check;
mod data;
mod deployed;
mod fancy;
mod garbage;
mod held;
mod host;
mod json;
mod message;
mod picture;
mod plain;
mod status;
mod target;
mod text;

pub(super) use adopted::{adopted_json, adopted_text};
pub(super) use archived::{archived_json, archived_text};
pub(super) use bar::Bar;
pub(super) use check::{check_json, check_summary, checked};
pub(super) use data::{data, note};
pub(super) use deployed::{relocated, unpacked, verified};
pub(super) use fancy::Screen;
pub(super) use garbage::{Tidied, gc_json, gc_text, tell_kept};
pub(super) use held::{held_json, held_text, held_warnings};
pub(super) use host::{HostReport, host_json, host_text};
pub(super) use json::{json_report, list_json, lock_json, plan_json, why_json};
pub(super) use message::{bytes, stopped, summary};
pub(super) use status::{NodeFacts, Overview, status_json, status_text};
pub(super) use target::{Judged, target_json, target_text};
pub(super) use text::{list_text, lock_text, plan_dot, plan_svg, plan_text, why_text};

use std::{io::IsTerminal as _, process::ExitCode};

use super::{Environment, args::Global};
use crate::{exec::Context, run::Reporter};

/// Sets up how errors are drawn: in colour on a terminal, plain elsewhere.
pub(super) fn set_up(environment: &Environment) {
    let terminal = std::io::stderr().is_terminal();
    let colour = terminal && !environment.contains_key("NO_COLOR");
    // A pipe has no width of its own, so there the variable counts that shells and CI set.
    let columns = environment.get("COLUMNS").filter(|_| !terminal).and_then(|it| it.parse().ok());
    let width = columns.unwrap_or_else(terminal_width).clamp(60, 120);
    let hook = miette::set_hook(Box::new(move |_| {
        let theme = if colour { miette::GraphicalTheme::unicode() } else { miette::GraphicalTheme::unicode_nocolor() };
        Box::new(miette::GraphicalReportHandler::new_themed(theme).with_width(width).with_links(false))
    }));
    // Only a second call could fail, and there is one.
    drop(hook);
}

fn terminal_width() -> usize {
    let (_, width) = console::Term::stderr().size();
    usize::from(width)
}

/// Draws an error.
pub(super) fn error(report: &miette::Report) {
    note(format!("{report:?}").trim_end());
}

/// Shows what clap says: help on standard output, mistakes on standard error.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    // Nothing can be said when the stream is closed.
    drop(error.print());
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

/// Who shows a run: bars on a terminal, lines in a pipe, nothing when quiet.
pub(super) fn reporter<'a>(global: &Global, context: &'a Context, screen: Screen) -> Box<dyn Reporter + 'a> {
    let terminal = std::io::stderr().is_terminal();
    if terminal && !global.quiet {
        Box::new(fancy::Fancy::new(global.verbose, context, screen))
    } else {
        Box::new(plain::Plain::new(global, context))
    }
}
