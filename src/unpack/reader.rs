//! Reads an archive in whatever format, entry by entry, as if the environment stood at its root.

use std::{ffi::OsStr, io, os::unix::ffi::OsStrExt as _, path::Path};

use super::{
    error::UnpackError,
    head::{Content, Head, Strange},
};
use crate::{
    archive::{self, Fault, Format, Kind, Limits, Member, Source},
    base::fs,
    tree::{FOLDER, HEAD, HEADER},
};

/// How long all lists together may be, in bytes: they are held in memory. A tree of half a million files has 60 MB.
const LONGEST_LISTS: u64 = 96 << 20;

/// The head bounds what may come; before it is read, this does.
const LIMITS: Limits = Limits { entries: 1 << 23, bytes: u64::MAX };

/// An archive that is open.
pub(super) struct Reader<'a> {
    archive: &'a Path,
    source: Box<dyn Source>,
    /// The folder in which the environment stands, with a slash at its end, or nothing.
    root: Vec<u8>,
    /// The first folder has been read, to find out where it stands, and was not given yet.
    pending: bool,
    nothing: io::Empty,
}

impl<'a> Reader<'a> {
    /// Opens an archive and finds out where in it the environment stands.
    ///
    /// # Errors
    /// When it is none of ours.
    pub(super) fn open(archive: &'a Path) -> Result<Self, UnpackError> {
        // Whatever is wrong here, most likely the file is something else.
        let strange = |fault: Fault| match fault {
            Fault::File(error) => error.into(),
            Fault::Parts(_) => of_fault(archive, fault),
            other => Strange::Reason(other.to_string()).about(archive),
        };
        if matches!(archive::format_of(archive), Ok(Format::Zip | Format::Squashfs | Format::Folder)) {
            // There is an index: what stands first must be asked for by its whole name.
            let mut source = archive::open(archive, &[], LIMITS).map_err(strange)?;
            let root = loop {
                let Some(Member { name, .. }) = source.next().map_err(strange)? else {
                    return Err(Strange::Reason(format!("it holds no `{HEADER}`")).about(archive));
                };
                let root = name.strip_suffix(HEADER.as_bytes());
                if let Some(root) = root.filter(|root| root.is_empty() || root.ends_with(b"/")) {
                    break root.to_vec();
                }
            };
            require_alone(archive, &root)?;
            let names = HEAD.map(|name| format!("{}{name}", String::from_utf8_lossy(&root)));
            let first = names.each_ref().map(String::as_str);
            let source = archive::open(archive, &first, LIMITS).map_err(strange)?;
            return Ok(Self { archive, source, root, pending: false, nothing: io::empty() });
        }
        let mut source = archive::open(archive, &HEAD, LIMITS).map_err(strange)?;
        let mut above: Vec<u8> = Vec::new();
        let root = loop {
            let Some(Member { name, kind, .. }) = source.next().map_err(strange)? else {
                return Err(Strange::Reason(format!("it ends before `{}`", HEAD[0])).about(archive));
            };
            let root = name.strip_suffix(HEAD[0].as_bytes());
            match root.filter(|root| root.is_empty() || root.ends_with(b"/")) {
                Some(root) if kind == Kind::Folder => break root.to_vec(),
                None if kind == Kind::Folder && name.starts_with(&above) => above = [&name, &b"/"[..]].concat(),
                _ => {
                    let reason = format!("`{}` stands first", name.escape_ascii());
                    return Err(Strange::Reason(reason).about(archive));
                }
            }
        };
        Ok(Self { archive, source, root, pending: true, nothing: io::empty() })
    }

