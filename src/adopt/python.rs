//! The Python packages that pip and its like have installed beside conda's.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    path::{Component, Path, PathBuf},
};

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

use rayon::prelude::{IntoParallelIterator as _, ParallelIterator as _};
use serde_json::Value;
use url::Url;

use super::{error::AdoptError, records::Claims, spelling::Spellings};
use crate::tree::{Entries, Entry, File};

/// A Python package with the folder of what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dist {
    pub(super) name: String,
    pub(super) version: String,
    /// The program that installed it, when it has signed.
    pub(super) installer: Option<String>,
    /// Its `.dist-info` or `.egg-info`.
    pub(super) folder: Vec<u8>,
    /// The files of its `RECORD` by their names in the prefix, with the digests that are given.
    pub(super) files: BTreeMap<Vec<u8>, Option<String>>,
    /// Where it was installed from.
    pub(super) origin: Option<Origin>,
    /// Whether a conda package has the folder, too.
    pub(super) managed: bool,
}

/// What `direct_url.json` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) url: String,
    pub(super) editable: bool,
    /// The folder, when it is one of this machine.
    pub(super) folder: Option<PathBuf>,
}

/// All of them, by their folders.
///
/// # Errors
/// When files cannot be read; all of them.
pub(super) fn dists<'a>(
    entries: &'a Entries,
    claims: &Claims<'_>,
    spellings: &Spellings,
) -> Result<Vec<Dist>, Vec<AdoptError>> {
    let folder = |name: &'a Vec<u8>| {
        let folder = name.strip_suffix(b".dist-info/METADATA").map(|_| &name[..name.len() - 9]);
        let folder = folder.or_else(|| name.strip_suffix(b".egg-info/PKG-INFO").map(|_| &name[..name.len() - 9]));
        folder.filter(|it| in_site(it))
    };
    let folders: Vec<&[u8]> = entries.keys().filter_map(folder).collect();
    let read = folders.into_par_iter().map(|folder| dist(entries, claims, spellings, folder));
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for one in read.collect::<Vec<_>>() {
        match one {
            Ok(dist) => found.push(dist),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

/// Whether it lies directly in a folder of modules.
fn in_site(folder: &[u8]) -> bool {
    parent(folder).ends_with(b"site-packages")
}

fn dist(entries: &Entries, claims: &Claims<'_>, spellings: &Spellings, folder: &[u8]) -> Result<Dist, AdoptError> {
    let file = |name: &str| [folder, b"/", name.as_bytes()].concat();
    let metadata = match text(entries, &file("METADATA"))? {
        Some(text) => text,
        None => text(entries, &file("PKG-INFO"))?.unwrap_or_default(),
    };
    let header = |key: &str| {
        let head = metadata.lines().take_while(|line| !line.is_empty());
        head.into_iter().find_map(|line| line.strip_prefix(key)).map(|it| it.trim().to_owned())
    };
    let stem = folder[parent(folder).len()..].split(|byte| b"/-".contains(byte)).find(|it| !it.is_empty());
    let origin = text(entries, &file("direct_url.json"))?.and_then(|text| origin(&text));
    let files = text(entries, &file("RECORD"))?.map(|text| record(&text, parent(folder), spellings));
    Ok(Dist {
        name: header("Name:").unwrap_or_else(|| String::from_utf8_lossy(stem.unwrap_or_default()).into_owned()),
        version: header("Version:").unwrap_or_default(),
        installer: text(entries, &file("INSTALLER"))?.map(|it| it.trim().to_owned()),
        folder: folder.to_vec(),
        files: files.unwrap_or_default(),
        origin,
        managed: ["METADATA", "RECORD", "PKG-INFO"].iter().any(|it| claims.contains_key(&file(it))),
    })
}

/// A text file of the tree; nothing when it is not there.
pub(super) fn text(entries: &Entries, name: &[u8]) -> Result<Option<String>, AdoptError> {
    let Some(Entry::File(File { content, .. })) = entries.get(name) else { return Ok(None) };
    let mut bytes = Vec::new();
    content.open()?.read_to_end(&mut bytes).map_err(|error| content.fault(error))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The folder of a name; nothing for a name without one.
pub(super) fn parent(name: &[u8]) -> &[u8] {
    name.iter().rposition(|byte| *byte == b'/').map_or(&[][..], |at| &name[..at])
}

fn origin(text: &str) -> Option<Origin> {
    let value: Value = serde_json::from_str(text).ok()?;
    let url = value.get("url")?.as_str()?.to_owned();
    let editable = value.pointer("/dir_info/editable").and_then(Value::as_bool).unwrap_or(false);
    let folder = Url::parse(&url).ok().filter(|it| it.scheme() == "file").and_then(|it| it.to_file_path().ok());
    Some(Origin { url, editable, folder })
}

/// The lines of a `RECORD`: path, digest, size, as comma-separated values. Paths are relative to the folder of modules.
fn record(text: &str, site: &[u8], spellings: &Spellings) -> BTreeMap<Vec<u8>, Option<String>> {
    let mut files = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (path, rest) = first_field(line);
        let digest = rest.split(',').next().and_then(|it| it.strip_prefix("sha256=")).map(str::to_owned);
        if let Some(name) = in_prefix(path.as_bytes(), site, spellings) {
            files.insert(name, digest);
        }
    }
    files
}

/// A field that may stand in quotes, and what follows its comma.
fn first_field(line: &str) -> (String, &str) {
    let Some(quoted) = line.strip_prefix('"') else {
        let (field, rest) = line.split_once(',').unwrap_or((line, ""));
        return (field.to_owned(), rest);
    };
    let mut field = String::new();
    let mut rest = quoted;
    while let Some((part, after)) = rest.split_once('"') {
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => return (field, after.strip_prefix(',').unwrap_or(after)),
        }
    }
    (field, "")
}

/// The name in the prefix of a path that is relative to a folder of the prefix, or absolute; nothing when it leads out.
fn in_prefix(path: &[u8], folder: &[u8], spellings: &Spellings) -> Option<Vec<u8>> {
    let whole = match path.first() {
        Some(b'/') => spellings.inside(path)?.to_vec(),
        _ => [folder, b"/", path].concat(),
    };
    let mut parts: Vec<&[u8]> = Vec::new();
    for component in Path::new(OsStr::from_bytes(&whole)).components() {
        match component {
            Component::Normal(part) => parts.push(part.as_bytes()),
            Component::ParentDir => drop(parts.pop()?),
            _ => {}
        }
    }
    Some(parts.join(&b'/'))
}

/// A digest as a `RECORD` has it: base64 with `-` and `_`, without padding.
pub(super) fn urlsafe(digest: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for group in digest.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digits = [18, 12, 6, 0].map(|shift| char::from(DIGITS[(bits >> shift) as usize & 63]));
        out.extend(&digits[..=group.len()]);
    }
    out
}

