//! A bar for work that is counted in bytes.

use std::{
    io::IsTerminal as _,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::args::Global;

/// What is shown while bytes are counted; in powers of 1000, as in all sentences.
const COUNTING: &str =
    "{msg} {bar:30.green/dim} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}, {eta} left";

/// What is shown when all are counted and something else is left to do: it is over when the bar is gone.
const ELSE: &str = "{msg} {spinner:.green}";

/// Shows bytes, rate and the time left on a terminal, and nothing elsewhere.
pub(in crate::cli) struct Bar {
    bar: ProgressBar,
    counting: AtomicBool,
}

impl Bar {
    /// Begins one; `what` is a word for what is done.
    pub(in crate::cli) fn new(what: &'static str, global: &Global) -> Self {
        let counting = AtomicBool::new(false);
        if global.quiet || !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden(), counting };
        }
        let bar = ProgressBar::new(0).with_style(style(ELSE)).with_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, counting }
    }

    /// Takes it away.
    pub(in crate::cli) fn close(&self) {
        self.bar.finish_and_clear();
    }

    /// So many bytes of so many are done.
    pub(in crate::cli) fn at(&self, done: u64, total: u64) {
        if self.bar.is_hidden() {
            return;
        }
        let counts = done < total;
        if self.counting.swap(counts, Ordering::Relaxed) != counts {
            if counts {
                // The rate is that of what is counted now.
                self.bar.reset();
            }
            self.bar.set_style(style(if counts { COUNTING } else { ELSE }));
        }
        if self.bar.length() != Some(total) {
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
