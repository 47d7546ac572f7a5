//! Placeholder.
use super::arguments::Arguments;
use std::path::Path;
pub(crate) fn run(_: &Arguments, _: &Path) -> String {
    String::new()
}