/// A `.pth` file, which Python reads when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pth {
    /// Its name in the prefix.
    pub(super) name: Vec<u8>,
    /// The folders outside of the prefix that it adds to the path of modules, as they stand there.
    pub(super) outside: Vec<PathBuf>,
}

/// All of them that name something outside.
///
/// # Errors
/// When files cannot be read; all of them.
pub(super) fn pths(entries: &Entries, root: &Path, spellings: &Spellings) -> Result<Vec<Pth>, Vec<AdoptError>> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let names = entries.keys().filter(|name| in_site(name) && name.ends_with(b".pth"));
    for name in names {
        match text(entries, name) {
            Ok(text) => {
                let lines = text.as_deref().unwrap_or_default().lines();
                let site = root.join(OsStr::from_bytes(parent(name)));
                let outside: Vec<PathBuf> = lines.filter_map(|line| outside(line, &site, spellings)).collect();
                if !outside.is_empty() {
                    found.push(Pth { name: name.clone(), outside });
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

/// The folder outside of the prefix that a line names. Lines that begin with `import` are run, and `#` begins a
/// comment.
pub(super) fn outside(line: &str, site: &Path, spellings: &Spellings) -> Option<PathBuf> {
    let line = line.trim_end();
    if line.is_empty() || line.starts_with('#') || line.starts_with("import ") || line.starts_with("import\t") {
        return None;
    }
    let path = if line.starts_with('/') { PathBuf::from(line) } else { site.join(line).canonicalize().ok()? };
    let leads_in = |path: &Path| spellings.inside(path.as_os_str().as_bytes()).is_some();
    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
    (!leads_in(&path) && !leads_in(&real)).then_some(path)
}

/// The names of an import finder's modules with their places: `MAPPING: dict[str, str] = {'module': '/place'}`.
pub(super) fn mapping(finder: &str) -> Vec<(String, PathBuf)> {
    let line = finder.lines().find(|line| line.starts_with("MAPPING"));
    let Some((_, dict)) = line.and_then(|line| line.split_once('=')) else { return Vec::new() };
    let words = literals(dict);
    words.chunks(2).filter_map(|pair| Some((pair.first()?.clone(), PathBuf::from(pair.get(1)?)))).collect()
}

/// The string literals of a line of Python.
fn literals(line: &str) -> Vec<String> {
    let (mut words, mut open): (Vec<String>, Option<char>) = (Vec::new(), None);
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match (open, char) {
            (None, '\'' | '"') => {
                open = Some(char);
                words.push(String::new());
            }
            (Some(quote), _) if char == quote => open = None,
            (Some(_), '\\') => words.last_mut().into_iter().zip(chars.next()).for_each(|(word, it)| word.push(it)),
            (Some(_), _) => words.last_mut().into_iter().for_each(|word| word.push(char)),
            (None, _) => {}
        }
    }
    words
}

/// The names that a package has at the top, if it says so.
pub(super) fn top_level(entries: &Entries, dist: &Dist) -> Option<BTreeSet<String>> {
    let list = text(entries, &[&dist.folder[..], b"/top_level.txt"].concat()).ok()??;
    Some(list.lines().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, sync::Arc};

    use super::{mapping, origin, outside, record, urlsafe};
    use crate::adopt::spelling::Spellings;

    #[test]
    fn a_record_names_files_anywhere_in_the_prefix() {
        let spellings = Spellings(vec![Arc::from(&b"/opt/e"[..])]);
        let site = b"lib/python3.11/site-packages";
        let text = "x/__init__.py,sha256=abc,3\n../../../bin/x,sha256=d,1\n\"a,\"\"b.py\",,\n/opt/e/share/x,,\n\
                    /usr/x,,\n../../../../out,,\nx-1.dist-info/RECORD,,\n";
        let files = record(text, site, &spellings);
        let names: Vec<_> = files.keys().map(|it| String::from_utf8(it.clone()).unwrap()).collect();
        let site = "lib/python3.11/site-packages";
        let expected = ["bin/x", &format!("{site}/a,\"b.py"), &format!("{site}/x-1.dist-info/RECORD")];
        assert_eq!(names[..3], expected);
        assert_eq!(names[3..], [format!("{site}/x/__init__.py"), "share/x".to_owned()]);
        assert_eq!(files[&b"bin/x"[..]].as_deref(), Some("d"));
    }

    #[test]
    fn digests_are_written_as_pip_does() {
        assert_eq!(urlsafe(&[0xfb, 0xff, 0xfe]), "-__-");
        assert_eq!(urlsafe(&[0]), "AA");
        assert_eq!(urlsafe(&[1, 2]), "AQI");
        assert_eq!(urlsafe(&[7; 32]).len(), 43);
    }

    #[test]
    fn editable_packages_are_found_by_what_they_leave() {
        let editable = origin(r#"{"dir_info": {"editable": true}, "url": "file:///src/my%20x"}"#).unwrap();
        assert!(editable.editable && editable.folder == Some(PathBuf::from("/src/my x")));
        assert!(!origin(r#"{"dir_info": {}, "url": "file:///src/x"}"#).unwrap().editable);
        let line = r#"MAPPING: dict[str, str] = {'x': '/src/it\'s/x', "y.z": '/src/y'}"#;
        let found = mapping(&format!("import sys\n{line}\nNAMESPACES: dict = {{}}\n"));
        assert_eq!(found, [("x".to_owned(), "/src/it's/x".into()), ("y.z".to_owned(), "/src/y".into())]);
        let spellings = Spellings(vec![Arc::from(&b"/opt/e"[..])]);
        let outside = |line: &str| outside(line, "/opt/e/lib".as_ref(), &spellings);
        assert_eq!(outside("/src/x"), Some("/src/x".into()));
        for line in ["/opt/e/src/x", "import x", "# /src", ""] {
            assert_eq!(outside(line), None, "{line}");
        }
    }
}
