//! One line per event, for pipes and logs.

use super::{data::note, message::seconds};
use crate::{
    cli::args::Global,
    exec::Context,
    run::{Event, Reporter},
};

/// Writes lines.
pub(super) struct Plain<'a> {
    quiet: bool,
    verbose: bool,
    context: &'a Context,
}

impl<'a> Plain<'a> {
    pub(super) fn new(global: &Global, context: &'a Context) -> Self {
        Self { quiet: global.quiet, verbose: global.verbose, context }
    }
}

impl Reporter for Plain<'_> {
    fn event(&mut self, event: &Event<'_>) {
        if let Some(line) = line(event, self.verbose).filter(|_| !self.quiet) {
            note(&line);
        }
        if let (Event::Failed { node, .. }, true) = (event, self.quiet) {
            let log = self.context.store.log(&node.id);
            // Not every kind of node has one.
            let place = if log.is_file() { format!(" (log: {})", log.display()) } else { String::new() };
            note(&format!("failed {}{place}", node.id));
        }
    }
}

/// What an event reads like; nothing for those that only a terminal shows.
pub(super) fn line(event: &Event<'_>, verbose: bool) -> Option<String> {
    match event {
        Event::Started { node, reason } => Some(format!("start  {} ({reason})", node.id)),
        Event::Built { node, seconds: took } => Some(format!("built  {} in {}", node.id, seconds(*took))),
        Event::Failed { node, seconds: took, .. } => Some(format!("failed {} after {}", node.id, seconds(*took))),
        Event::Skipped { node, because: Some(other) } => Some(format!("skip   {} (needs {})", node.id, other.id)),
        Event::Stopping => Some("stopping; once more ends everything at once".to_owned()),
        Event::Fresh { node } if verbose => Some(format!("fresh  {}", node.id)),
        Event::Begin { .. } | Event::Fresh { .. } | Event::Skipped { because: None, .. } | Event::End => None,
    }
}
