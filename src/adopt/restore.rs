//! Where in one file the prefix is to become the placeholder, and how much room there is for it.
//!
//! A file of a package that is as its record says is turned back exactly: with the package's own placeholder it has the
//! digest that the package gives it. In other files the prefix counts where it is a whole path.

use std::sync::Arc;

use rattler_conda_types::package::FileMode;
use rattler_digest::{HashingWriter, Sha256, Sha256Hash};

use super::{
    records::Claim,
    scan::{Hit, Scan, Text},
    shebang,
    spelling::{Before, Spellings},
};
use crate::{
    base::FsError,
    tree::{Content, Edit, Splices},
};

/// What there is to replace in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fix {
    /// Nothing.
    None,
    /// Places in a text, which may change its length.
    Text(Vec<Hit>),
    /// Strings, which may not.
    Strings(Vec<Room>),
}

/// A string of a binary file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) text: Text,
    /// How long a prefix may be that takes the place of the one there, in bytes; 0 when none may.
    pub(super) room: usize,
    /// Whether it is the package's own placeholder that had this length.
    pub(super) of_package: bool,
}

/// Whether a file is as its record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is, or its record does not say.
    Same,
    /// It is not.
    Changed,
}

/// One file, as it was read.
pub(super) struct Looked<'a> {
    pub(super) content: &'a Content,
    pub(super) scan: &'a Scan,
    pub(super) spellings: &'a Spellings,
}

