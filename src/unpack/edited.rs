//! Files that somebody changed: where the prefix stands in them is found by looking for it.

use std::{
    fs::File,
    io,
    os::unix::{ffi::OsStringExt as _, fs::FileExt as _},
};

use super::{deployed::Deployed, error::UnpackError, relocate::Edited, rewrite::Rewriter, whole::below};
use crate::{
    base::FsError,
    tree::{Needles, Places, Words},
};

/// Replaces every prefix that the file may name, as a whole path, and tells.
pub(super) fn rewrite(
    deployed: &Deployed,
    rewriter: &Rewriter<'_>,
    name: &[u8],
    new: &[u8],
) -> Result<Edited, UnpackError> {
    let path = below(&deployed.prefix, name);
    let fail = |error| FsError::new("read", &path, error);
    let metadata = path.symlink_metadata().map_err(fail)?;
    let mut edited = Edited { name: name.to_vec(), replaced: 0, left: false };
    // One that begins like another comes after it.
    let mut named: Vec<&Vec<u8>> = deployed.named.iter().filter(|it| it.as_slice() != new).collect();
    named.sort_by_key(|it| std::cmp::Reverse(it.len()));
    if metadata.is_symlink() {
        let target = path.read_link().map_err(fail)?.into_os_string().into_vec();
        let mut now = target.clone();
        for old in named {
            edited.replaced += replace(&mut now, old, new, deployed.whole).map_err(fail)?;
        }
        if now != target {
            rewriter.link(name, &now)?;
        }
        return Ok(edited);
    }
    if !metadata.is_file() {
        return Ok(edited);
    }
    for old in named {
        let places = find(&path, old, new, deployed.whole).map_err(fail)?;
        let Some(places) = places else { continue };
        if matches!(places, Places::Binary(_)) && new.len() > old.len() {
            edited.left = true;
            continue;
        }
        edited.replaced += places.count();
        rewriter.file(name, &places.splices(old.len(), old, new))?;
    }
    Ok(edited)
}

/// Replaces a prefix in a link's target where it stands as a whole path, and gives how often it did.
pub(super) fn replace(target: &mut Vec<u8>, old: &[u8], new: &[u8], sure: bool) -> io::Result<usize> {
    let places = Needles::new(old, &[]).look(target.as_slice(), |_| {})?.places;
    let Some(Places::Text(mut at)) = places else { return Ok(0) };
    at.retain(|at| is_whole(target, *at, old, new, sure));
    for at in at.iter().rev() {
        let at = usize::try_from(*at).unwrap_or(usize::MAX);
        target.splice(at..at + old.len(), new.iter().copied());
    }
    Ok(at.len())
}

/// Where a prefix stands in a file as a whole path.
pub(super) fn find(path: &std::path::Path, old: &[u8], new: &[u8], sure: bool) -> io::Result<Option<Places>> {
    let file = File::open(path)?;
    let found = Needles::new(old, &[]).look(&file, |_| {})?;
    let mut around = vec![0; old.len().max(new.len()) + OPTION + 4];
    let mut is_whole_at = |at: u64| -> io::Result<bool> {
        let start = at.saturating_sub(OPTION as u64 + 1);
        let mut filled = 0;
        while filled < around.len() {
            match file.read_at(&mut around[filled..], start + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(is_whole(&around[..filled], at - start, old, new, sure))
    };
    let mut keep = |places: Vec<u64>| -> io::Result<Vec<u64>> {
        let mut kept = Vec::new();
        for at in places {
            if is_whole_at(at)? {
                kept.push(at);
            }
        }
        Ok(kept)
    };
    Ok(match found.places {
        None => None,
        Some(Places::Text(at)) => Some(keep(at)?).filter(|at| !at.is_empty()).map(Places::Text),
        Some(Places::Binary(words)) => {
            let mut kept = Vec::new();
            for Words { at, end } in words {
                let at = keep(at)?;
                if !at.is_empty() {
                    kept.push(Words { at, end });
                }
            }
            Some(kept).filter(|kept| !kept.is_empty()).map(Places::Binary)
        }
    })
}

/// Whether the text that stands at this place is a path of its own, and not the beginning, end or middle of another
/// name. When it is not `sure` that nobody wrote the new path already, that is left alone, too.
fn is_whole(text: &[u8], at: u64, old: &[u8], new: &[u8], sure: bool) -> bool {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    let ends = |length: usize| !text.get(at + length).is_some_and(is_of_name) || is_sentence_end(text, at + length);
    let is_new = !sure && new.starts_with(old) && text[at..].starts_with(new) && ends(new.len());
    begins(&text[..at]) && ends(old.len()) && !is_new
}

/// Whether a path can begin after this text: `-I` and `file://` may stand right before one, `/data` may not.
fn begins(before: &[u8]) -> bool {
    let word = before.iter().rev().take(OPTION).take_while(|byte| is_of_name(byte)).count();
    match before.last() {
        Some(b'/') => before.ends_with(b"://"),
        _ if word == 0 => true,
        _ => before[before.len() - word] == b'-' && !before[..before.len() - word].ends_with(b"/"),
    }
}

/// The longest option that is looked for before a path, in bytes.
const OPTION: usize = 16;

fn is_of_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.+~".contains(byte)
}

/// A full stop that no name follows.
fn is_sentence_end(text: &[u8], at: usize) -> bool {
    text.get(at) == Some(&b'.') && text.get(at + 1).is_none_or(|it| it.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn only_whole_paths_count() {
        for (text, good) in [
            ("/opt/env", true),
            ("prefix=/opt/env/bin", true),
            ("\"/opt/env\"", true),
            ("-I/opt/env/include -L x", true),
            ("x -Wl,-rpath,/opt/env/lib", true),
            ("\"url\": \"file:///opt/env/x\"", true),
            ("/a/-I/opt/env/include", false),
            ("/opt/env:/opt", true),
            ("see /opt/env. More", true),
            ("/opt/env.d", false),
            ("/opt/env2", false),
            ("/opt/env-old/bin", false),
            ("/data/opt/env", false),
        ] {
            let at = text.find("/opt/env").unwrap() as u64;
            assert_eq!(is_whole(text.as_bytes(), at, b"/opt/env", b"/n", true), good, "{text}");
        }
        assert!(is_whole(b"/opt/env/new", 0, b"/opt/env", b"/opt/env/new", true));
        assert!(!is_whole(b"/opt/env/new", 0, b"/opt/env", b"/opt/env/new", false));
        assert!(is_whole(b"/opt/env/newer", 0, b"/opt/env", b"/opt/env/new", false));
    }
}
