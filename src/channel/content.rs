//! What a package is, apart from its name's key: two builds of the same content have the same digest.

use std::{collections::BTreeMap, io::BufReader, io::Read as _, path::Path};

use rattler_conda_types::package::{FileMode, PathType, PathsJson};
use rattler_package_streaming::seek::{stream_conda_content, stream_conda_info};

use super::{error::ChannelError, index};
use crate::base::Digest;

// 1: paths, the other info files by their bytes, index.json without timestamp and key. 2: modes.
const SCHEMA: u32 = 2;

/// The digest of what an archive holds: every installed path (with its sha256, size, kind, prefix mode, `no_link`
/// and permissions), and every file of its `info` folder. `key` is the short key in the build string; it is blanked wherever it stands in
/// the build string and in the run exports, and the timestamp is left out, so that the digest says whether a rebuild
/// under another key yielded the same thing. The rendered recipe, `hash_input.json` and the git list are left out: they
/// repeat the inputs. An empty `key` blanks nothing.
///
/// # Errors
/// When the archive cannot be read or is not a conda package.
pub fn content_digest(archive: &Path, key: &str) -> Result<Digest, ChannelError> {
    let files = info_files(archive)?;
    let bad = |error: serde_json::Error| ChannelError::archive(archive, error);
    let mut hasher = Writer::default();
    hasher.field("schema", &SCHEMA.to_le_bytes());
    for (path, bytes) in &files {
        match path.as_str() {
            "info/paths.json" => {
                let paths: PathsJson = serde_json::from_slice(bytes).map_err(bad)?;
                write_paths(&mut hasher, paths);
            }
            "info/index.json" => {
                let mut index: serde_json::Value = serde_json::from_slice(bytes).map_err(bad)?;
                if let Some(index) = index.as_object_mut() {
                    index.remove("timestamp");
                    if let Some(build) = index.get_mut("build") {
                        blank(build, key);
                    }
                }
                hasher.field(path, index.to_string().as_bytes());
            }
            // A package that exports itself exactly names its own build string there.
            "info/run_exports.json" => {
                let mut exports: serde_json::Value = serde_json::from_slice(bytes).map_err(bad)?;
                blank(&mut exports, key);
                hasher.field(path, exports.to_string().as_bytes());
            }
            _ => hasher.field(path, bytes),
        }
    }
    // No file of `info` holds them, and they are what makes a file a program.
    for (path, mode) in modes(archive)? {
        hasher.field(&format!("mode of {path}"), &mode.to_le_bytes());
    }
    Ok(hasher.0.into())
}

/// The permissions of what is installed, by path.
fn modes(archive: &Path) -> Result<BTreeMap<String, u32>, ChannelError> {
    let bad = |error: &dyn std::fmt::Display| ChannelError::archive(archive, error);
    let mut modes = BTreeMap::new();
    let mut content = stream_conda_content(BufReader::new(index::open(archive)?)).map_err(|error| bad(&error))?;
    for file in content.entries().map_err(|error| bad(&error))? {
        let file = file.map_err(|error| bad(&error))?;
        let path = file.path().map_err(|error| bad(&error))?.to_string_lossy().into_owned();
        modes.insert(path, file.header().mode().map_err(|error| bad(&error))?);
    }
    Ok(modes)
}

fn info_files(archive: &Path) -> Result<BTreeMap<String, Vec<u8>>, ChannelError> {
    let bad = |error: &dyn std::fmt::Display| ChannelError::archive(archive, error);
    let mut files = BTreeMap::new();
    let mut info = stream_conda_info(BufReader::new(index::open(archive)?)).map_err(|error| bad(&error))?;
    for file in info.entries().map_err(|error| bad(&error))? {
        let mut file = file.map_err(|error| bad(&error))?;
        let path = file.path().map_err(|error| bad(&error))?.to_string_lossy().into_owned();
        // `info/files` lists the paths of `paths.json` again.
        let repeats = matches!(path.as_str(), "info/hash_input.json" | "info/git" | "info/files")
            || path.starts_with("info/recipe/");
        if repeats || file.header().entry_type().is_dir() {
            continue;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| bad(&error))?;
        if let Some(target) = file.link_name().map_err(|error| bad(&error))? {
            bytes.extend(target.to_string_lossy().as_bytes());
        }
        files.insert(path, bytes);
    }
    if files.contains_key("info/index.json") { Ok(files) } else { Err(bad(&"it holds no info/index.json")) }
}

fn write_paths(hasher: &mut Writer, paths: PathsJson) {
    let mut entries = paths.paths;
    entries.sort_by(|a, b| a.relative_path.cmp(&b.relative_path));
    for entry in entries {
        hasher.field("path", entry.relative_path.to_string_lossy().as_bytes());
        hasher.field("sha256", entry.sha256.as_ref().map(|sha256| sha256.as_slice()).unwrap_or_default());
        hasher.field("size", &entry.size_in_bytes.unwrap_or(0).to_le_bytes());
        let kind = match entry.path_type {
            PathType::HardLink => "hard link",
            PathType::SoftLink => "soft link",
            PathType::Directory => "directory",
        };
        hasher.field("kind", kind.as_bytes());
        // The placeholder itself is a path of the build; its mode is what an installer acts on.
        let prefix = match entry.prefix_placeholder.map(|placeholder| placeholder.file_mode) {
            None => "none",
            Some(FileMode::Text) => "text",
            Some(FileMode::Binary) => "binary",
        };
        hasher.field("prefix", prefix.as_bytes());
        hasher.field("no_link", &[u8::from(entry.no_link)]);
    }
}

/// Blanks the key in every string of a JSON value.
fn blank(value: &mut serde_json::Value, key: &str) {
    if key.is_empty() {
        return;
    }
    match value {
        serde_json::Value::String(text) => *text = text.replace(key, ""),
        serde_json::Value::Array(values) => values.iter_mut().for_each(|value| blank(value, key)),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(|value| blank(value, key)),
        _ => {}
    }
}

#[derive(Default)]
struct Writer(blake3::Hasher);

impl Writer {
    /// Tag and value, each with its length, so that no two lists of fields give the same bytes.
    fn field(&mut self, tag: &str, value: &[u8]) {
        for part in [tag.as_bytes(), value] {
            self.0.update(&(part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }
}