impl Looked<'_> {
    /// What the file's claim makes of it.
    ///
    /// # Errors
    /// When the file cannot be read a second time.
    pub(super) fn judge(&self, claim: Option<&Claim<'_>>) -> Result<(State, Fix), FsError> {
        let entry = claim.and_then(|it| it.entry);
        // What installers make themselves, as they do entry points, has a digest with the prefix in it.
        let (original, made) = match claim {
            Some(claim) if claim.is_file() => (entry.and_then(|it| it.sha256), None),
            _ => (None, entry.and_then(|it| it.sha256)),
        };
        let recorded = entry.and_then(|it| it.sha256_in_prefix).or(made);
        let placeholder = claim.and_then(Claim::placeholder);
        let found = self.scan.sha256;
        let Some((placeholder, mode)) = placeholder else {
            if original == Some(found) {
                // Whatever stands in it is the package's own, even if it looks like this prefix.
                return Ok((State::Same, Fix::None));
            }
            let same = recorded.is_some_and(|it| it == found) || (recorded.is_none() && original.is_none());
            return Ok((if same { State::Same } else { State::Changed }, self.whole_paths(None)));
        };
        for fix in self.ways_back(placeholder, mode) {
            if original.is_some_and(|it| self.gives(&fix, placeholder.as_bytes(), it)) {
                return Ok((State::Same, fix));
            }
        }
        let unchanged = recorded.map_or(original.is_none() && entry.is_some(), |it| it == found);
        if unchanged {
            let mut fix = self.ways_back(placeholder, mode).into_iter().next().unwrap_or(Fix::None);
            // An installer wrote it that replaces more than what is known here, as prefixes in wide characters. (What is
            // for macOS is signed anew.) A package may also give no digest to compare with.
            if let Fix::Strings(strings) = &mut fix
                && original.is_some()
                && self.scan.beginning.starts_with(b"\x7fELF")
            {
                strings.push(Room { text: Text::default(), room: 0, of_package: true });
            }
            return Ok((State::Same, fix));
        }
        if self.gives_with_short_line(placeholder, original)? {
            return Ok((State::Same, Fix::Text(self.hits(|_| true))));
        }
        Ok((State::Changed, self.whole_paths(Some((placeholder, mode)))))
    }

    /// How the package's own file may come out of this one: everything that could be the placeholder, or whole paths
    /// only.
    fn ways_back(&self, placeholder: &str, mode: FileMode) -> Vec<Fix> {
        let (all, whole): (Fix, Fix) = match mode {
            FileMode::Text => (Fix::Text(self.hits(|_| true)), Fix::Text(self.hits(|it| is_whole(it, false)))),
            FileMode::Binary => {
                let strings = |wanted: &dyn Fn(&Hit) -> bool| {
                    let of = |text| self.with_room(text, placeholder.len(), wanted);
                    Fix::Strings(self.scan.strings.iter().filter_map(of).collect())
                };
                (strings(&|_| true), strings(&|it| is_whole(it, true)))
            }
        };
        if all == whole { vec![all] } else { vec![all, whole] }
    }

    /// A string that was padded for a placeholder of this length, with the places that are wanted.
    fn with_room(&self, text: &Text, room: usize, wanted: impl Fn(&Hit) -> bool) -> Option<Room> {
        let hits: Vec<Hit> = text.hits.iter().filter(|it| wanted(it)).copied().collect();
        let text = Text { hits, ..text.clone() };
        let padding = self.padding(&text, room)?;
        // The string's own NUL byte comes after the padding; at the end of a file there need be none.
        (!text.hits.is_empty() && text.zeros >= padding).then_some(Room { text, room, of_package: true })
    }

    /// How many NUL bytes make up for the prefixes' being shorter than the room.
    fn padding(&self, text: &Text, room: usize) -> Option<u64> {
        let one = |hit: &Hit| room.checked_sub(self.spellings.0[hit.spelling].len());
        let all: Option<Vec<usize>> = text.hits.iter().map(one).collect();
        Some(all?.into_iter().sum::<usize>() as u64)
    }

    /// The whole paths of a file of which nothing is known, or only that it was once a package's.
    fn whole_paths(&self, package: Option<(&str, FileMode)>) -> Fix {
        if self.scan.strings.is_empty() {
            return Fix::None;
        }
        if !self.scan.nul {
            return Fix::Text(self.hits(|it| is_whole(it, false)));
        }
        let of_package = |text: &Text| {
            let (placeholder, mode) = package?;
            let room = self.with_room(text, placeholder.len(), |it| is_whole(it, true))?;
            // One NUL byte more ends the string; as many as that are there only when they were put there.
            let enough = self.padding(&room.text, room.room).is_some_and(|it| room.text.zeros > it);
            (mode == FileMode::Binary && enough).then_some(room)
        };
        // In programs and libraries strings end with a NUL byte. Other formats keep lengths of their own, and would be
        // damaged.
        let has_ends = [&b"\x7fELF"[..], b"!<arch>\n"].iter().any(|it| self.scan.beginning.starts_with(it));
        let own = |text: &Text| {
            let hits: Vec<Hit> = text.hits.iter().filter(|it| is_whole(it, true)).copied().collect();
            // All prefixes of a string become one and the same, so the shortest counts.
            let room = hits.iter().map(|it| self.spellings.0[it.spelling].len()).min()?;
            let room = if has_ends { room } else { 0 };
            Some(Room { text: Text { hits, ..text.clone() }, room, of_package: false })
        };
        Fix::Strings(self.scan.strings.iter().filter_map(|it| of_package(it).or_else(|| own(it))).collect())
    }

    fn hits(&self, wanted: impl Fn(&Hit) -> bool) -> Vec<Hit> {
        self.scan.strings.iter().flat_map(|it| &it.hits).filter(|it| wanted(it)).copied().collect()
    }

    /// Whether the file with another prefix has this digest.
    fn gives(&self, fix: &Fix, to: &[u8], digest: Sha256Hash) -> bool {
        let content = self.content.clone().spliced(fix.splices(self.spellings, to, None));
        sha256(&content).is_ok_and(|it| it == digest)
    }

    /// The same for a text whose first line an installer has made longer.
    fn gives_with_short_line(&self, placeholder: &str, digest: Option<Sha256Hash>) -> Result<bool, FsError> {
        let Some(digest) = digest.filter(|_| !self.scan.nul) else { return Ok(false) };
        let placeholder = placeholder.as_bytes();
        let Some((length, line)) = shebang::short_form(&self.scan.beginning, placeholder) else { return Ok(false) };
        let Some(old) = self.scan.beginning.get(..length) else { return Ok(false) };
        let mut edits = vec![Edit::Text { at: 0, old: Arc::from(old), new: Arc::from(line) }];
        let rest = self.hits(|it| it.at >= length as u64);
        edits.extend(rest.iter().map(|hit| self.edit(hit, &Arc::from(placeholder))));
        let content = self.content.clone().spliced(Splices::of_edits(edits));
        sha256(&content).map(|it| it == digest).map_err(|error| self.content.fault(error))
    }

    fn edit(&self, hit: &Hit, to: &Arc<[u8]>) -> Edit {
        Edit::Text { at: hit.at, old: Arc::clone(&self.spellings.0[hit.spelling]), new: Arc::clone(to) }
    }
}

