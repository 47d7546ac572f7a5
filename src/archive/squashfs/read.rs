//! Reads squashfs images that nobody vouches for.

use std::collections::BTreeSet;

use super::{
    content::Content,
    image::Image,
    layout::{BLOCK_DEVICE, CHARACTER_DEVICE, PIPE, SOCKET},
    listing::{Inode, Kind as InodeKind, Listing, Place},
};
use crate::archive::{
    error::Fault,
    names,
    source::{Budget, FileInfo, Input, Kind, Limits, Member, Source, executable},
};

/// Gives the entries of an image, a folder before what is in it, by name, after those that were asked for first.
pub(in crate::archive) struct SquashfsSource {
    content: Content,
    /// What comes before all else, the next last.
    first: Vec<(Vec<u8>, Place)>,
    given: BTreeSet<Vec<u8>>,
    /// The folders in which it is, with their names and inodes.
    stack: Vec<(Vec<u8>, Option<Place>, Listing)>,
    budget: Budget,
}

impl SquashfsSource {
    pub(in crate::archive) fn new(input: Box<dyn Input>, first: &[&str], limits: Limits) -> Result<Self, Fault> {
        let mut image = Image::new(input)?;
        let mut found = Vec::new();
        for name in first.iter().rev() {
            if let Some(place) = find(&mut image, name.as_bytes())? {
                found.push((name.as_bytes().to_vec(), place));
            }
        }
        let root = Inode::root(&mut image)?;
        Ok(Self {
            content: Content::new(image),
            given: found.iter().map(|(name, _)| name.clone()).collect(),
            first: found,
            stack: vec![(Vec::new(), None, root)],
            budget: Budget::new(limits),
        })
    }

    /// The next name with its inode. Folders end where theirs do.
    fn entry(&mut self) -> Result<Option<(Vec<u8>, Place)>, Fault> {
        if let Some(first) = self.first.pop() {
            return Ok(Some(first));
        }
        while let Some((folder, _, listing)) = self.stack.last_mut() {
            match listing.next(&mut self.content.image)? {
                None => {
                    self.stack.pop();
                }
                Some(entry) => {
                    let name = join(folder, &entry.name);
                    if !self.given.contains(&name) {
                        return Ok(Some((name, entry.inode)));
                    }
                }
            }
        }
        Ok(None)
    }
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

/// Follows a name from the root, if it leads to something else than a folder.
fn find(image: &mut Image, name: &[u8]) -> Result<Option<Place>, Fault> {
    let mut listing = Inode::root(image)?;
    let mut parts = name.split(|byte| *byte == b'/').peekable();
    while let Some(part) = parts.next() {
        let Some(place) = listing.find(image, part)? else { return Ok(None) };
        match Inode::read(image, place)?.kind {
            InodeKind::Folder(below) => listing = below,
            _ => return Ok(parts.peek().is_none().then_some(place)),
        }
    }
    Ok(None)
}

impl Source for SquashfsSource {
    fn next(&mut self) -> Result<Option<Member<'_>>, Fault> {
        self.content.begin(None);
        let Some((name, place)) = self.entry()? else { return Ok(None) };
        let fault = |why| Fault::entry(&name, why);
        names::clean(&name).map_err(fault)?;
        let inode = Inode::read(&mut self.content.image, place)?;
        let kind = match inode.kind {
            InodeKind::Folder(listing) => {
                if self.stack.iter().any(|(_, above, _)| *above == Some(place)) {
                    return Err(fault("is a folder inside itself"));
                }
                self.stack.push((name.clone(), Some(place), listing));
                self.budget.take(0)?;
                Kind::Folder
            }
            InodeKind::Link(target) => {
                self.budget.take(0)?;
                Kind::Link(names::target(target).map_err(fault)?)
            }
            InodeKind::File(file) => {
                self.budget.take(file.size)?;
                let executable = executable(&name, inode.mode.into())?;
                self.content.begin(Some(file));
                Kind::File(FileInfo { executable, modified: inode.modified.into(), size: file.size })
            }
            InodeKind::Other(BLOCK_DEVICE | CHARACTER_DEVICE) => return Err(fault("is a device")),
            InodeKind::Other(PIPE) => return Err(fault("is a named pipe")),
            InodeKind::Other(SOCKET) => return Err(fault("is a socket")),
            InodeKind::Other(_) => return Err(fault("is of a kind that environments do not hold")),
        };
        Ok(Some(Member { name, kind, data: &mut self.content }))
    }
}
