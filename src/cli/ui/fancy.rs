//! A terminal: a bar for the whole run, a line for each node that is running, and what has ended above them.

use std::{collections::BTreeMap, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::plain::line;
use crate::{
    exec::Context,
    plan::NodeId,
    run::{Event, Reporter},
};

/// Where bars are drawn. Clones draw on the same place.
#[derive(Clone, Default)]
pub(in crate::cli) struct Screen(MultiProgress);

impl Screen {
    /// Takes away what is drawn, for good: the process is about to end.
    pub(in crate::cli) fn close(&self) {
        // A terminal that went away needs no care.
        drop(self.0.clear());
        self.0.set_draw_target(ProgressDrawTarget::hidden());
        let terminal = console::Term::stderr();
        if terminal.is_term() {
            drop(terminal.show_cursor());
        }
    }
}

/// Draws bars.
pub(super) struct Fancy {
    verbose: bool,
    bars: MultiProgress,
    whole: ProgressBar,
    running: BTreeMap<NodeId, ProgressBar>,
}

impl Fancy {
    pub(super) fn new(verbose: bool, context: &Context, screen: Screen) -> Self {
        let bars = screen.0;
        let whole = bars.add(ProgressBar::new(context.plan.nodes().len() as u64));
        whole.set_style(style("{bar:30.green/dim} {pos}/{len} {elapsed}"));
        Self { verbose, bars, whole, running: BTreeMap::new() }
    }

    fn end(&mut self, id: &NodeId) {
        if let Some(bar) = self.running.remove(id) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        self.whole.inc(1);
    }

    fn say(&self, event: &Event<'_>) {
        if let Some(text) = line(event, self.verbose) {
            // A terminal that went away cannot be told.
            drop(self.bars.println(text));
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Reporter for Fancy {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { node, reason } => {
                let bar = self.bars.insert_before(&self.whole, ProgressBar::new_spinner());
                bar.set_style(style("{spinner} {wide_msg} {elapsed}"));
                bar.set_message(format!("{} ({reason})", node.id));
                bar.enable_steady_tick(Duration::from_millis(120));
                self.running.insert(node.id.clone(), bar);
            }
            Event::Fresh { node }
            | Event::Built { node, .. }
            | Event::Failed { node, .. }
            | Event::Skipped { node, .. } => {
                self.end(&node.id);
                self.say(event);
            }
            Event::Stopping => self.say(event),
            Event::End => {
                self.whole.finish_and_clear();
                drop(self.bars.clear());
            }
            Event::Begin { .. } => self.whole.tick(),
        }
    }
}
