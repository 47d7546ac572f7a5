//! Symbolic links: those into the prefix by its path name the placeholder, those that lead out are told.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Component, Path},
};

use super::{python::parent, report::Outside, spelling::Spellings};
use crate::tree::{Entries, Entry};

/// Gives links the placeholder; tells those that lead out of the prefix.
pub(super) fn settle(entries: &mut Entries, spellings: &Spellings, placeholder: &[u8]) -> Vec<Outside> {
    let mut outside = Vec::new();
    for (name, entry) in entries.iter_mut() {
        let Entry::Link(target) = entry else { continue };
        if target.starts_with(b"/") {
            match spellings.inside(target) {
                Some(rest) => *target = [placeholder, rest].concat(),
                None => outside.push(told(name, target)),
            }
        } else if leads_out(name, target) {
            outside.push(told(name, target));
        }
    }
    outside
}

fn told(name: &[u8], target: &[u8]) -> Outside {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outside { file: text(name), names: text(target) }
}

/// Whether a relative target has more `..` than there are folders above the link.
fn leads_out(name: &[u8], target: &[u8]) -> bool {
    let mut depth = Path::new(OsStr::from_bytes(parent(name))).components().count();
    for component in Path::new(OsStr::from_bytes(target)).components() {
        match component {
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::settle;
    use crate::{
        adopt::spelling::Spellings,
        tree::{Entries, Entry},
    };

    #[test]
    fn links_into_the_prefix_name_the_placeholder() {
        let spellings = Spellings(vec![Arc::from(&b"/opt/e"[..])]);
        let targets = [("bin/a", "/opt/e/lib/a"), ("bin/b", "/opt/e2/b"), ("bin/c", "../lib/c"), ("bin/d", "../../d")];
        let link = |(name, target): (&str, &str)| (name.as_bytes().to_vec(), Entry::Link(target.as_bytes().to_vec()));
        let mut entries: Entries = targets.map(link).into();
        let outside = settle(&mut entries, &spellings, b"/P");
        assert_eq!(entries[&b"bin/a"[..]], Entry::Link(b"/P/lib/a".to_vec()));
        let told: Vec<&str> = outside.iter().map(|it| it.file.as_str()).collect();
        assert_eq!(told, ["bin/b", "bin/d"]);
    }
}
