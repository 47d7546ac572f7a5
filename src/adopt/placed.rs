//! Records that name files as their package has them, and not as they lie in the prefix.
//!
//! conda writes for each file of a pure Python package (`noarch: python`) the name in the package as `_path` in
//! `paths_data`, such as `site-packages/rich/__init__.py` and `python-scripts/tool`; where it has put it stands in `files`
//! alone. mamba and rattler write the place in both. The names in packages are those of conda's
//! `get_python_noarch_target_path`.

use std::io::Read as _;

use memchr::memmem;
use serde_json::Value;

use crate::{
    conda::is_record,
    tree::{Content, Entries, Entry, File},
};

/// In which folder modules are in a pure Python package.
const MODULES: &str = "site-packages/";
/// In which folder programs are there.
const SCRIPTS: &str = "python-scripts/";

/// Makes all records of a tree name their files as they lie there. One that cannot be read or understood stays as it
/// is: who needs all of them tells that.
pub(super) fn settle(entries: &mut Entries) {
    for (_, entry) in entries.iter_mut().filter(|(name, _)| is_record(name)) {
        if let Entry::File(File { content, .. }) = entry
            && let Some(bytes) = settled(content)
        {
            *content = Content::Made(bytes);
        }
    }
}

/// A record with the names in the prefix, when it has others.
fn settled(content: &Content) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    content.open().ok()?.read_to_end(&mut bytes).ok()?;
    // Most records need no second look.
    if [MODULES, SCRIPTS].iter().all(|it| memmem::find(&bytes, format!("\"{it}").as_bytes()).is_none()) {
        return None;
    }
    let mut record = serde_json::from_slice::<Value>(&bytes).ok()?;
    rename(&mut record).then(|| serde_json::to_vec_pretty(&record).ok()).flatten()
}

/// Gives the files of a pure Python package their names in the prefix; says whether there was something to do.
fn rename(record: &mut Value) -> bool {
    if record.get("noarch").and_then(Value::as_str) != Some("python") {
        return false;
    }
    let files: Vec<String> = record
        .get("files")
        .and_then(Value::as_array)
        .map_or_else(Vec::new, |files| files.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    let paths = record.get_mut("paths_data").and_then(|it| it.get_mut("paths")).and_then(Value::as_array_mut);
    let mut folder = None;
    let mut changed = false;
    for path in paths.into_iter().flatten().filter_map(|it| it.get_mut("_path")) {
        let Some(name) = path.as_str() else { continue };
        let place = if let Some(rest) = name.strip_prefix(SCRIPTS) {
            Some(format!("bin/{rest}"))
        } else if name.starts_with(MODULES) {
            // All modules of a prefix are in one folder, whose name depends on its Python.
            folder = folder.or_else(|| {
                let above = |file: &String| file.strip_suffix(name).filter(|it| it.ends_with('/')).map(str::to_owned);
                files.iter().find_map(above)
            });
            folder.as_ref().map(|it| format!("{it}{name}"))
        } else {
            None
        };
        if let Some(place) = place {
            *path = Value::String(place);
            changed = true;
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::rename;

    #[test]
    fn only_what_is_named_as_in_a_pure_python_package_gets_another_name() {
        let record = |noarch: &str, files: &[&str], paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(|it| json!({ "_path": it, "path_type": "hardlink" })).collect();
            json!({ "noarch": noarch, "files": files, "paths_data": { "paths_version": 1, "paths": paths } })
        };
        let places = ["lib/python3.13t/site-packages/a.py", "lib/python3.13t/site-packages/b/a.py", "bin/a", "share/a"];
        let inside = ["site-packages/a.py", "site-packages/b/a.py", "python-scripts/a", "share/a"];
        let mut of_conda = record("python", &places, &inside);
        assert!(rename(&mut of_conda));
        assert_eq!(of_conda, record("python", &places, &places));
        assert!(!rename(&mut of_conda));
        let mut generic = record("generic", &inside, &inside);
        assert!(!rename(&mut generic), "there it is a folder like any other");
        let mut unknown = record("python", &[], &["site-packages/a.py"]);
        assert!(!rename(&mut unknown), "nothing says where it is");
    }
}
