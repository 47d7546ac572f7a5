//! What is in a folder of an image, and what an inode says.

use super::{
    image::{Cursor, Image, bad},
    layout::{FILE, FOLDER, LARGE, LINK, NO_FRAGMENT},
};
use crate::archive::{error::Fault, fields::Fields};

/// A name in a folder.
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) inode: Place,
}

/// Where an inode is: its block, relative to the table, and its place in the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) block: u32,
    pub(super) offset: u16,
}

/// What an inode says.
pub(super) struct Inode {
    pub(super) mode: u16,
    pub(super) modified: u32,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Folder(Listing),
    File(File),
    Link(Vec<u8>),
    /// The number of a kind that is not read.
    Other(u16),
}

/// Where the content of a file is.
#[derive(Debug, Clone, Copy)]
pub(super) struct File {
    pub(super) size: u64,
    /// Where its blocks begin.
    pub(super) start: u64,
    /// The block that it shares with others, and its place there.
    pub(super) fragment: Option<(u32, u32)>,
    /// Where the lengths of its blocks are.
    pub(super) lengths: Cursor,
}

/// Goes through a folder.
pub(super) struct Listing {
    cursor: Cursor,
    left: u32,
    /// Of those that share a header: how many are left, and the block of their inodes.
    together: u32,
    block: u32,
    last: Vec<u8>,
}

impl Inode {
    pub(super) fn read(image: &mut Image, place: Place) -> Result<Self, Fault> {
        let table = image.superblock.inode_table;
        let mut cursor = Cursor::new(table, place.block.into(), place.offset)?;
        let head = image.table(&mut cursor, 16)?;
        let mut head = Fields(&head);
        let (kind, mode) = head.u16().zip(head.u16()).ok_or_else(bad)?;
        let modified = head.bytes(4).and_then(|_| head.u32()).ok_or_else(bad)?;
        let kind = match kind {
            kind if kind == FOLDER || kind == FOLDER + LARGE => {
                let is_large = kind != FOLDER;
                let rest = image.table(&mut cursor, if is_large { 24 } else { 16 })?;
                Kind::Folder(Listing::parse(image, &rest, is_large)?)
            }
            FILE => {
                let rest = image.table(&mut cursor, 16)?;
                let mut rest = Fields(&rest);
                let mut next = || rest.u32().ok_or_else(bad);
                let (start, fragment, offset, size) = (next()?, next()?, next()?, next()?);
                let fragment = (fragment != NO_FRAGMENT).then_some((fragment, offset));
                Kind::File(File { size: size.into(), start: start.into(), fragment, lengths: cursor })
            }
            kind if kind == FILE + LARGE => {
                let rest = image.table(&mut cursor, 40)?;
                let mut rest = Fields(&rest);
                let (start, size) = rest.u64().zip(rest.u64()).ok_or_else(bad)?;
                rest.bytes(12).ok_or_else(bad)?;
                let (fragment, offset) = rest.u32().zip(rest.u32()).ok_or_else(bad)?;
                let fragment = (fragment != NO_FRAGMENT).then_some((fragment, offset));
                Kind::File(File { size, start, fragment, lengths: cursor })
            }
            kind if kind == LINK || kind == LINK + LARGE => {
                let rest = image.table(&mut cursor, 8)?;
                let mut rest = Fields(&rest);
                let size = rest.bytes(4).and_then(|_| rest.u32()).ok_or_else(bad)?;
                if size as usize > crate::archive::names::LONGEST {
                    return Err(Fault::damaged("a link is too long for any file system"));
                }
                Kind::Link(image.table(&mut cursor, size as usize)?)
            }
            other => Kind::Other(if other > LARGE { other - LARGE } else { other }),
        };
        Ok(Self { mode, modified, kind })
    }

    /// The root, which has to be a folder.
    pub(super) fn root(image: &mut Image) -> Result<Listing, Fault> {
        let root = image.superblock.root;
        let block = u32::try_from(root >> 16).map_err(|_| bad())?;
        match Self::read(image, Place { block, offset: root as u16 })?.kind {
            Kind::Folder(listing) => Ok(listing),
            _ => Err(Fault::damaged("its root is no folder")),
        }
    }
}

impl Listing {
    fn parse(image: &Image, rest: &[u8], is_large: bool) -> Result<Self, Fault> {
        let mut rest = Fields(rest);
        let fields = if is_large {
            let mut read = || {
                rest.u32()?;
                let (size, block) = (rest.u32()?, rest.u32()?);
                rest.bytes(6)?;
                Some((size, block, rest.u16()?))
            };
            read()
        } else {
            let mut read = || {
                let block = rest.u32()?;
                rest.u32()?;
                Some((rest.u16()?.into(), block, rest.u16()?))
            };
            read()
        };
        let (size, block, offset) = fields.ok_or_else(bad)?;
        let cursor = Cursor::new(image.superblock.folder_table, block.into(), offset)?;
        // The size counts `.` and `..`, which are not there.
        Ok(Self { cursor, left: size.saturating_sub(3), together: 0, block: 0, last: Vec::new() })
    }

    fn take(&mut self, image: &mut Image, count: u32) -> Result<Vec<u8>, Fault> {
        self.left = self.left.checked_sub(count).ok_or_else(bad)?;
        image.table(&mut self.cursor, count as usize)
    }

    /// The next name, or nothing at the end.
    pub(super) fn next(&mut self, image: &mut Image) -> Result<Option<Entry>, Fault> {
        const TOGETHER: u32 = 256;
        if self.together == 0 {
            if self.left == 0 {
                return Ok(None);
            }
            let header = self.take(image, 12)?;
            let mut header = Fields(&header);
            let (count, block) = header.u32().zip(header.u32()).ok_or_else(bad)?;
            if count >= TOGETHER {
                return Err(bad());
            }
            (self.together, self.block) = (count + 1, block);
        }
        self.together -= 1;
        let fixed = self.take(image, 8)?;
        let mut fixed = Fields(&fixed);
        let offset = fixed.u16().ok_or_else(bad)?;
        let length = fixed.bytes(4).and_then(|_| fixed.u16()).ok_or_else(bad)?;
        let name = self.take(image, u32::from(length) + 1)?;
        let is_plain = !name.contains(&b'/') && !name.contains(&0) && name != b"." && name != b"..";
        if !is_plain {
            return Err(Fault::entry(&name, "has a name that no file can have"));
        }
        if name <= self.last {
            return Err(Fault::entry(&name, "comes twice, or out of order"));
        }
        self.last.clone_from(&name);
        Ok(Some(Entry { name, inode: Place { block: self.block, offset } }))
    }

    /// Looks for one name.
    pub(super) fn find(mut self, image: &mut Image, name: &[u8]) -> Result<Option<Place>, Fault> {
        while let Some(entry) = self.next(image)? {
            if entry.name == name {
                return Ok(Some(entry.inode));
            }
        }
        Ok(None)
    }
}