/// Whether a place names the prefix as a whole path. In a binary file a letter before it may be the string's length.
fn is_whole(hit: &Hit, binary: bool) -> bool {
    hit.whole && (hit.before == Before::Free || (binary && hit.before == Before::Glued))
}

impl Fix {
    /// What turns the file as it is into one that names `to`. Strings with less room than that stay as they are.
    /// `script` is the beginning of the file, if its first line may have to become a longer form.
    pub(super) fn splices(&self, spellings: &Spellings, to: &[u8], script: Option<&[u8]>) -> Splices {
        let to: Arc<[u8]> = Arc::from(to);
        let edit =
            |hit: &Hit| Edit::Text { at: hit.at, old: Arc::clone(&spellings.0[hit.spelling]), new: Arc::clone(&to) };
        let mut edits = Vec::new();
        match self {
            Self::None => {}
            Self::Text(hits) => {
                let line = script.and_then(|beginning| first_line(beginning, hits, spellings, &to));
                let end = line.as_ref().map_or(0, |(old, _)| old.len() as u64);
                edits.extend(line.map(|(old, new)| Edit::Text { at: 0, old: Arc::from(old), new: Arc::from(new) }));
                edits.extend(hits.iter().filter(|it| it.at >= end).map(edit));
            }
            Self::Strings(strings) => {
                for Room { text, room, .. } in strings.iter().filter(|it| it.room >= to.len()) {
                    let now: usize = text.hits.iter().map(|it| spellings.0[it.spelling].len()).sum();
                    let padded = (text.hits.len() * room).saturating_sub(now);
                    // The room of a string of no package is that of its shortest spelling; the file keeps its length.
                    let old = (padded as u64).min(text.zeros);
                    let new = (now as u64 + old).saturating_sub((text.hits.len() * to.len()) as u64);
                    edits.extend(text.hits.iter().map(edit));
                    edits.push(Edit::Zeros { at: text.end, old, new });
                }
            }
        }
        Splices::of_edits(edits)
    }

    /// How long a prefix those strings have room for that have any, in bytes; nothing for texts.
    pub(super) fn room(&self, of_package: bool) -> Option<usize> {
        let Self::Strings(strings) = self else { return None };
        strings.iter().filter(|it| it.of_package == of_package && it.room > 0).map(|it| it.room).min()
    }
}

/// The first line of a script as it is and as it is to be, when another prefix makes it too long.
fn first_line(beginning: &[u8], hits: &[Hit], spellings: &Spellings, to: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let end = beginning.iter().position(|byte| *byte == b'\n')?;
    let line = beginning.strip_prefix(b"#!").map(|_| &beginning[..end])?;
    let mut new = Vec::new();
    let mut at = 0;
    for hit in hits {
        let from = usize::try_from(hit.at).ok()?;
        if from >= end {
            break;
        }
        new.extend_from_slice(&line[at..from]);
        new.extend_from_slice(to);
        at = from + spellings.0[hit.spelling].len();
    }
    new.extend_from_slice(line.get(at..)?);
    let long = (at > 0).then(|| shebang::long_form(&new)).flatten()?;
    Some((line.to_vec(), long))
}

fn sha256(content: &Content) -> std::io::Result<Sha256Hash> {
    let mut reader = content.open().map_err(|error| std::io::Error::new(error.kind(), error))?;
    let mut hasher = HashingWriter::<_, Sha256>::new(std::io::sink());
    std::io::copy(&mut reader, &mut hasher)?;
    Ok(hasher.finalize().1)
}
