//! A bar for work that is counted in bytes.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::args::Global;

/// Shows bytes, rate and the time left on a terminal, and nothing elsewhere.
pub(in crate::cli) struct Bar(ProgressBar);

impl Bar {
    /// Begins one; `what` is a word for what is done.
    pub(in crate::cli) fn new(what: &'static str, global: &Global) -> Self {
        if global.quiet || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let template = "{msg} {bar:30.green/dim} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(0).with_style(style).with_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// Takes it away.
    pub(in crate::cli) fn close(&self) {
        self.0.finish_and_clear();
    }

    /// So many bytes of so many are done.
    pub(in crate::cli) fn at(&self, done: u64, total: u64) {
        if self.0.is_hidden() {
            return;
        }
        if self.0.length() != Some(total) {
            self.0.set_length(total);
        }
        self.0.set_position(done);
    }
}
