//! The log of a build.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tracing::{Dispatch, subscriber::NoSubscriber};

use super::{super::log::subscriber, bench::Bench};

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn script_lines_are_plain_and_warnings_have_their_level() {
    let bench = Bench::new();
    let recipe = "package: {name: talk, version: '1'}\nbuild:\n  script:\n    - echo 'to stdout'\n    - echo 'to stderr' >&2\n    - exit 1\n";
    let log = Shared::default();
    // While one subscriber alone exists, a place that another test's thread reaches first is asked of that thread only,
    // which listens to nothing, and stays silent here too. With a second one every subscriber is asked.
    let _second = Dispatch::new(NoSubscriber::new());
    tracing::subscriber::with_default(subscriber(log.clone()), || {
        tracing::warn!(count = 2, "so many");
        bench.build(&bench.job("talk", recipe)).unwrap_err();
    });
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.contains(&"warning: so many count=2"), "{text}");
    assert!(lines.contains(&"to stdout") && lines.contains(&"to stderr"), "{text}");
    assert!(lines.iter().any(|line| line.starts_with("error: Script failed with status 1")), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}
