//! What files held when they were last read, so that a file that nobody has touched since is not read again.
//!
//! A file is known again by its stamp: size, times, inode, device, mode. What changes a file within one tick of the file
//! system's clock may leave its stamp as it was; so nothing is remembered of a file that was touched a moment before this
//! run began, or later. Such a file is read again the next time.

use std::{
    fmt,
    fs::Metadata,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{Digest, FsError, Table};

/// Changes when the form of a row does, or its meaning.
const FORM: &str = "stamps 1";

/// How much older than a run a file has to be, in seconds: some file systems keep times to two seconds only.
const MARGIN: i64 = 2;

/// The fact of a file's bytes: their digest.
const BYTES: &str = "bytes";

/// What tells whether a file was touched. Only ever compared.
struct Stamp<'a>(&'a Metadata);

impl fmt::Display for Stamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = self.0;
        write!(f, "{}:{:o}:{}:{}:", it.size(), it.mode(), it.ino(), it.dev())?;
        write!(f, "{}.{}:{}.{}", it.mtime(), it.mtime_nsec(), it.ctime(), it.ctime_nsec())
    }
}

/// Facts about files, kept between runs. Never an input of anything: without it the same is found out by reading.
#[derive(Debug)]
pub struct Stamps {
    root: PathBuf,
    /// The second in which this run began, by the clock of the file system.
    began: i64,
    rows: Table,
}

impl Default for Stamps {
    /// Knows nothing and remembers nothing.
    fn default() -> Self {
        Self { root: PathBuf::new(), began: i64::MIN, rows: Table::default() }
    }
}

impl Stamps {
    /// Reads what is kept in `file`; a file that is not there or damaged holds nothing. Paths below `root` are kept
    /// relative to it. `touched` was written when this run began, and tells the time; without it nothing is remembered.
    pub fn open(file: &Path, root: &Path, touched: &Path) -> Self {
        let began = touched.metadata().map_or(i64::MIN, |it| it.mtime());
        Self { root: root.to_owned(), began, rows: Table::open(file, FORM) }
    }

