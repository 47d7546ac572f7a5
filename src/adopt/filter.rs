//! What the user leaves out, and puts back.

use std::{collections::BTreeSet, ffi::OsStr, io::Read as _, os::unix::ffi::OsStrExt as _, path::Path};

use globset::{GlobBuilder, GlobMatcher};
use serde_json::Value;

use super::error::{AdoptError, AdoptErrors};
use crate::{
    conda::is_record,
    tree::{Content, Entries, Entry, File},
};

/// One pattern. `*` stands for anything, slashes too, as in conda-pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// What matches is left out.
    Exclude(String),
    /// What matches and was left out by a pattern before this one is put back.
    Include(String),
}

/// Patterns, applied one after the other: the last that matches a file decides.
#[derive(Debug, Clone, Default)]
pub struct Filters(Vec<(bool, GlobMatcher)>);

impl Filters {
    /// Reads the patterns. Each is compared with a name relative to the prefix, and with the names of the folders that
    /// it is in: `share/doc` leaves out all that is below it.
    ///
    /// # Errors
    /// When some are no patterns; all of them are named.
    pub fn new(filters: &[Filter]) -> Result<Self, AdoptErrors> {
        let (mut all, mut problems) = (Vec::new(), Vec::new());
        for filter in filters {
            let (include, pattern) = match filter {
                Filter::Exclude(pattern) => (false, pattern),
                Filter::Include(pattern) => (true, pattern),
            };
            let bare = pattern.strip_prefix("./").unwrap_or(pattern).trim_end_matches('/');
            match GlobBuilder::new(bare).literal_separator(false).backslash_escape(true).build() {
                Ok(glob) => all.push((include, glob.compile_matcher())),
                Err(error) => {
                    problems.push(AdoptError::Pattern { pattern: pattern.clone(), reason: error.kind().to_string() })
                }
            }
        }
        if problems.is_empty() { Ok(Self(all)) } else { Err(AdoptErrors::new(None, problems)) }
    }

    /// Whether an entry stays.
    pub fn keeps(&self, name: &[u8]) -> bool {
        let mut kept = true;
        for (include, glob) in &self.0 {
            if *include != kept && matches(glob, name) {
                kept = *include;
            }
        }
        kept
    }
}

fn matches(glob: &GlobMatcher, name: &[u8]) -> bool {
    let folders = name.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &name[..at]);
    folders.chain([name]).any(|name| glob.is_match(Path::new(OsStr::from_bytes(name))))
}

/// Takes out of a tree what the patterns leave out, and the records' mention of it. A folder goes with the last entry
/// in it. Gives the names of what was taken out.
///
/// # Errors
/// When a record cannot be read.
pub fn select(entries: &mut Entries, filters: &Filters) -> Result<BTreeSet<Vec<u8>>, AdoptErrors> {
    let out = out_of(entries, filters);
    remove(entries, &out).map_err(|problems| AdoptErrors::new(None, problems))?;
    Ok(out)
}

/// The names of what the patterns leave out.
pub(super) fn out_of(entries: &Entries, filters: &Filters) -> BTreeSet<Vec<u8>> {
    let mut out = BTreeSet::new();
    if filters.0.is_empty() {
        return out;
    }
    // Folders with something in them that stays, and those with something that goes.
    let (mut full, mut thinned) = (BTreeSet::from([b"conda-meta".to_vec()]), BTreeSet::new());
    for (name, entry) in entries {
        let kept = filters.keeps(name);
        let above = name.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| name[..at].to_vec());
        if !kept {
            out.insert(name.clone());
            thinned.extend(above);
        } else if *entry != Entry::Folder {
            full.extend(above);
        }
    }
    for (name, _) in entries.iter().filter(|(_, entry)| **entry == Entry::Folder) {
        if full.contains(name) {
            out.remove(name);
        } else if thinned.contains(name) {
            out.insert(name.clone());
        }
    }
    out
}

