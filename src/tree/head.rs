//! What every archive begins with: the files below `conda-meta/envbuild` that say where the prefix stands and what is in
//! the rest.
//!
//! The lists `text`, `binary` and `links` are names that each end with a NUL byte, so that the shell script can hand them
//! to `xargs -0` and names may hold any byte. `places` and `files` have a record before each name, up to a space.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::place::{Mode, Places};
use crate::base::{Digest, FsError, fs};

/// The folder of our own files in an environment.
pub const FOLDER: &str = "conda-meta/envbuild";
/// The JSON file that says what there is to know: a [`Header`].
pub const HEADER: &str = "conda-meta/envbuild/relocate.json";
/// What the environment needs of a machine.
pub const NEEDS: &str = "conda-meta/envbuild/needs.json";
/// A digest of every file: [`Digests`].
pub const FILES: &str = "conda-meta/envbuild/files";
/// Where the prefix stands in each file that holds it.
pub const PLACES: &str = "conda-meta/envbuild/places";
/// The binary files that hold the prefix.
pub const BINARY: &str = "conda-meta/envbuild/binary";
/// The symbolic links whose targets hold it: name and canonical target in turn.
pub const LINKS: &str = "conda-meta/envbuild/links";
/// The text files that hold it.
pub const TEXT: &str = "conda-meta/envbuild/text";
/// Holds the prefix that all files name, and a line break; without it they name what [`Header::prefix`] says.
pub const MARKER: &str = "conda-meta/envbuild/prefix";
/// Stands in the marker's place while the prefix is being written into the files: a line with the new one, and one for
/// each that files may still name. Without the others it is what [`Header::prefix`] says.
pub const PART: &str = "conda-meta/envbuild/prefix.part";
/// How often the prefix stands in all files of [`TEXT`], and in those of [`BINARY`]: a line each, for the shell script.
pub const COUNTS: &str = "conda-meta/envbuild/counts";
/// The entries with which every archive begins, in this order; the first two are folders.
pub const HEAD: [&str; 9] = ["conda-meta", FOLDER, HEADER, NEEDS, FILES, PLACES, BINARY, LINKS, TEXT];
/// The format of all this; a reader refuses any other.
pub const FORMAT: u64 = 2;

/// The JSON file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u64,
    /// The text that stands for the prefix in the canonical form of every file.
    pub placeholder: String,
    /// The text that stands for it in this archive: the placeholder, or the path for which the archive was made.
    pub prefix: String,
    /// The environment's name, if somebody has given it one; that of a prefix's folder is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The platform that it is for, such as `linux-64`.
    pub platform: String,
    /// What the archive holds.
    pub holds: Counts,
    /// The digest of the list of digests, which names the tree.
    pub tree: Digest,
    /// The tree on which an update builds: such an archive holds only what that tree does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Digest>,
}

impl Header {
    /// What an environment that came from an archive says of itself; nothing of a folder that did not, or that says it in
    /// another format.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn of_environment(prefix: &Path) -> Result<Option<Self>, FsError> {
        let bytes = fs::read_if_there(&prefix.join(HEADER))?;
        let header = bytes.and_then(|it| serde_json::from_slice::<Self>(&it).ok());
        Ok(header.filter(|it| it.format == FORMAT))
    }

    /// As the file that stands in an archive.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("strings and numbers are always JSON");
        bytes.push(b'\n');
        bytes
    }
}

/// How much an archive holds, all in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Files, folders and links, without the two files that cannot count themselves.
    pub entries: u64,
    /// The bytes of all of those files in their canonical form.
    pub bytes: u64,
}

/// Where the prefix stands in a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relocation {
    /// The files that hold it.
    pub places: BTreeMap<Vec<u8>, Places>,
    /// The symbolic links whose targets hold it, with their canonical targets.
    pub links: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Relocation {
    /// The names of all files and links that change with the prefix.
    pub fn names(&self) -> BTreeSet<&[u8]> {
        self.places.keys().chain(self.links.keys()).map(Vec::as_slice).collect()
    }

    /// One list of names.
    pub fn files_in(&self, mode: Mode) -> Vec<u8> {
        join(self.places.iter().filter(|(_, places)| places.mode() == mode).map(|(name, _)| name.as_slice()))
    }

    /// How often the prefix stands in all text files, and in all binary files; a line each.
    pub fn counts(&self) -> Vec<u8> {
        let count = |mode| -> usize { self.places.values().filter(|it| it.mode() == mode).map(Places::count).sum() };
        format!("{}\n{}\n", count(Mode::Text), count(Mode::Binary)).into_bytes()
    }

    /// The list of links: name and target in turn.
    pub fn links_list(&self) -> Vec<u8> {
        join(self.links.iter().flat_map(|(name, target)| [name.as_slice(), target.as_slice()]))
    }

    /// The list of places.
    pub fn places_list(&self) -> Vec<u8> {
        let one = |(name, places): (&Vec<u8>, &Places)| [places.to_line().as_bytes(), b" ", name, b"\0"].concat();
        self.places.iter().flat_map(one).collect()
    }

    /// Reads two of the lists; `text` and `binary` say nothing more. Nothing when one is malformed or names what is not
    /// among `files`.
    pub fn parse(places: &[u8], links: &[u8], canonical: usize, files: &Digests) -> Option<Self> {
        let mut relocation = Self::default();
        for record in split(places)? {
            let (line, name) = first_word(record)?;
            let of = files.0.get(name).filter(|it| matches!(it.kind, 'F' | 'X'))?;
            let places = Places::from_line(line, canonical, of.size)?;
            if relocation.places.insert(name.to_vec(), places).is_some() {
                return None;
            }
        }
        let links = split(links)?;
        if links.len() % 2 != 0 {
            return None;
        }
        for pair in links.chunks(2) {
            files.0.get(pair[0]).filter(|it| it.kind == 'L')?;
            if relocation.links.insert(pair[0].to_vec(), pair[1].to_vec()).is_some() {
                return None;
            }
        }
        Some(relocation)
    }
}

