//! A folder as a sorted list of what is in it: bytes, exec bit, link targets; neither times nor owners.

use std::{
    fs::Metadata,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::base::{FsError, Stamps, fs};

/// What version control, editors and file managers leave in a folder, and what no build reads.
const IGNORED: &[&str] = &[".git", ".hg", ".svn", ".DS_Store", "__pycache__"];

/// One file or link below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path relative to the folder, with `/` between the parts.
    pub path: String,
    /// A digest of its content; followed by ` x` when it may be executed; `-> target` for a link, followed by what the
    /// file holds when it leads to a file outside the folder.
    pub value: String,
}

/// How many files have to be read before it is worth to wake other threads.
const MANY: usize = 16;

/// What the value of a link begins with.
pub(super) const LINK: &str = "-> ";

/// A file or link that was found: its path as shown, its place, its stamp.
type Found = (String, PathBuf, Metadata);

/// Everything below `root`, or `root` alone (with an empty path) when it is a file. Empty folders do not count, as in
/// git. Folders and files that `stamps` knows are looked at and not read.
///
/// # Errors
/// When something cannot be read.
pub fn scan(root: &Path, stamps: &Stamps) -> Result<Vec<Entry>, FsError> {
    let mut files = Vec::new();
    let metadata = root.metadata().map_err(|source| FsError::new("read", root, source))?;
    if metadata.is_dir() {
        walk(root, (root, &metadata), stamps, &mut files)?;
    } else {
        files.push((String::new(), root.to_owned(), metadata));
    }
    let entry = |(path, file, metadata): Found| Ok(Entry { path, value: value(root, &file, &metadata, stamps)? });
    let unknown = files.iter().filter(|(_, file, metadata)| !stamps.knows_bytes(file, metadata)).take(MANY).count();
    let mut entries = if unknown < MANY {
        files.into_iter().map(entry).collect::<Result<Vec<_>, FsError>>()?
    } else {
        files.into_par_iter().map(entry).collect::<Result<Vec<_>, FsError>>()?
    };
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn walk(root: &Path, folder: (&Path, &Metadata), stamps: &Stamps, files: &mut Vec<Found>) -> Result<(), FsError> {
    for path in list(folder.0, folder.1, stamps)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if is_ignored(&name) {
            continue;
        }
        let metadata = path.symlink_metadata().map_err(|source| FsError::new("read", &path, source))?;
        if metadata.is_dir() {
            walk(root, (&path, &metadata), stamps, files)?;
        } else {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            files.push((shown(relative), path, metadata));
        }
    }
    Ok(())
}

/// The names in a folder. Its stamp changes when one comes or goes.
fn list(folder: &Path, metadata: &Metadata, stamps: &Stamps) -> Result<Vec<PathBuf>, FsError> {
    if let Some(names) = stamps.known(NAMES, folder, metadata) {
        return Ok(names.split('/').filter(|it| !it.is_empty()).map(|it| folder.join(it)).collect());
    }
    let paths = fs::list(folder)?;
    let names: Option<Vec<&str>> = paths.iter().map(|it| it.file_name()?.to_str()).collect();
    if let Some(names) = names {
        stamps.remember(NAMES, folder, metadata, &names.join("/"));
    }
    Ok(paths)
}

/// What is remembered of a folder: its names.
const NAMES: &str = "names";

fn is_ignored(name: &str) -> bool {
    let editor = name.ends_with('~') || (name.starts_with('.') && (name.ends_with(".swp") || name.ends_with(".swo")));
    editor || IGNORED.contains(&name)
}

fn value(root: &Path, file: &Path, metadata: &Metadata, stamps: &Stamps) -> Result<String, FsError> {
    if metadata.is_symlink() {
        let target = stamps.fact("target", file, metadata, || {
            let target = std::fs::read_link(file).map_err(|source| FsError::new("read the link", file, source))?;
            Ok(shown(&target))
        })?;
        return Ok(format!("{LINK}{target}{}", behind(root, file, stamps)?));
    }
    refuse_special(file, metadata)?;
    let digest = stamps.digest(file, metadata)?;
    let executable = if metadata.permissions().mode() & 0o111 != 0 { " x" } else { "" };
    Ok(format!("{digest}{executable}"))
}

/// A path as text. Those that are not UTF-8 must stay distinct from each other: hexadecimal, no replacement character.
fn shown(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => format!("bytes:{}", hex::encode(path.as_os_str().as_bytes())),
    }
}

/// What a link adds to its value when it leads to a file that lies outside the folder, where nothing else looks at it.
fn behind(root: &Path, link: &Path, stamps: &Stamps) -> Result<String, FsError> {
    let (Ok(file), Ok(root)) = (link.canonicalize(), root.canonicalize()) else { return Ok(String::new()) };
    if file.starts_with(root) {
        return Ok(String::new());
    }
    match file.symlink_metadata() {
        Ok(metadata) if metadata.is_file() => {
            let executable = if metadata.permissions().mode() & 0o111 != 0 { " x" } else { "" };
            Ok(format!(" ({}{executable})", stamps.digest(&file, &metadata)?))
        }
        _ => Ok(String::new()),
    }
}

/// Pipes, sockets and devices have no content, and whoever opens one may wait for ever.
fn refuse_special(file: &Path, metadata: &Metadata) -> Result<(), FsError> {
    if metadata.is_file() {
        return Ok(());
    }
    let why = std::io::Error::other("it is a pipe, a socket or a device; a recipe and its sources are made of files");
    Err(FsError::new("read", file, why))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::scan as scan_with;
    use crate::base::Stamps;

    fn scan(root: &std::path::Path) -> Result<Vec<super::Entry>, crate::base::FsError> {
        scan_with(root, &Stamps::default())
    }

    #[test]
    fn content_mode_and_links_count_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("sub/.git")).unwrap();
        fs::write(root.join("sub/a"), "one").unwrap();
        fs::write(root.join("sub/.git/HEAD"), "x").unwrap();
        fs::write(root.join("b~"), "backup").unwrap();
        std::os::unix::fs::symlink("sub/a", root.join("link")).unwrap();
        let first = scan(root).unwrap();
        let paths: Vec<_> = first.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["link", "sub/a"]);
        assert_eq!(first[0].value, "-> sub/a");

        let file = fs::File::options().write(true).open(root.join("sub/a")).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(scan(root).unwrap(), first, "a new time is no change");
        fs::set_permissions(root.join("sub/a"), fs::Permissions::from_mode(0o755)).unwrap();
        let second = scan(root).unwrap();
        assert_ne!(second, first, "a new mode is a change");
        assert!(second[1].value.ends_with(" x"));
    }
}
