//! Gives an archive the name that its content has.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::{
    CondaError,
    archive::{Archive, Member},
    content::content_of,
    name,
};
use crate::base::{Digest, FsError, fs};

/// How much is compressed what is written anew.
pub(super) const LEVEL: i32 = 6;

/// An archive under its final name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Where it is.
    pub path: PathBuf,
    /// Its build string.
    pub build: String,
    /// The digest of all that it holds, whose first digits end the build string.
    pub content: Digest,
}

/// Writes an archive that was built under a [`provisional`](super::provisional) build string into the folder `into`,
/// under its final one. The files that are installed are copied as they are; in `info` the package's own build string is
/// replaced wherever conda reads it. The same content gives the same bytes: all in the new archive is content or constant.
///
/// # Errors
/// When the archive is not a conda package of that build string, or a file cannot be written.
pub fn seal(archive: &Path, provisional: &str, into: &Path) -> Result<Sealed, CondaError> {
    let mut source = Archive::open(archive)?;
    let stem = archive.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let unnamed = || source.bad(format!("its name does not end in the build string `{provisional}`"));
    let beginning = stem.strip_suffix(provisional).ok_or_else(unnamed)?;
    let found = source.build()?;
    if found != provisional {
        return Err(source.bad(format!("its build string is `{found}`, and `{provisional}` was built")));
    }
    let info = source.info(provisional, provisional)?;
    let content = content_of(&mut source, &info)?;
    let build = name::finished(provisional, &content);
    let build = build.ok_or_else(|| source.bad(format!("`{provisional}` is no provisional build string")))?;
    let stem = format!("{beginning}{build}");
    let info = source.info(provisional, &build)?;

    fs::create_dir_all(into)?;
    let path = into.join(format!("{stem}.conda"));
    let beside = fs::Scratch::inside(into)?;
    let part = beside.path().join("archive");
    let fail = |error| CondaError::File(FsError::new("write", &part, error));
    let mut zip = ZipWriter::new(BufWriter::new(File::create(&part).map_err(fail)?));
    for member in Member::ALL {
        let stored = source.member(member)?;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .large_file(true);
        zip.start_file(member.name(&stem), options).map_err(|error| fail(error.into()))?;
        copy(stored, member, &info, &mut zip).map_err(fail)?;
    }
    let mut file = zip.finish().map_err(|error| fail(error.into()))?;
    file.flush().map_err(fail)?;
    fs::rename(&part, &path)?;
    Ok(Sealed { path, build, content })
}

/// Copies a member, but for `info`, which is written anew on one thread: several give other bytes.
fn copy(mut stored: impl io::Read, member: Member, info: &[u8], zip: &mut impl io::Write) -> io::Result<()> {
    match member {
        Member::Metadata | Member::Pkg => io::copy(&mut stored, zip).map(drop),
        Member::Info => {
            let mut encoder = zstd::Encoder::new(zip, LEVEL)?;
            encoder.set_pledged_src_size(Some(info.len() as u64))?;
            encoder.include_contentsize(true)?;
            encoder.write_all(info)?;
            encoder.finish().map(drop)
        }
    }
}