/// What stands before a name in the list of digests, and the NUL byte after it: so many bytes at most.
const LONGEST_RECORD: usize = "F".len() + 64 + ":18446744073709551615 ".len() + 1;

/// A digest of every entry of a tree in its canonical form, by name: all but [`HEADER`] and the list itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digests(pub BTreeMap<Vec<u8>, DigestOf>);

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestOf {
    /// `F` for a file, `X` for an executable one, `L` for a link, `D` for a folder.
    pub kind: char,
    /// The digest of the content or of the link's target; that of nothing for a folder.
    pub digest: Digest,
    /// The length of the content or the target, in bytes.
    pub size: u64,
}

impl Digests {
    /// As the list that stands in an archive.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut list = Vec::with_capacity(self.0.keys().map(|name| name.len() + LONGEST_RECORD).sum());
        for (name, of) in &self.0 {
            write!(list, "{}{}:{} ", of.kind, of.digest, of.size).expect("memory can be written");
            list.extend_from_slice(name);
            list.push(0);
        }
        list
    }

    /// Reads the list; nothing when it is malformed.
    pub fn parse(list: &[u8]) -> Option<Self> {
        let mut all = BTreeMap::new();
        for record in split(list)? {
            let (word, name) = first_word(record)?;
            let (kind, rest) = word.split_at_checked(1)?;
            let kind = kind.chars().next().filter(|kind| "FXLD".contains(*kind))?;
            let (digest, size) = rest.split_once(':')?;
            let of = DigestOf { kind, digest: digest.parse().ok()?, size: size.parse().ok()? };
            if name.is_empty() || all.insert(name.to_vec(), of).is_some() {
                return None;
            }
        }
        Some(Self(all))
    }

    /// What it counts.
    pub fn counts(&self) -> Counts {
        let files = self.0.values().filter(|of| matches!(of.kind, 'F' | 'X'));
        Counts { entries: self.0.len() as u64, bytes: files.fold(0, |sum, of| sum.saturating_add(of.size)) }
    }
}

fn join<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    names.flat_map(|name| name.iter().copied().chain([0])).collect()
}

fn split(list: &[u8]) -> Option<Vec<&[u8]>> {
    let Some(list) = list.strip_suffix(&[0]) else {
        return list.is_empty().then(Vec::new);
    };
    Some(list.split(|byte| *byte == 0).collect())
}

/// What stands before the first space, and what stands after it.
fn first_word(record: &[u8]) -> Option<(&str, &[u8])> {
    let space = record.iter().position(|byte| *byte == b' ')?;
    Some((std::str::from_utf8(&record[..space]).ok()?, &record[space + 1..]))
}

#[cfg(test)]
mod tests {
    use super::{DigestOf, Digests, Relocation};
    use crate::{base::Digest, tree::Places};

    #[test]
    fn lists_are_read_as_they_were_written() {
        let of = |kind, size| DigestOf { kind, digest: Digest::of([kind as u8]), size };
        let files = Digests(
            [(&b"a b\xff"[..], of('F', 100)), (b"c\nd", of('X', 90)), (b"l", of('L', 8)), (b"d", of('D', 0))]
                .map(|(name, of)| (name.to_vec(), of))
                .into(),
        );
        assert_eq!(Digests::parse(&files.to_bytes()), Some(files.clone()));
        assert_eq!((files.counts().entries, files.counts().bytes), (4, 190));
        let mut relocation = Relocation::default();
        relocation.places.insert(b"a b\xff".to_vec(), Places::Text(vec![1, 50]));
        relocation.links.insert(b"l".to_vec(), b"/ph/x y".to_vec());
        let read = |files| Relocation::parse(&relocation.places_list(), &relocation.links_list(), 40, files);
        assert_eq!(read(&files), Some(relocation.clone()));
        assert_eq!(read(&Digests::default()), None, "names what is not there");
        for bad in [&b"x"[..], b"F00:1 a\0", b"\0", b" a\0"] {
            assert_eq!(Digests::parse(bad), None);
        }
    }
}
