//! A folder as a sorted list of what is in it: bytes, exec bit, link targets; neither times nor owners.

use std::{
    fs::Metadata,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::base::{Digest, FsError, fs};

/// What version control, editors and file managers leave in a folder, and what no build reads.
const IGNORED: &[&str] = &[".git", ".hg", ".svn", ".DS_Store", "__pycache__"];

/// One file or link below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path relative to the folder, with `/` between the parts.
    pub path: String,
    /// A digest of its content; followed by ` x` when it may be executed; `-> target` for a link.
    pub value: String,
}

/// Everything below `root`, or `root` alone (with an empty path) when it is a file. Empty folders do not count, as in
/// git.
///
/// # Errors
/// When something cannot be read.
pub fn scan(root: &Path) -> Result<Vec<Entry>, FsError> {
    let mut files = Vec::new();
    let metadata = root.metadata().map_err(|source| FsError::new("read", root, source))?;
    if metadata.is_dir() {
        walk(root, root, &mut files)?;
    } else {
        files.push((String::new(), root.to_owned(), metadata));
    }
    let mut entries = files
        .into_par_iter()
        .map(|(path, file, metadata)| Ok(Entry { path, value: value(&file, &metadata)? }))
        .collect::<Result<Vec<_>, FsError>>()?;
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, PathBuf, Metadata)>) -> Result<(), FsError> {
    for path in fs::list(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if is_ignored(&name) {
            continue;
        }
        let metadata = path.symlink_metadata().map_err(|source| FsError::new("read", &path, source))?;
        if metadata.is_dir() {
            walk(root, &path, files)?;
        } else {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            // Names that are not UTF-8 must stay distinct from each other: hexadecimal, not a replacement character.
            let shown = match relative.to_str() {
                Some(text) => text.to_owned(),
                None => format!("bytes:{}", hex::encode(relative.as_os_str().as_bytes())),
            };
            files.push((shown, path, metadata));
        }
    }
    Ok(())
}

fn is_ignored(name: &str) -> bool {
    let editor = name.ends_with('~') || (name.starts_with('.') && (name.ends_with(".swp") || name.ends_with(".swo")));
    editor || IGNORED.contains(&name)
}

fn value(file: &Path, metadata: &Metadata) -> Result<String, FsError> {
    if metadata.is_symlink() {
        let target = std::fs::read_link(file).map_err(|source| FsError::new("read the link", file, source))?;
        return Ok(format!("-> {}", target.to_string_lossy()));
    }
    let digest = Digest::of_file(file)?;
    let executable = if metadata.permissions().mode() & 0o111 != 0 { " x" } else { "" };
    Ok(format!("{digest}{executable}"))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::scan;

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
