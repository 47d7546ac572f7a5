//! The layers of an archive: a zip of stored members, two of which are compressed tar files.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use tar::EntryType;
use zip::{ZipArchive, read::ZipFile};

use super::CondaError;
use crate::base::FsError;

/// Where conda looks for a package's name, version and build string.
const INDEX: &str = "info/index.json";

/// The files of `info` in which a package names itself by its full build string: in the index, in what it exports when
/// that is an exact pin, in the variant that such a pin is part of, and in what its tests need. Other files may hold the
/// same text by chance or because a script wrote it; those belong to the content.
const NAMING: &[&str] = &[INDEX, "info/run_exports.json", "info/hash_input.json", "info/tests/tests.yaml"];

/// An open archive.
pub(super) struct Archive {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
}

/// The members of an archive, in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    /// `metadata.json`, the version of the format.
    Metadata,
    /// `pkg-NAME.tar.zst`, the files that are installed.
    Pkg,
    /// `info-NAME.tar.zst`, what is known of them.
    Info,
}

impl Member {
    pub(super) const ALL: [Self; 3] = [Self::Metadata, Self::Pkg, Self::Info];

    /// The member's name in the archive of this stem.
    pub(super) fn name(self, stem: &str) -> String {
        match self {
            Self::Metadata => "metadata.json".to_owned(),
            Self::Pkg => format!("pkg-{stem}.tar.zst"),
            Self::Info => format!("info-{stem}.tar.zst"),
        }
    }

    fn is(self, name: &str) -> bool {
        let within = |start: &str| name.starts_with(start) && name.ends_with(".tar.zst");
        match self {
            Self::Metadata => name == "metadata.json",
            Self::Pkg => within("pkg-"),
            Self::Info => within("info-"),
        }
    }
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self, CondaError> {
        let file = File::open(path).map_err(|source| FsError::new("read", path, source))?;
        let bad = |error| CondaError::Archive { path: path.to_owned(), reason: format!("{error}") };
        Ok(Self { zip: ZipArchive::new(BufReader::new(file)).map_err(bad)?, path: path.to_owned() })
    }

    /// The error for whatever is wrong with it.
    pub(super) fn bad(&self, reason: impl ToString) -> CondaError {
        CondaError::Archive { path: self.path.clone(), reason: reason.to_string() }
    }

    /// A member as it is stored. Its checksum is compared when it is read to its end.
    pub(super) fn member(&mut self, member: Member) -> Result<ZipFile<'_, BufReader<File>>, CondaError> {
        let number = self.zip.file_names().position(|name| name.is_ok_and(|name| member.is(&name)));
        let bad = |reason: String| CondaError::Archive { path: self.path.clone(), reason };
        let number = number.ok_or_else(|| bad(format!("it holds no {}", member.name("NAME"))))?;
        self.zip.by_index(number).map_err(|error| bad(error.to_string()))
    }

    /// Calls `visit` with every entry of a compressed member, in its order.
    pub(super) fn entries(
        &mut self,
        member: Member,
        visit: impl FnMut(Entry<'_>) -> io::Result<()>,
    ) -> Result<(), CondaError> {
        let path = self.path.clone();
        let stored = self.member(member)?;
        let walked = zstd::Decoder::new(stored).and_then(|tar| each_entry(tar, visit));
        walked.map_err(|error| CondaError::Archive { path, reason: error.to_string() })
    }

    /// The tar file of `info`, with one build string in the place of another wherever the package names itself.
    pub(super) fn info(&mut self, old: &str, new: &str) -> Result<Vec<u8>, CondaError> {
        let mut tar = tar::Builder::new(Vec::new());
        self.entries(Member::Info, |Entry { path, link, mut header, bytes }| {
            if let Some(target) = link {
                return tar.append_link(&mut header, path, target);
            }
            if !NAMING.iter().any(|it| path == Path::new(it)) {
                return tar.append_data(&mut header, path, bytes);
            }
            let mut text = String::new();
            bytes.read_to_string(&mut text)?;
            let text = text.replace(old, new);
            header.set_size(text.len() as u64);
            tar.append_data(&mut header, path, text.as_bytes())
        })?;
        tar.into_inner().map_err(|error| self.bad(error))
    }

    /// The build string in the package's index.
    pub(super) fn build(&mut self) -> Result<String, CondaError> {
        let mut found = None;
        self.entries(Member::Info, |entry| {
            if entry.path == Path::new(INDEX) {
                let index: serde_json::Value = serde_json::from_reader(entry.bytes)?;
                found = index["build"].as_str().map(str::to_owned);
            }
            Ok(())
        })?;
        found.ok_or_else(|| self.bad(format!("it holds no {INDEX} with a build string")))
    }
}

/// Calls `visit` with every entry of a tar file, in its order, and reads it to its end.
pub(super) fn each_entry(tar: impl Read, mut visit: impl FnMut(Entry<'_>) -> io::Result<()>) -> io::Result<()> {
    let mut tar = tar::Archive::new(tar);
    for entry in tar.entries()? {
        let mut entry = entry?;
        let header = entry.header().clone();
        let path = entry.path()?.into_owned();
        let link = entry.link_name()?.map(|it| it.into_owned());
        visit(Entry { path, link, header, bytes: &mut entry })?;
    }
    // What was compressed has a checksum behind the last file.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map(drop)
}

/// An entry of a tar file.
pub(super) struct Entry<'a> {
    pub(super) path: PathBuf,
    pub(super) link: Option<PathBuf>,
    pub(super) header: tar::Header,
    pub(super) bytes: &'a mut dyn Read,
}

impl Entry<'_> {
    /// What kind of file it is, in a word.
    pub(super) fn kind(&self) -> &'static str {
        match self.header.entry_type() {
            EntryType::Regular | EntryType::Continuous => "file",
            EntryType::Directory => "folder",
            EntryType::Symlink => "symbolic link",
            EntryType::Link => "hard link",
            _ => "special file",
        }
    }
}
