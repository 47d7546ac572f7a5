//! Puts a tree into a folder. Files that were extracted for this tree alone are moved, not copied.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{File as OsFile, Permissions},
    io::{self, BufReader},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{OpenOptionsExt as _, PermissionsExt as _, symlink},
    },
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use rayon::prelude::{IntoParallelIterator as _, ParallelIterator as _};

use crate::{
    base::{Cancel, FsError, Meter, fs},
    image::ImageError,
    tree::{Entries, Entry, File},
};

/// Makes the folder, which is not there yet, with all entries in it, in parallel. What lies in `own` may be taken away.
/// The meter is told of each file. Gives the number of files.
///
/// # Errors
/// When something cannot be read or written, or somebody wants it to stop; the folder is not whole then.
pub fn grow(
    entries: &Entries,
    folder: &Path,
    own: &Path,
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<u64, ImageError> {
    let make = |path: &Path| std::fs::create_dir(path).map_err(|error| FsError::new("make the folder", path, error));
    make(folder)?;
    let mut uses: BTreeMap<&Path, usize> = BTreeMap::new();
    let mut rest = Vec::new();
    for (name, entry) in entries {
        if *entry == Entry::Folder {
            make(&folder.join(OsStr::from_bytes(name)))?;
            continue;
        }
        if let Entry::File(File { content, .. }) = entry
            && let Some((path, _)) = content.on_disk()
        {
            *uses.entry(path).or_default() += 1;
        }
        rest.push((name, entry));
    }
    let grower = Grower { own, uses, mask: mask(own)? };
    let one = |(name, entry): (&Vec<u8>, &Entry)| -> Result<u64, ImageError> {
        if cancel.is_cancelled() {
            return Err(FsError::new("write", folder, io::Error::other("stopped")).into());
        }
        let path = folder.join(OsStr::from_bytes(name));
        match entry {
            Entry::Folder => Ok(0),
            Entry::Link(target) => {
                symlink(OsStr::from_bytes(target), &path)
                    .map_err(|error| FsError::new("make the link", &path, error))?;
                Ok(0)
            }
            Entry::File(file) => {
                grower.file(file, &path)?;
                meter.add(file.content.size());
                Ok(1)
            }
        }
    };
    let counts = rest.into_par_iter().map(one).collect::<Result<Vec<u64>, _>>()?;
    Ok(counts.into_iter().sum())
}

struct Grower<'a> {
    own: &'a Path,
    /// How many entries have the bytes of a file on disk.
    uses: BTreeMap<&'a Path, usize>,
    /// The bits of a mode that the user lets files have.
    mask: u32,
}

impl Grower<'_> {
    fn file(&self, file: &File, path: &Path) -> Result<(), ImageError> {
        let fail = |error| FsError::new("write", path, error);
        let mode = if file.executable { 0o755 } else { 0o644 };
        let modified = UNIX_EPOCH.checked_add(Duration::from_secs(file.modified)).unwrap_or(UNIX_EPOCH);
        let movable = |from: &&Path| from.starts_with(self.own) && self.uses.get(from) == Some(&1);
        if let Some(from) = file.content.on_disk().map(|(from, _)| from).filter(movable) {
            std::fs::set_permissions(from, Permissions::from_mode(mode & self.mask)).map_err(fail)?;
            OsFile::open(from).and_then(|opened| opened.set_modified(modified)).map_err(fail)?;
            return Ok(fs::rename(from, path)?);
        }
        let mut out = OsFile::options().write(true).create_new(true).mode(mode).open(path).map_err(fail)?;
        let mut data = BufReader::with_capacity(64 << 10, file.content.open()?);
        io::copy(&mut data, &mut out).map_err(fail)?;
        Ok(out.set_modified(modified).map_err(fail)?)
    }
}

/// What the user's umask leaves of a mode.
fn mask(scratch: &Path) -> Result<u32, FsError> {
    let probe = scratch.join("mode");
    let made = OsFile::options().write(true).create_new(true).mode(0o777).open(&probe).and_then(|it| it.metadata());
    Ok(made.map_err(|error| FsError::new("write", &probe, error))?.permissions().mode() & 0o777)
}