    /// The next entry, or nothing at the end of an archive that is whole. One without a name is the environment's folder,
    /// or one above it.
    ///
    /// # Errors
    /// When the archive is damaged, or holds an entry that nobody wants.
    pub(super) fn next(&mut self) -> Result<Option<Member<'_>>, UnpackError> {
        if std::mem::take(&mut self.pending) {
            let name = HEAD[0].as_bytes().to_vec();
            return Ok(Some(Member { name, kind: Kind::Folder, data: &mut self.nothing }));
        }
        let Some(mut member) = self.source.next().map_err(|fault| of_fault(self.archive, fault))? else {
            return Ok(None);
        };
        match member.name.strip_prefix(self.root.as_slice()) {
            Some(name) => member.name = name.to_vec(),
            None if member.kind == Kind::Folder && is_above(&member.name, &self.root) => member.name.clear(),
            None => {
                let entry = member.name.escape_ascii().to_string();
                let why = "stands outside of the environment's folder";
                return Err(UnpackError::Refused { path: self.archive.to_owned(), entry, why });
            }
        }
        Ok(Some(member))
    }

    /// Reads the entries with which every archive begins.
    ///
    /// # Errors
    /// When they are not there, or malformed.
    pub(super) fn head(&mut self) -> Result<Head, UnpackError> {
        let archive = self.archive;
        let strange = |reason: String| Strange::Reason(reason).about(archive);
        let mut contents = Vec::new();
        let mut room = LONGEST_LISTS;
        for name in HEAD {
            // Formats with an index may give the folders later.
            if name == HEAD[0] || name == FOLDER {
                contents.push((name, None));
                continue;
            }
            let content = loop {
                let Member { name: found, kind, data } = match self.next() {
                    Ok(Some(member)) => member,
                    Ok(None) => return Err(strange(format!("it ends before `{name}`"))),
                    Err(UnpackError::Damaged { source, .. }) => return Err(strange(source.to_string())),
                    Err(other) => return Err(other),
                };
                let is_folder = found.is_empty() || found == HEAD[0].as_bytes() || found == FOLDER.as_bytes();
                match kind {
                    Kind::Folder if is_folder => {}
                    Kind::File(info) if found == name.as_bytes() && info.size <= room => {
                        room -= info.size;
                        let mut bytes = Vec::new();
                        data.read_to_end(&mut bytes).map_err(|error| of_fault(archive, error.into()))?;
                        break Content { bytes, executable: info.executable, modified: info.modified };
                    }
                    Kind::File(_) if found == name.as_bytes() => {
                        return Err(strange("its lists are too long".to_owned()));
                    }
                    _ => {
                        let found = found.escape_ascii();
                        return Err(strange(format!("`{found}` stands where `{name}` should be")));
                    }
                }
            };
            contents.push((name, Some(content)));
        }
        Head::parse(contents).map_err(|strange| strange.about(archive))
    }
}

/// A folder into which an environment was packed holds nothing else; others may hold many things, archives too.
fn require_alone(archive: &Path, root: &[u8]) -> Result<(), UnpackError> {
    let mut folder = archive.to_owned();
    for part in root.split(|byte| *byte == b'/').filter(|it| archive.is_dir() && !it.is_empty()) {
        if fs::list(&folder)?.len() > 1 {
            let inside = String::from_utf8_lossy(root).into_owned();
            let reason = format!("it holds other things beside `{}`, which may be one", inside.trim_end_matches('/'));
            return Err(Strange::Reason(reason).about(archive));
        }
        folder.push(OsStr::from_bytes(part));
    }
    Ok(())
}

fn is_above(folder: &[u8], root: &[u8]) -> bool {
    root.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"))
}

/// A fault of the container as one of ours.
pub(super) fn of_fault(archive: &Path, fault: Fault) -> UnpackError {
    let path = archive.to_owned();
    match fault {
        Fault::File(error) => error.into(),
        Fault::Unknown => UnpackError::NotAnArchive { path, reason: fault.to_string() },
        Fault::Damaged(what) => UnpackError::Damaged { path, source: io::Error::other(what) },
        Fault::Entry { name, why } => UnpackError::Refused { path, entry: name.escape_ascii().to_string(), why },
        Fault::Unsupported(_) | Fault::Limit { .. } | Fault::Parts(_) => UnpackError::Container { path, fault },
    }
}
