//! What the tests of several rooms ask of the machine they run on.

use std::io::Write as _;

use url::Url;

/// The conda channel with CPython that `ENVBUILD_TEST_CHANNEL` names, as a URL or a path. Without it, says in one line
/// that `test` is skipped; in CI that is a failure.
#[expect(clippy::disallowed_methods, reason = "a test is started by the operating system, as main is")]
pub(crate) fn base_channel(test: &str) -> Option<Url> {
    match std::env::var("ENVBUILD_TEST_CHANNEL") {
        Ok(text) => {
            let text = format!("{}/", text.trim_end_matches('/'));
            let path = || Url::from_directory_path(std::path::absolute(&text).ok()?).ok();
            Some(Url::parse(&text).ok().or_else(path).expect("ENVBUILD_TEST_CHANNEL is a URL or a path"))
        }
        Err(_) => {
            let ci = std::env::var("CI").is_ok_and(|it| it == "true");
            assert!(!ci, "in CI, ENVBUILD_TEST_CHANNEL must name a conda channel with CPython");
            // Written past the test harness, which shows what a passing test prints to nobody.
            let mut stderr = std::io::stderr();
            let _ = writeln!(stderr, "skipped {test}: ENVBUILD_TEST_CHANNEL names no conda channel with CPython");
            None
        }
    }
}
