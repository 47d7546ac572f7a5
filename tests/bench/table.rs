//! Tables in Markdown.

use std::time::Duration;

/// Draws a table: numbers stand to the right, the first column to the left.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = line(head.iter().map(|it| (*it).to_owned()));
    text += &line((0..head.len()).map(|it| if it == 0 { "---" } else { "---:" }.to_owned()));
    for row in rows {
        text += &line(row.iter().cloned());
    }
    text
}

fn line(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// Milliseconds, or seconds from ten of them on.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 { format!("{:.1} ms", seconds * 1000.0) } else { format!("{seconds:.1} s") }
}

/// Megabytes (10^6 bytes).
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}
