//! What the records of a copy say of files that name another prefix than those it was copied from.

use std::{
    collections::BTreeSet,
    io::{self, Read as _},
};

use rattler_digest::{HashingWriter, Sha256, Sha256Hash};
use serde_json::Value;

use crate::{
    base::FsError,
    conda::is_record,
    tree::{Content, Entries, Entry, File},
};

/// Writes into the packages' records the digests that these files have in this tree, as `conda doctor` compares them.
/// `replaced` are files whose content was as their record said, and is another now because the prefix is.
///
/// # Errors
/// When a file cannot be read.
pub fn renew(entries: &mut Entries, replaced: &BTreeSet<Vec<u8>>) -> Result<(), FsError> {
    let records: Vec<Vec<u8>> = entries.keys().filter(|name| is_record(name)).cloned().collect();
    for name in records {
        let Some(content) = content_of(entries, &name) else { continue };
        let mut bytes = Vec::new();
        content.open()?.read_to_end(&mut bytes).map_err(|error| content.fault(error))?;
        let Ok(mut record) = serde_json::from_slice::<Value>(&bytes) else { continue };
        if renewed(&mut record, entries, replaced)?
            && let (Ok(bytes), Some(Entry::File(file))) = (serde_json::to_vec_pretty(&record), entries.get_mut(&name))
        {
            file.content = Content::Made(bytes);
        }
    }
    Ok(())
}

/// Says whether there was something to do.
fn renewed(record: &mut Value, entries: &Entries, replaced: &BTreeSet<Vec<u8>>) -> Result<bool, FsError> {
    let paths = record.get_mut("paths_data").and_then(|it| it.get_mut("paths")).and_then(Value::as_array_mut);
    let mut changed = false;
    for path in paths.into_iter().flatten().filter_map(Value::as_object_mut) {
        let name = path.get("_path").and_then(Value::as_str).unwrap_or_default().as_bytes();
        let Some(content) = content_of(entries, name).filter(|_| replaced.contains(name)) else { continue };
        // A script that the installer has made is in no package: both digests are of what is in the prefix.
        let made = path.get("path_type").and_then(Value::as_str).is_some_and(|it| it.contains("entry_point"));
        let fields: &[&str] = if made { &["sha256", "sha256_in_prefix"] } else { &["sha256_in_prefix"] };
        for field in fields {
            if let Some(Value::String(digest)) = path.get_mut(*field) {
                *digest = hex::encode(sha256(content)?);
                changed = true;
            }
        }
    }
    Ok(changed)
}

fn content_of<'a>(entries: &'a Entries, name: &[u8]) -> Option<&'a Content> {
    match entries.get(name) {
        Some(Entry::File(File { content, .. })) => Some(content),
        _ => None,
    }
}

fn sha256(content: &Content) -> Result<Sha256Hash, FsError> {
    let mut hasher = HashingWriter::<_, Sha256>::new(io::sink());
    io::copy(&mut content.open()?, &mut hasher).map_err(|error| content.fault(error))?;
    Ok(hasher.finalize().1)
}
