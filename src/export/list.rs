//! What `conda list` prints (conda 26.7: four columns, two blanks between them).

use std::fmt::Write as _;

use super::{facts::Contents, format::Export};

/// The widths that columns have at least.
const WIDTHS: [usize; 4] = [23, 15, 15, 1];

pub(super) fn write(contents: &Contents) -> Export {
    let mut rows: Vec<[&str; 4]> = Vec::new();
    for package in &contents.packages {
        // Conda leaves the cell of its default channel empty.
        let channel = package.channel.as_deref().unwrap_or("<unknown>");
        let channel = if channel == "defaults" { "" } else { channel };
        rows.push([&package.name, &package.version, &package.build, channel]);
    }
    rows.extend(contents.python.iter().map(|it| [it.name.as_str(), it.version.as_str(), "pypi_0", "pypi"]));
    rows.sort();
    let mut widths = WIDTHS;
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = format!("# packages in environment at {}:\n#\n", contents.place);
    line(&mut text, "# ", &["Name", "Version", "Build", "Channel"], widths);
    widths[0] += 2;
    for row in rows {
        line(&mut text, "", &row, widths);
    }
    Export { text, warnings: Vec::new() }
}

fn line(text: &mut String, before: &str, cells: &[&str; 4], widths: [usize; 4]) {
    let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    let _ = writeln!(text, "{}", format!("{before}{}", padded.join("  ")).trim_end());
}