/// Takes entries out of a tree, and the records' mention of them.
pub(super) fn remove(entries: &mut Entries, out: &BTreeSet<Vec<u8>>) -> Result<(), Vec<AdoptError>> {
    entries.retain(|name, _| !out.contains(name));
    if out.is_empty() {
        return Ok(());
    }
    let mut problems = Vec::new();
    for (_, entry) in entries.iter_mut().filter(|(name, _)| is_record(name)) {
        let Entry::File(File { content, .. }) = entry else { continue };
        match without(content, out) {
            Ok(Some(bytes)) => *content = Content::Made(bytes),
            // One that is no JSON is named by who reads all of them.
            Ok(None) => {}
            Err(error) => problems.push(error),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// A record without these files, when it has some of them.
fn without(content: &Content, out: &BTreeSet<Vec<u8>>) -> Result<Option<Vec<u8>>, AdoptError> {
    let mut bytes = Vec::new();
    content.open()?.read_to_end(&mut bytes).map_err(|error| content.fault(error))?;
    let Ok(mut record) = serde_json::from_slice::<Value>(&bytes) else { return Ok(None) };
    let goes = |name: Option<&str>| name.is_some_and(|name| out.contains(name.as_bytes()));
    let mut changed = false;
    let mut thin = |list: Option<&mut Value>, name: fn(&Value) -> Option<&str>| {
        if let Some(Value::Array(list)) = list {
            let before = list.len();
            list.retain(|it| !goes(name(it)));
            changed |= list.len() != before;
        }
    };
    thin(record.get_mut("files"), Value::as_str);
    let paths = record.get_mut("paths_data").and_then(|it| it.get_mut("paths"));
    thin(paths, |it| it.get("_path").and_then(Value::as_str));
    if !changed {
        return Ok(None);
    }
    Ok(serde_json::to_vec_pretty(&record).ok())
}

#[cfg(test)]
mod tests {
    use super::{Filter, Filters, select};
    use crate::tree::{Entries, Entry};

    fn exclude(pattern: &str) -> Filter {
        Filter::Exclude(pattern.to_owned())
    }

    fn include(pattern: &str) -> Filter {
        Filter::Include(pattern.to_owned())
    }

    fn left(filters: &[Filter]) -> Vec<String> {
        let record = br#"{"files": ["lib/a.py", "bin/tool"], "paths_data": {"paths": [{"_path": "lib/a.py"}]}}"#;
        let mut entries = Entries::new();
        for folder in ["conda-meta", "bin", "lib", "lib/deep", "share"] {
            entries.insert(folder.into(), Entry::Folder);
        }
        for file in ["bin/tool", "lib/a.py", "lib/deep/b.py", "lib/deep/c.so"] {
            entries.insert(file.into(), Entry::made(Vec::new(), false));
        }
        entries.insert(b"conda-meta/x.json".to_vec(), Entry::made(record.to_vec(), false));
        let out = select(&mut entries, &Filters::new(filters).unwrap()).unwrap();
        assert!(out.iter().all(|it| !entries.contains_key(it)));
        let Some(Entry::File(file)) = entries.get(&b"conda-meta/x.json"[..]) else { panic!("it is there") };
        let mut text = String::new();
        std::io::Read::read_to_string(&mut file.content.open().unwrap(), &mut text).unwrap();
        for name in ["lib/a.py", "bin/tool"] {
            assert_eq!(text.contains(name), entries.contains_key(name.as_bytes()), "{text}");
        }
        let names = entries.keys().filter(|it| !it.starts_with(b"conda-meta"));
        names.map(|it| String::from_utf8(it.clone()).unwrap()).collect()
    }

    #[test]
    fn the_last_pattern_that_matches_decides() {
        let all = ["bin", "bin/tool", "lib", "lib/a.py", "lib/deep", "lib/deep/b.py", "lib/deep/c.so", "share"];
        assert_eq!(left(&[]), all);
        assert_eq!(left(&[include("*.py")]), all, "nothing was left out before it");
        let python = ["bin", "bin/tool", "lib", "lib/deep", "lib/deep/c.so", "share"];
        assert_eq!(left(&[exclude("*.py")]), python);
        let one = ["bin", "bin/tool", "lib", "lib/deep", "lib/deep/b.py", "lib/deep/c.so", "share"];
        assert_eq!(left(&[exclude("*.py"), include("lib/deep/*")]), one);
        assert_eq!(left(&[exclude("*.py"), include("*deep*"), exclude("*b.py")]), python);
        assert_eq!(left(&[exclude("./lib/"), include("lib/a.py")]), ["bin", "bin/tool", "lib", "lib/a.py", "share"]);
        assert_eq!(
            left(&[exclude("lib/[ab].py"), exclude("{bin,share}")]),
            ["lib", "lib/deep", "lib/deep/b.py", "lib/deep/c.so"]
        );
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        let error = Filters::new(&[exclude("[a"), include("{b"), include("c")]).unwrap_err();
        assert_eq!(error.problems().len(), 2);
    }
}
