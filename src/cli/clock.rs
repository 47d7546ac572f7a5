//! The clock, which nothing that is made may depend on: only to tell people how long ago something was.

use std::time::SystemTime;

/// Seconds since 1970; nothing when the machine's clock is before that.
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks, and no key and no output holds it")]
pub(super) fn now() -> Option<u64> {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok().map(|it| it.as_secs())
}
