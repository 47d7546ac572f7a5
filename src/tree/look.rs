//! One pass over all files of a tree: digests, and where the prefix stands.

use std::{collections::BTreeMap, io, sync::Arc};

use rayon::prelude::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::{
    content::Content,
    entries::{Entries, Entry, File},
    error::TreeError,
    find::{Found, Needles},
    place::Places,
    seen::{Seeing, Spare},
};
use crate::base::Digest;

/// What one file or link holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The blake3 digest of a file's content or of a link's target.
    pub digest: Digest,
    /// The length of it, in bytes.
    pub size: u64,
    /// Where the placeholder stands.
    pub places: Option<Places>,
    /// Whether one of the other texts stands in it.
    pub other: bool,
}

/// Looks through the files and links that `which` selects, in parallel, and gives what they hold by their names. Files of
/// which all this is known already are not read.
///
/// # Errors
/// When a file cannot be read, or changed meanwhile.
pub fn look(
    entries: &Entries,
    needles: &Needles<'_>,
    which: impl Fn(&[u8]) -> bool,
) -> Result<BTreeMap<Vec<u8>, Look>, TreeError> {
    let mut selected: Vec<(&Vec<u8>, &Entry)> =
        entries.iter().filter(|(name, entry)| **entry != Entry::Folder && which(name)).collect();
    // The largest first, so that none is begun when all others are done.
    let size = |entry: &Entry| match entry {
        Entry::File(File { content, .. }) => content.size(),
        _ => 0,
    };
    selected.sort_by_key(|(_, entry)| std::cmp::Reverse(size(entry)));
    let one = |(name, entry): (&Vec<u8>, &Entry)| Ok((name.clone(), look_at(entry, needles)?));
    let all: Result<Vec<_>, TreeError> = selected.into_par_iter().with_max_len(8).map(one).collect();
    Ok(all?.into_iter().collect())
}

/// Reads the files on disk whose prefix stays as it is, in parallel, and notes what is seen in them.
///
/// # Errors
/// As for [`look`].
pub fn see(entries: &mut Entries, needles: &Needles<'_>) -> Result<(), TreeError> {
    let texts: Arc<[Vec<u8>]> = needles.texts().map(<[u8]>::to_vec).collect();
    let mut files: Vec<&mut Content> = entries
        .values_mut()
        .filter_map(|entry| match entry {
            Entry::File(File { content, .. }) if content.on_disk().is_some() => Some(content),
            _ => None,
        })
        .collect();
    files.sort_by_key(|content| std::cmp::Reverse(content.size()));
    let spare = Spare::beside(files.len());
    files.into_par_iter().with_max_len(8).try_for_each(|content| {
        let mut seeing = Seeing::begin(content.size(), &spare);
        let mut reader = content.open()?;
        let found = needles.look(&mut reader, |piece| seeing.see(piece));
        let Found { places, other, .. } = found.map_err(|error| changed(content, error))?;
        let absent = if places.is_none() && !other { Arc::clone(&texts) } else { [].into() };
        let seen = seeing.done(absent).by(&reader);
        content.note(Arc::new(seen));
        Ok(())
    })
}

/// What is known already, when it answers everything.
fn known(content: &Content, needles: &Needles<'_>) -> Option<Look> {
    content.on_disk()?;
    let seen = content.seen().filter(|seen| needles.texts().all(|text| seen.lacks(text)))?;
    Some(Look { digest: seen.digest, size: content.size(), places: None, other: false })
}

fn look_at(entry: &Entry, needles: &Needles<'_>) -> Result<Look, TreeError> {
    if let Entry::File(File { content, .. }) = entry
        && let Some(look) = known(content, needles)
    {
        return Ok(look);
    }
    let mut hasher = blake3::Hasher::new();
    let mut see = |piece: &[u8]| {
        hasher.update(piece);
    };
    let Found { places, other, size } = match entry {
        Entry::Folder => Found::default(),
        Entry::Link(target) => needles.look(target.as_slice(), &mut see).expect("memory can be read"),
        Entry::File(File { content, .. }) => {
            needles.look(content.open()?, &mut see).map_err(|error| changed(content, error))?
        }
    };
    Ok(Look { digest: hasher.into(), size, places, other })
}

fn changed(content: &Content, error: io::Error) -> TreeError {
    match (error.kind(), content.path()) {
        (io::ErrorKind::InvalidData, Some(path)) => TreeError::Changed(path.to_owned()),
        _ => content.fault(error).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{look, see};
    use crate::tree::{Entry, File, Needles, TreeError, list};

    #[test]
    fn what_was_seen_is_not_read_again_unless_something_else_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let large = |text: &str| format!("{text:20000}");
        for (name, bytes) in [("plain", "nothing"), ("link", "/opt/held/lib"), ("other", "see /build/x")] {
            fs::write(folder.path().join(name), large(bytes)).unwrap();
        }
        fs::write(folder.path().join("small"), "tiny").unwrap();
        let mut entries = list(folder.path(), |_| false).unwrap();
        let others = [b"/build".to_vec()];
        let needles = Needles::new(b"/opt/held", &others);
        let before = look(&entries, &needles, |_| true).unwrap();
        see(&mut entries, &needles).unwrap();
        assert_eq!(look(&entries, &needles, |_| true).unwrap(), before);
        assert!(before[&b"other"[..]].other && before[&b"link"[..]].places.is_some());

        fs::remove_file(folder.path().join("plain")).unwrap();
        fs::remove_file(folder.path().join("small")).unwrap();
        assert_eq!(look(&entries, &needles, |_| true).unwrap(), before, "it is known");
        let wider = Needles::new(b"/opt", &others);
        assert!(matches!(look(&entries, &wider, |_| true), Err(TreeError::File(_))), "it has to be read");

        let link = folder.path().join("link");
        let Some(Entry::File(File { content, .. })) = entries.get(&b"link"[..]) else { panic!("it is a file") };
        let read = || std::io::copy(&mut content.open().unwrap(), &mut std::io::sink());
        assert_eq!(read().unwrap(), 20000);
        fs::write(&link, large("/opt/HELD/lib")).unwrap();
        fs::File::open(&link).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(read().unwrap_err().kind(), std::io::ErrorKind::InvalidData, "it was changed since");

        let Some(Entry::File(File { content, .. })) = entries.get(&b"small"[..]) else { panic!("it is a file") };
        assert_eq!(std::io::read_to_string(content.open().unwrap()).unwrap(), "tiny", "it was kept");
    }
}
