//! What there is to tell of a prefix that was packed.

use std::path::Path;

use serde_json::{Value, json};

use super::{data::note, json::print, message::bytes};
use crate::{
    adopt::{Adopted, Package, Report},
    base::FsError,
    cli::args::Global,
    pack::Packed,
    tree::PLACEHOLDER_MIN,
};

/// How many names of a kind are shown, without `--verbose`.
const SHOWN: usize = 8;

/// For people: what differs from its package, what will not work elsewhere, and the archive.
pub(in crate::cli) fn adopted_text(adopted: &Adopted, file: &Path, packed: &Packed, global: &Global) {
    let report = &adopted.report;
    let say = |text: &str| {
        if !global.quiet {
            note(text);
        }
    };
    let list = |title: &str, names: Vec<String>, warn: bool| {
        if names.is_empty() || (global.quiet && !warn) {
            return;
        }
        let shown = if global.verbose { names.len() } else { SHOWN };
        let mut lines = vec![format!("{}{title}", if warn { "warning: " } else { "" })];
        lines.extend(names.iter().take(shown).map(|it| format!("  {it}")));
        if names.len() > shown {
            lines.push(format!("  and {} more; --verbose names all", names.len() - shown));
        }
        note(&lines.join("\n"));
    };
    say(&format!(
        "{}: {} conda packages, {} of pip, {} files ({}), {} of no package",
        adopted.name,
        report.conda.len(),
        report.pip.len(),
        report.files,
        bytes(report.bytes),
        report.unmanaged
    ));
    list("not what the package brought:", changed(report), false);
    list("missing, and packed without:", missing(report), false);
    list(
        "claimed by several packages:",
        report
            .clobbered
            .iter()
            .map(|it| {
                let is_of = it.is_of.as_ref().map_or("none's now".to_owned(), |name| format!("{name}'s now"));
                format!("{} ({}; {is_of})", it.file, it.packages.join(", "))
            })
            .collect(),
        false,
    );
    let (included, left): (Vec<_>, Vec<_>) = report.editable.iter().partition(|it| it.included);
    let of = |all: Vec<&crate::adopt::Editable>| {
        all.iter().map(|it| format!("{} ({})", it.name, it.sources.join(", "))).collect()
    };
    list("editable, and packed with their sources:", of(included), false);
    list("editable, and left out:", of(left), false);
    list("left behind, because they are no part of the environment:", report.left_behind.clone(), false);
    list("linked in this prefix, with a run path that moves with them now:", report.relinked.clone(), false);
    let outside = |all: &[crate::adopt::Outside]| all.iter().map(|it| format!("{} -> {}", it.file, it.names)).collect();
    list("links that lead out of the environment:", outside(&report.outside_links), true);
    list("modules are imported from folders that stay behind:", outside(&report.outside_paths), true);
    list("scripts whose interpreter is in another environment:", outside(&report.foreign_scripts), true);
    let unfixable = |it: &crate::adopt::Unfixable| {
        let of = it.package.as_ref().map(|name| format!(", of {name}")).unwrap_or_default();
        format!("{} (room for {} bytes{of})", it.file, it.room)
    };
    let can_be_limited = report.unfixable.iter().any(|it| it.room >= PLACEHOLDER_MIN);
    list(
        &format!(
            "compiled in this prefix, whose path they go on naming; make the environment at a longer path and build them \
             there{}:",
            if can_be_limited { ", or pack with --short-prefix for short paths only" } else { "" }
        ),
        report.unfixable.iter().map(unfixable).collect(),
        true,
    );
    // A folder has no pieces, and as many bytes as what was packed.
    let size = match packed.pieces.iter().map(|it| it.bytes).sum() {
        0 => String::new(),
        size => format!(" ({})", bytes(size)),
    };
    say(&format!(
        "packed {} files into {}{size}, for prefixes of up to {} bytes",
        packed.files,
        file.display(),
        adopted.placeholder.len()
    ));
}

fn changed(report: &Report) -> Vec<String> {
    let of = |package: &Package| {
        let line = |it: &crate::adopt::Changed| {
            let by = it.by.as_ref().map(|by| format!(", now {by}'s")).unwrap_or_default();
            format!("{} ({} {}{by})", it.file, package.name, package.version)
        };
        package.changed.iter().map(line).collect::<Vec<_>>()
    };
    report.conda.iter().chain(&report.pip).flat_map(of).collect()
}

fn missing(report: &Report) -> Vec<String> {
    let of = |package: &Package| {
        let line = |file: &String| format!("{file} ({} {})", package.name, package.version);
        package.missing.iter().map(line).collect::<Vec<_>>()
    };
    report.conda.iter().chain(&report.pip).flat_map(of).collect()
}

/// The same for programs.
pub(in crate::cli) fn adopted_json(adopted: &Adopted, file: &Path, packed: &Packed) -> Result<(), FsError> {
    let pieces: Vec<Value> =
        packed.pieces.iter().map(|it| json!({ "file": it.path, "bytes": it.bytes, "sha256": it.sha256 })).collect();
    let mut value = json!({
        "name": adopted.name,
        "platform": adopted.platform,
        "longest_prefix": adopted.placeholder.len(),
        "archive": file,
        "pieces": pieces,
        "tree": packed.tree.to_string(),
    });
    let report = serde_json::to_value(&adopted.report).expect("names and numbers are always JSON");
    if let (Value::Object(all), Value::Object(report)) = (&mut value, report) {
        all.extend(report);
    }
    print(&value)
}
