//! What is found in a claim's place, and whether its owner is dead.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::owner::{Claim, Life};
use crate::base::FsError;

/// A claim is put into its place whole. What cannot be read is damaged, or is being written on a file system without
/// links: after this long without a change nobody writes it.
const GRACE: Duration = Duration::from_secs(2);

/// A file that stands in the place of a claim.
#[derive(Debug, Clone)]
pub(super) struct Found {
    content: Content,
    /// The file and its time: another value is a sign of life.
    sign: (u64, i64, i64),
}

#[derive(Debug, Clone)]
enum Content {
    /// A claim.
    Claim(Claim),
    /// No claim, or a part of one.
    Garbage,
    /// We may not read it.
    Hidden,
}

/// Looks at a claim's place; nothing when nobody has it.
pub(super) fn look(place: &Path) -> Result<Option<Found>, FsError> {
    let fail = |source| FsError::new("read", place, source);
    // Opening asks a network file system's server, a mere look may be answered from memory.
    let opened = File::open(place).and_then(|mut file| {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok((bytes, file.metadata()?))
    });
    let (content, metadata) = match opened {
        Ok((bytes, metadata)) => (serde_json::from_slice(&bytes).map_or(Content::Garbage, Content::Claim), metadata),
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => match place.symlink_metadata() {
            Err(error) if is_gone(&error) => return Ok(None),
            metadata => (Content::Hidden, metadata.map_err(fail)?),
        },
        Err(error) => return Err(fail(error)),
    };
    Ok(Some(Found { content, sign: (metadata.ino(), metadata.mtime(), metadata.mtime_nsec()) }))
}

/// A file that another host has removed under us is gone, too.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.kind() == io::ErrorKind::StaleNetworkFileHandle
}

impl Found {
    /// Who it names.
    pub(super) fn owner(&self) -> Option<&Claim> {
        match &self.content {
            Content::Claim(claim) => Some(claim),
            Content::Garbage | Content::Hidden => None,
        }
    }

    /// A name for exactly this claim.
    pub(super) fn identity(&self) -> String {
        match &self.content {
            Content::Claim(claim) => claim.token.chars().filter(char::is_ascii_alphanumeric).take(64).collect(),
            Content::Garbage | Content::Hidden => format!("file{}", self.sign.0),
        }
    }
}

/// Remembers since when claims that cannot be judged from here are silent, by our own clock.
#[derive(Debug)]
pub(super) struct Watch {
    silence: Duration,
    seen: BTreeMap<PathBuf, ((u64, i64, i64), Instant)>,
}

impl Watch {
    pub(super) fn new(silence: Duration) -> Self {
        Self { silence, seen: BTreeMap::new() }
    }

    /// Whether the owner of a claim is dead.
    pub(super) fn is_dead(&mut self, place: &Path, found: &Found) -> bool {
        let silence = match &found.content {
            Content::Claim(claim) => match claim.life() {
                Life::Lives => return false,
                Life::Ended => return true,
                Life::Unseen => self.silence,
            },
            Content::Garbage => GRACE.min(self.silence),
            Content::Hidden => self.silence,
        };
        let now = Instant::now();
        let (sign, since) = self.seen.entry(place.to_owned()).or_insert((found.sign, now));
        if *sign != found.sign {
            (*sign, *since) = (found.sign, now);
        }
        now.duration_since(*since) >= silence
    }
}
