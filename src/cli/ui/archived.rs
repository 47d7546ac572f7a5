//! What there is to tell of an archive that was asked for by hand.

use serde_json::{Value, json};

use super::{data::note, json, message::bytes};
use crate::{
    base::FsError,
    cli::args::Global,
    exec::{Archived, Context},
    run::Report,
};

/// For people.
pub(in crate::cli) fn archived_text(archived: &Archived, global: &Global) {
    if global.quiet {
        return;
    }
    let size = bytes(archived.pieces.iter().map(|it| it.bytes).sum());
    let mut text = match archived.files {
        Some(files) => format!("packed {files} files into {}", archived.archive.display()),
        None => format!("packed into {}", archived.archive.display()),
    };
    if !archived.pieces.is_empty() {
        text = format!("{text} ({size})");
    }
    if let Some(longest) = archived.longest_prefix {
        text = format!("{text}, for prefixes of up to {longest} bytes");
    }
    note(&text);
}

/// For programs: the report of the run, and what was written.
pub(in crate::cli) fn archived_json(context: &Context, report: &Report, archived: &Archived) -> Result<(), FsError> {
    let mut answer = json::run(context, report);
    let pieces: Vec<Value> =
        archived.pieces.iter().map(|it| json!({ "file": it.path, "bytes": it.bytes, "sha256": it.sha256 })).collect();
    answer["archive"] = json!(archived.archive);
    answer["pieces"] = json!(pieces);
    answer["tree"] = json!(archived.tree.map(|it| it.to_string()));
    answer["longest_prefix"] = json!(archived.longest_prefix);
    json::print(&answer)
}
