//! Gives libraries that were linked in the prefix a run path that moves with them.
//!
//! There is no room for a longer path in what pip has compiled. But where the prefix is only in the run path, the
//! loader can be told to look from the library's own place: `$ORIGIN/../lib` instead of `/prefix/lib`.

use std::collections::BTreeMap;

use super::{
    error::AdoptError,
    prefix::Read,
    python::parent,
    restore::{Fix, Room},
    spelling::Spellings,
};
use crate::{
    base::{FsError, Scratch},
    elf,
    tree::{Entries, Entry, File},
};

/// The largest file that is changed, in bytes: it is held in memory.
const LARGEST: u64 = 64 << 20;

/// Changes copies of the files whose run path cannot be corrected in its room, and gives the names of those files.
/// Copies go into the folder of scratch files.
///
/// # Errors
/// When a copy cannot be written.
pub(super) fn relink(
    entries: &mut Entries,
    reads: &mut BTreeMap<Vec<u8>, Read>,
    spellings: &Spellings,
    limit: usize,
    scratch: &Scratch,
) -> Result<Vec<Vec<u8>>, AdoptError> {
    let mut done = Vec::new();
    for (name, read) in reads {
        let Fix::Strings(strings) = &mut read.fix else { continue };
        let stuck = |it: &Room| !it.of_package && it.room < limit;
        if !read.scan.beginning.starts_with(b"\x7fELF") || !strings.iter().all(stuck) {
            continue;
        }
        let Some(Entry::File(file)) = entries.get_mut(name) else { continue };
        let Some((path, _)) = file.content.on_disk().filter(|_| file.content.size() <= LARGEST) else { continue };
        // What is no ELF file with a run path has nothing to change.
        let Ok(Some((old, kind))) = elf::run_path(path) else { continue };
        let Some(new) = relative(&old, name, spellings) else { continue };
        let copy = scratch.path().join(format!("{}", done.len()));
        std::fs::copy(path, &copy).map_err(|error| FsError::new("copy", path, error))?;
        if elf::set_run_path(&copy, &new, kind).is_err() {
            continue;
        }
        let metadata = copy.metadata().map_err(|error| FsError::new("read", &copy, error))?;
        let File { content, .. } = File::on_disk(copy, &metadata);
        file.content = content;
        read.scan.seen = None;
        // The old run path is still in the file, and nobody reads it any more.
        if let Some(at) = strings.iter().position(|it| is_run_path(it, &old, spellings)) {
            strings.remove(at);
        }
        done.push(name.clone());
    }
    Ok(done)
}

/// The run path with what is inside the prefix relative to the file; nothing when nothing is.
fn relative(run_path: &str, name: &[u8], spellings: &Spellings) -> Option<String> {
    let depth = parent(name).split(|byte| *byte == b'/').filter(|it| !it.is_empty()).count();
    let up = vec![".."; depth].join("/");
    let mut changed = false;
    let one = |folder: &str| match spellings.inside(folder.as_bytes()).and_then(|it| std::str::from_utf8(it).ok()) {
        Some(rest) => {
            changed = true;
            let parts = ["$ORIGIN", &up, rest.trim_matches('/')];
            parts.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("/")
        }
        None => folder.to_owned(),
    };
    let folders: Vec<String> = run_path.split(':').map(one).collect();
    changed.then(|| folders.join(":"))
}

/// Whether a string ends as the run path does from the first prefix in it.
fn is_run_path(string: &Room, run_path: &str, spellings: &Spellings) -> bool {
    let first = spellings.0.iter().filter_map(|it| memchr::memmem::find(run_path.as_bytes(), it)).min();
    let (Some(first), Some(hit)) = (first, string.text.hits.first()) else { return false };
    string.text.end - hit.at == (run_path.len() - first) as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::relative;
    use crate::adopt::spelling::Spellings;

    #[test]
    fn folders_of_the_prefix_are_found_from_the_file() {
        let spellings = Spellings(vec![Arc::from(&b"/opt/e"[..])]);
        let of = |path: &str, name: &str| relative(path, name.as_bytes(), &spellings);
        let module = "lib/python3.11/site-packages/x.so";
        assert_eq!(of("/opt/e/lib:/usr/x", module).as_deref(), Some("$ORIGIN/../../../lib:/usr/x"));
        assert_eq!(of("/opt/e", "bin/x").as_deref(), Some("$ORIGIN/.."));
        assert_eq!(of("/opt/e/lib/", "x").as_deref(), Some("$ORIGIN/lib"));
        assert_eq!(of("$ORIGIN/../lib:/opt/e2/lib", module), None);
    }
}
