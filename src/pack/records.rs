//! The installer's records in `conda-meta`, without paths of the machine on which it ran.
//!
//! Kept is what conda needs to list, verify and change the environment, and so the place of a `file://` channel that others
//! can use, as one that a site shares. The package cache's folders, the time at which a channel was indexed and the place of
//! a project's own channel say nothing about the environment and would make the archive depend on the machine.

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::conda::{public_channel, public_url};

/// Which files of the prefix are no longer what the record says.
pub(super) trait Changes {
    /// Whether the file's content will change with the prefix.
    fn relocated(&self, name: &str) -> bool;
    /// Whether the file is not in the archive.
    fn left_out(&self, name: &str) -> bool;
}

/// Rewrites a record. The result depends on the package only, and on where it can be had: of channels in the folders `own`
/// the place is left out.
///
/// # Errors
/// When it is no JSON object; the text says why.
pub(super) fn sanitised(record: &[u8], changes: &impl Changes, own: &[PathBuf]) -> Result<Vec<u8>, String> {
    let mut record: Map<String, Value> = serde_json::from_slice(record).map_err(|error| error.to_string())?;
    for key in ["package_tarball_full_path", "extracted_package_dir", "link", "indexed_timestamp", "auth"] {
        record.shift_remove(key);
    }
    for (key, shorten) in [("url", public_url as fn(&str, &[PathBuf]) -> String), ("channel", public_channel)] {
        if let Some(Value::String(text)) = record.get_mut(key) {
            *text = shorten(text, own);
        }
    }
    if let Some(Value::Array(files)) = record.get_mut("files") {
        files.retain(|file| !file.as_str().is_some_and(|name| changes.left_out(name)));
        // The installer links in parallel and lists what is done in that order.
        files.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
    }
    if let Some(Value::Array(paths)) = record.get_mut("paths_data").and_then(|data| data.get_mut("paths")) {
        paths.retain(|path| !name_of(path).is_some_and(|name| changes.left_out(name)));
        for path in &mut *paths {
            forget_what_changes(path, changes);
        }
        paths.sort_by(|one, other| name_of(one).cmp(&name_of(other)));
    }
    let mut bytes = serde_json::to_vec_pretty(&record).map_err(|error| error.to_string())?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn name_of(path: &Value) -> Option<&str> {
    path.get("_path").and_then(Value::as_str)
}

/// The hash "in the prefix" of a file with a prefix inside is not known before the prefix is, and that of a link is not
/// what conda would compute: without the field conda does not check the file. A script that the installer has made is in
/// no package: both of its hashes are of the file with the prefix inside.
fn forget_what_changes(path: &mut Value, changes: &impl Changes) {
    let relocated = name_of(path).is_some_and(|name| changes.relocated(name));
    let kind = path.get("path_type").and_then(Value::as_str);
    let (link, made) = (kind == Some("softlink"), kind.is_some_and(|it| it.contains("entry_point")));
    if let (true, Value::Object(fields)) = (relocated || link, path) {
        fields.shift_remove("sha256_in_prefix");
        if made {
            fields.shift_remove("sha256");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Changes, sanitised};

    struct Some;

    impl Changes for Some {
        fn relocated(&self, name: &str) -> bool {
            name == "bin/tool"
        }

        fn left_out(&self, name: &str) -> bool {
            name.ends_with(".pyc")
        }
    }

    #[test]
    fn records_lose_what_the_machine_added() {
        let record = r#"{"name":"x","indexed_timestamp":1,"fn":"x-1-0.conda",
            "url":"file:///home/me/project/output/linux-64/x-1-0.conda","channel":"file:///home/me/project/output/",
            "extracted_package_dir":"/home/me/cache/x","files":["lib/b","bin/tool","lib/a.pyc"],
            "paths_data":{"paths_version":1,"paths":[
              {"_path":"lib/b","path_type":"softlink","sha256":"1","sha256_in_prefix":"2"},
              {"_path":"bin/tool","path_type":"hardlink","sha256":"1","sha256_in_prefix":"2"},
              {"_path":"bin/tool","path_type":"unix_python_entry_point","sha256":"1","sha256_in_prefix":"1"},
              {"_path":"lib/a.pyc","path_type":"hardlink"},
              {"_path":"lib/a","path_type":"hardlink","sha256_in_prefix":"3"}]},
            "link":{"source":"/home/me/cache/x","type":1},"requested_specs":["x"]}"#;
        let out =
            String::from_utf8(sanitised(record.as_bytes(), &Some, &["/home/me/project".into()]).unwrap()).unwrap();
        assert!(!out.contains("/home/me") && !out.contains("pyc") && !out.contains("indexed"), "{out}");
        let out: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(out["url"], "file:///output/linux-64/x-1-0.conda");
        assert_eq!(out["channel"], "output");
        assert_eq!(out["files"], serde_json::json!(["bin/tool", "lib/b"]));
        let paths = &out["paths_data"]["paths"];
        assert_eq!((&paths[0]["sha256"], &paths[0]["sha256_in_prefix"]), (&json!("1"), &Value::Null));
        assert_eq!((&paths[1]["sha256"], &paths[1]["sha256_in_prefix"]), (&Value::Null, &Value::Null));
        assert_eq!(paths[2]["sha256_in_prefix"], "3");
        assert!(sanitised(b"[]", &Some, &[]).is_err());
    }
}
