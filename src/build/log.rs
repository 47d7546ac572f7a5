//! What the library says while it builds, as plain lines.

use std::{fmt, io::Write, sync::Mutex};

use tracing::{Event, Level, Subscriber, field::Visit};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// What gets into a log: the library's account of the build, and everybody else's warnings.
const FILTER: &str = "warn,envbuild=info,rattler_build_core=info,rattler_build_script=info";

/// Sends what this process logs from now on to `writer`, one plain line per message: what a script prints as it is,
/// warnings and errors with their level in front. A process can do this once; later calls change nothing.
pub fn log_to(writer: impl Write + Send + 'static) {
    // An error says that somebody was faster. Then there is a log, which is all that matters.
    drop(tracing::subscriber::set_global_default(subscriber(writer)));
}

pub(super) fn subscriber(writer: impl Write + Send + 'static) -> impl Subscriber + Send + Sync {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(FILTER))
        .with_ansi(false)
        .event_format(Plain)
        .with_writer(Mutex::new(writer))
        .finish()
}

struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut message = Message(String::new());
        event.record(&mut message);
        // The library's advice on how to go on by hand names long paths, and pushes the compiler's words out of sight.
        if message.0.trim_start().starts_with("Script execution failed.") {
            return Ok(());
        }
        let level = match *event.metadata().level() {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            _ => "",
        };
        writeln!(writer, "{level}{}", message.0)
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0.insert_str(0, &format!("{value:?}"));
        } else {
            self.0.push_str(&format!(" {}={value:?}", field.name()));
        }
    }
}