    /// A fact about a file as it stands: what was remembered when its stamp is `metadata`'s, otherwise what `read` finds
    /// out now. `what` names the fact; it may depend on the file's own bytes, names or link target only.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn fact<E>(
        &self,
        what: &str,
        path: &Path,
        metadata: &Metadata,
        read: impl FnOnce() -> Result<String, E>,
    ) -> Result<String, E> {
        if let Some(known) = self.known(what, path, metadata) {
            return Ok(known);
        }
        let value = read()?;
        self.remember(what, path, metadata, &value);
        Ok(value)
    }

    /// What is remembered of a file whose stamp is `metadata`'s.
    pub fn known(&self, what: &str, path: &Path, metadata: &Metadata) -> Option<String> {
        let row = self.rows.get(&self.name(what, path)?)?;
        let (stamp, value) = row.split_once(' ')?;
        (stamp == Stamp(metadata).to_string()).then(|| value.to_owned())
    }

    /// Remembers a fact. `metadata` was read before the file was.
    pub fn remember(&self, what: &str, path: &Path, metadata: &Metadata, value: &str) {
        let touched = metadata.mtime().max(metadata.ctime());
        if touched.saturating_add(MARGIN) <= self.began {
            self.put(what, path, metadata, value);
        }
    }

    /// Remembers a fact about a file that this program has just put into its place, so that the next run need not read
    /// it.
    pub fn made(&self, what: &str, path: &Path, value: &str) {
        if let Ok(metadata) = path.metadata() {
            self.put(what, path, &metadata, value);
        }
    }

    /// The same for the digest of its bytes.
    pub fn made_bytes(&self, path: &Path, digest: Digest) {
        self.made(BYTES, path, &digest.to_string());
    }

    fn put(&self, what: &str, path: &Path, metadata: &Metadata, value: &str) {
        if let Some(name) = self.name(what, path) {
            self.rows.put(&name, format!("{} {value}", Stamp(metadata)));
        }
    }

    /// Whether a file's bytes need not be read for their digest.
    pub fn knows_bytes(&self, path: &Path, metadata: &Metadata) -> bool {
        self.known(BYTES, path, metadata).is_some()
    }

    /// The digest of a file's bytes.
    ///
    /// # Errors
    /// When it has to be read and cannot.
    pub fn digest(&self, path: &Path, metadata: &Metadata) -> Result<Digest, FsError> {
        if let Some(digest) = self.known(BYTES, path, metadata).and_then(|it| it.parse().ok()) {
            return Ok(digest);
        }
        let digest = Digest::of_file(path)?;
        self.remember(BYTES, path, metadata, &digest.to_string());
        Ok(digest)
    }

    /// Writes what was learnt, when there is something new. Facts about files that are gone are dropped.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self) -> Result<(), FsError> {
        self.rows.save(&|name| {
            let path = name.split_once(' ').map_or(name, |it| it.1);
            self.root.join(path).symlink_metadata().is_ok()
        })
    }

    /// The name of a row. Paths that are not UTF-8 have none: they are read every time.
    fn name(&self, what: &str, path: &Path) -> Option<String> {
        let (path, root) = (path.to_str()?, self.root.to_str()?);
        let below = path.strip_prefix(root).and_then(|it| it.strip_prefix('/'));
        Some(format!("{what} {}", below.unwrap_or(path)))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        convert::Infallible,
        fs::{self, File},
        path::Path,
        time::{Duration, SystemTime},
    };

    use super::Stamps;

    /// A file's text as [`Stamps`] knows it, and whether it was read for that.
    fn text(stamps: &Stamps, path: &Path) -> (String, bool) {
        let read = Cell::new(false);
        let value = stamps.fact("text", path, &path.symlink_metadata().unwrap(), || {
            read.set(true);
            Ok::<_, Infallible>(fs::read_to_string(path).unwrap())
        });
        (value.unwrap(), read.get())
    }

    /// A folder with a file in it, and a clock that is `ahead` of it.
    fn folder(ahead: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "one").unwrap();
        let written = folder.path().join("file").metadata().unwrap().modified().unwrap();
        File::create(folder.path().join("clock")).unwrap().set_modified(written + Duration::from_secs(ahead)).unwrap();
        folder
    }

    fn open(folder: &Path) -> Stamps {
        Stamps::open(&folder.join("stamps"), folder, &folder.join("clock"))
    }

    #[test]
    fn an_untouched_file_is_read_once_and_a_touched_one_again() {
        let folder = folder(10);
        let file = folder.path().join("file");
        let first = open(folder.path());
        assert_eq!(text(&first, &file), ("one".to_owned(), true));
        assert_eq!(text(&first, &file), ("one".to_owned(), false));
        first.save().unwrap();
        let second = open(folder.path());
        assert_eq!(text(&second, &file), ("one".to_owned(), false));
        fs::write(&file, "two").unwrap();
        // Somebody hides it from those who look at size and time alone.
        File::options().write(true).open(&file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(text(&second, &file), ("two".to_owned(), true));
    }

    #[test]
    fn what_was_touched_when_the_run_began_is_read_again() {
        let folder = folder(1);
        let file = folder.path().join("file");
        let stamps = open(folder.path());
        for _ in 0..2 {
            assert_eq!(text(&stamps, &file), ("one".to_owned(), true));
        }
        stamps.save().unwrap();
        assert!(!folder.path().join("stamps").exists());
        // What the program made itself is known at once.
        stamps.made("text", &file, "one");
        assert_eq!(text(&stamps, &file), ("one".to_owned(), false));
    }

    #[test]
    fn a_damaged_file_holds_nothing_and_the_gone_are_dropped() {
        let folder = folder(10);
        let (file, kept) = (folder.path().join("file"), folder.path().join("stamps"));
        let stamps = open(folder.path());
        text(&stamps, &file);
        stamps.save().unwrap();
        let whole = fs::read_to_string(&kept).unwrap();
        fs::write(&kept, whole.replace("one", "two")).unwrap();
        assert_eq!(text(&open(folder.path()), &file), ("one".to_owned(), true));

        fs::write(&kept, whole).unwrap();
        fs::remove_file(&file).unwrap();
        let stamps = open(folder.path());
        stamps.made("text", &folder.path().join("clock"), "");
        stamps.save().unwrap();
        assert!(!fs::read_to_string(&kept).unwrap().contains("one"));
    }
}
