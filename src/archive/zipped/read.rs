//! Reads zip archives that nobody vouches for.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
};

use super::{
    content::Content,
    directory::{Directory, Record},
    records::LOCAL_SIZE,
};
use crate::archive::{
    error::Fault,
    names,
    source::{Budget, FileInfo, Input, Kind, Limits, Member, Source, executable},
};

/// Gives the entries of a zip archive in the order of its directory, after those that were asked for first.
pub(in crate::archive) struct ZipSource {
    content: Content,
    directory: Directory,
    /// What comes before all else, the next last.
    first: Vec<Record>,
    /// The numbers of those.
    given: BTreeSet<u64>,
    /// Where the entry before ended.
    end: u64,
    budget: Budget,
}

impl ZipSource {
    pub(in crate::archive) fn new(mut input: Box<dyn Input>, first: &[&str], limits: Limits) -> Result<Self, Fault> {
        let directory = Directory::find(&mut *input)?;
        if directory.entries > limits.entries {
            return Err(Fault::Limit { what: "entries", limit: limits.entries });
        }
        let mut found = BTreeMap::new();
        if !first.is_empty() {
            let mut directory = directory.clone();
            while let Some((number, record)) = directory.next(&mut *input)? {
                if let Some(place) = first.iter().position(|name| name.as_bytes() == record.name) {
                    found.entry(place).or_insert((number, record));
                }
            }
        }
        let given = found.values().map(|(number, _)| *number).collect();
        let first = found.into_values().rev().map(|(_, record)| record).collect();
        let (content, budget) = (Content::new(input), Budget::new(limits));
        Ok(Self { content, directory, first, given, end: 0, budget })
    }

    fn record(&mut self) -> Result<Option<Record>, Fault> {
        if let Some(record) = self.first.pop() {
            return Ok(Some(record));
        }
        loop {
            let Some((number, record)) = self.directory.next(&mut *self.content.input)? else { return Ok(None) };
            // One content may not serve several entries, which is how a small archive becomes a large bomb.
            if record.offset < self.end {
                return Err(Fault::entry(&record.name, "shares its bytes with another"));
            }
            self.end = (LOCAL_SIZE as u64 + record.name.len() as u64)
                .checked_add(record.deflated)
                .and_then(|it| it.checked_add(record.offset))
                .ok_or_else(|| Fault::entry(&record.name, "is larger than the archive"))?;
            if !self.given.contains(&number) {
                return Ok(Some(record));
            }
        }
    }

    fn kind(&mut self, record: &Record) -> Result<Kind, Fault> {
        let fault = |why| Fault::entry(&record.name, why);
        let is_folder = record.name.ends_with(b"/");
        match (record.mode >> 12, is_folder) {
            (0o04, _) | (0, true) if record.size > 0 => Err(fault("has a content although it is no file")),
            (0o04, _) | (0, true) => Ok(Kind::Folder),
            (0o10 | 0, false) => Ok(Kind::File(FileInfo {
                executable: executable(&record.name, record.mode.into())?,
                modified: record.modified,
                size: record.size,
            })),
            (0o12, false) => {
                if record.size >= names::LONGEST as u64 {
                    return Err(fault("has a target too long for any file system"));
                }
                let mut target = Vec::new();
                self.content.read_to_end(&mut target)?;
                Ok(Kind::Link(names::target(target).map_err(fault)?))
            }
            (0o01, _) => Err(fault("is a named pipe")),
            (0o02 | 0o06, _) => Err(fault("is a device")),
            _ => Err(fault("is of a kind that environments do not hold")),
        }
    }
}

impl Source for ZipSource {
    fn next(&mut self) -> Result<Option<Member<'_>>, Fault> {
        loop {
            self.content.skip();
            let Some(record) = self.record()? else { return Ok(None) };
            let name = names::clean(&record.name).map_err(|why| Fault::entry(&record.name, why))?;
            self.content.begin(&record, self.directory.start)?;
            let kind = self.kind(&record)?;
            self.budget.take(if matches!(kind, Kind::File(_)) { record.size } else { 0 })?;
            if !name.is_empty() {
                return Ok(Some(Member { name, kind, data: &mut self.content }));
            }
            if kind != Kind::Folder {
                return Err(Fault::entry(&record.name, "has no name"));
            }
        }
    }
}
