//! What `unpack` answers, with `--relocate` and `--verify`, too. The book's chapter "Commands" documents the fields.

use std::{fmt::Write as _, path::Path};

use serde_json::json;

use super::{
    data::{data, note},
    json::print,
    message::bytes,
};
use crate::{
    base::FsError,
    cli::args::{Format, Global},
    unpack::{Relocated, Verified},
};

/// What was unpacked: files, and their bytes where they were counted.
pub(in crate::cli) fn unpacked(
    archive: &Path,
    prefix: &Path,
    (files, size): (u64, Option<u64>),
    format: Format,
    global: &Global,
) -> Result<(), FsError> {
    if format == Format::Json {
        return print(&json!({
            "archive": archive.display().to_string(),
            "prefix": prefix.display().to_string(),
            "files": files,
            "bytes": size,
        }));
    }
    if files == 0 && !global.quiet {
        // Every archive has files; only an update may have been there before.
        note(&format!("nothing to do: {} is what the update makes of it already", prefix.display()));
    } else if !global.quiet {
        let size = size.map(|it| format!(" ({})", bytes(it))).unwrap_or_default();
        note(&format!("unpacked {files} files{size} into {}", prefix.display()));
    }
    Ok(())
}

/// What was relocated: files that somebody changed have a line each.
pub(in crate::cli) fn relocated(
    done: &Relocated,
    prefix: &Path,
    format: Format,
    global: &Global,
) -> Result<(), FsError> {
    if format == Format::Json {
        let edited =
            done.edited.iter().map(|it| json!({ "name": shown(&it.name), "replaced": it.replaced, "left": it.left }));
        return print(&json!({
            "prefix": prefix.display().to_string(),
            "from": done.from.iter().map(|it| it.display().to_string()).collect::<Vec<_>>(),
            "rewritten": done.rewritten,
            "edited": edited.collect::<Vec<_>>(),
            "missing": names(&done.missing),
        }));
    }
    let mut text = String::new();
    for it in &done.edited {
        let name = shown(&it.name);
        let _ = match (it.left, it.replaced) {
            (true, _) => writeln!(text, "edited   {name}: it still names the old prefix, for there is no room in it"),
            (_, 0) => writeln!(text, "edited   {name}: the old prefix does not stand in it"),
            (_, count) => {
                writeln!(text, "edited   {name}: the old prefix was replaced {count} times, where it was found")
            }
        };
    }
    for name in &done.missing {
        let _ = writeln!(text, "missing  {}", shown(name));
    }
    if !text.is_empty() {
        data(text.trim_end())?;
    }
    if !global.quiet {
        note(&format!("{} files and links now name {}", done.rewritten, prefix.display()));
    }
    Ok(())
}

/// What was found: what changed or is missing has a line each.
pub(in crate::cli) fn verified(
    found: &Verified,
    prefix: &Path,
    format: Format,
    global: &Global,
) -> Result<(), FsError> {
    if format == Format::Json {
        return print(&json!({
            "prefix": prefix.display().to_string(),
            "named": found.named.display().to_string(),
            "tree": found.tree.to_string(),
            "good": found.is_good(),
            "compared": found.compared,
            "changed": names(&found.changed),
            "missing": names(&found.missing),
            "added": names(&found.added),
        }));
    }
    let mut text = String::new();
    let mut list = |what: &str, all: &[Vec<u8>]| {
        for name in all {
            let _ = writeln!(text, "{what:<8} {}", shown(name));
        }
    };
    list("changed", &found.changed);
    list("missing", &found.missing);
    if global.verbose {
        list("added", &found.added);
    }
    if !text.is_empty() {
        data(text.trim_end())?;
    }
    if !global.quiet {
        let Verified { compared, changed, missing, added, .. } = found;
        let (changed, missing, added) = (changed.len(), missing.len(), added.len());
        note(&format!("{compared} files, links and folders: {changed} changed, {missing} missing; {added} added"));
        if found.named != prefix {
            note(&format!(
                "its files name {}; if it is to be used here, run `envbuild unpack --relocate {}`",
                found.named.display(),
                prefix.display()
            ));
        }
    }
    Ok(())
}

fn names(all: &[Vec<u8>]) -> Vec<String> {
    all.iter().map(|name| shown(name)).collect()
}

/// A name as text; bytes that are none are replaced.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
