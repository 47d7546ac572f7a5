//! Compares what is there with what the packages say, and fills in the report.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use rattler_conda_types::PrefixRecord;

use super::{
    prefix::{PipPackage, Read, interpreter},
    python::{Dist, urlsafe},
    records::{Claim, Claims},
    report::{Changed, Clobbered, Outside, Package, Report, Unfixable},
    restore::{Fix, State},
    spelling::Spellings,
};
use crate::{
    base::both,
    tree::{Entries, Entry, File},
};

/// Everything that is known of a prefix.
pub(super) struct Account<'a> {
    pub(super) entries: &'a Entries,
    pub(super) packages: &'a [PrefixRecord],
    pub(super) claims: &'a Claims<'a>,
    pub(super) dists: &'a [Dist],
    pub(super) reads: &'a BTreeMap<Vec<u8>, Read>,
}

/// A name for people.
pub(super) fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

impl Account<'_> {
    /// Counts and names; `limit` is the length of the placeholder in bytes.
    pub(super) fn fill(&self, report: &mut Report, spellings: &Spellings, limit: usize) {
        for entry in self.entries.values() {
            if let Entry::File(File { content, .. }) = entry {
                report.files += 1;
                report.bytes += content.size();
            }
        }
        let pip: Vec<&Dist> = self.dists.iter().filter(|it| self.is_pips(it)).collect();
        let owners: BTreeMap<&[u8], &Dist> =
            pip.iter().flat_map(|dist| dist.files.keys().map(|name| (name.as_slice(), *dist))).collect();
        let is_free = |name: &&Vec<u8>| !self.claims.contains_key(*name) && !owners.contains_key(name.as_slice());
        let ours = |name: &&Vec<u8>| !name.starts_with(b"conda-meta/") && !name.ends_with(b".pyc");
        report.unmanaged = self.reads.keys().filter(ours).filter(is_free).count() as u64;
        (report.conda, report.pip) = both(|| self.conda(&owners), || pip.iter().map(|it| self.of_pip(it)).collect());
        report.clobbered = self.clobbered();
        for (name, read) in self.reads {
            let Fix::Strings(strings) = &read.fix else { continue };
            if let Some(room) = strings.iter().map(|it| it.room).filter(|it| *it < limit).min() {
                let package = self.claims.get(name).and_then(|it| it.first()).map(|it| self.name(it));
                let package = owners.get(name.as_slice()).map(|it| it.name.clone()).or(package);
                report.unfixable.push(Unfixable { file: text(name), package, room });
            }
        }
        let scripts = self.reads.iter().filter(|(name, _)| name.starts_with(b"bin/"));
        for (name, read) in scripts {
            let Some(path) = interpreter(&read.scan.beginning) else { continue };
            let system = ["/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin"]
                .iter()
                .any(|it| path.parent() == Some(Path::new(it)));
            if !system && spellings.inside(path.as_os_str().as_bytes()).is_none() {
                report.foreign_scripts.push(Outside { file: text(name), names: path.display().to_string() });
            }
        }
    }

    /// What was not installed by conda and is still here.
    pub(super) fn pip_packages(&self) -> Vec<PipPackage> {
        let one = |dist: &Dist| PipPackage {
            name: dist.name.clone(),
            version: dist.version.clone(),
            installer: dist.installer.clone(),
            url: dist.origin.as_ref().filter(|it| it.folder.is_none()).map(|it| it.url.clone()),
        };
        self.dists.iter().filter(|it| self.is_pips(it)).map(one).collect()
    }

    /// Whether it is pip's: no conda package has its folder, or pip has written over it.
    fn is_pips(&self, dist: &Dist) -> bool {
        let record = [&dist.folder[..], b"/RECORD"].concat();
        let over = || {
            let states = self.reads.get(&record).map_or(&[][..], |it| &it.states);
            !states.is_empty() && states.iter().all(|it| *it == State::Changed)
        };
        !dist.managed || (dist.installer.as_deref() != Some("conda") && over())
    }

    fn conda(&self, owners: &BTreeMap<&[u8], &Dist>) -> Vec<Package> {
        let mut packages: Vec<Package> = self.packages.iter().map(described).collect();
        for (name, claims) in self.claims {
            for (place, claim) in claims.iter().enumerate() {
                let package = &mut packages[claim.package];
                package.files += 1;
                match self.state(name, claim, place) {
                    None => package.missing.push(text(name)),
                    Some(State::Same) => {}
                    Some(State::Changed) => {
                        let other = claims
                            .iter()
                            .enumerate()
                            .find(|(at, it)| *at != place && self.state(name, it, *at) == Some(State::Same));
                        let by = other.map(|(_, it)| self.name(it));
                        let by = by.or_else(|| owners.get(name.as_slice()).map(|it| it.name.clone()));
                        package.changed.push(Changed { file: text(name), by });
                    }
                }
            }
        }
        packages
    }

    /// Whether a claimed file is as its record says; nothing when it should be there and is not.
    fn state(&self, name: &[u8], claim: &Claim<'_>, place: usize) -> Option<State> {
        match self.entries.get(name) {
            None if claim.may_miss(name) || claim.entry.is_some_and(|it| it.no_link) => Some(State::Same),
            None => None,
            Some(Entry::Folder) => Some(State::Changed),
            // What a link leads to is not recorded.
            Some(Entry::Link(_)) if claim.is_file() && claim.entry.is_some() => Some(State::Changed),
            Some(Entry::Link(_)) => Some(State::Same),
            Some(Entry::File(_)) if claim.is_link() => Some(State::Changed),
            Some(Entry::File(_)) => Some(self.reads.get(name).map_or(State::Same, |it| it.states[place])),
        }
    }

    fn name(&self, claim: &Claim<'_>) -> String {
        self.packages[claim.package].name().as_normalized().to_owned()
    }

    fn of_pip(&self, dist: &Dist) -> Package {
        let mut package = Package {
            name: dist.name.clone(),
            version: dist.version.clone(),
            files: dist.files.len() as u64,
            ..Package::default()
        };
        for (name, digest) in dist.files.iter().filter(|(name, _)| !name.ends_with(b".pyc")) {
            match (self.reads.get(name), digest) {
                (None, _) if !self.entries.contains_key(name) => package.missing.push(text(name)),
                (Some(read), Some(digest)) if !is_as_recorded(read, digest) => {
                    package.changed.push(Changed { file: text(name), by: None });
                }
                _ => {}
            }
        }
        package
    }

    fn clobbered(&self) -> Vec<Clobbered> {
        let several = |(name, claims): (&Vec<u8>, &Vec<Claim<'_>>)| {
            let packages: BTreeSet<String> = claims.iter().map(|it| self.name(it)).collect();
            if packages.len() < 2 || name.ends_with(b".pyc") {
                return None;
            }
            let is = |(place, claim): &(usize, &Claim<'_>)| self.state(name, claim, *place) == Some(State::Same);
            let is_of = claims.iter().enumerate().find(is).map(|(_, it)| self.name(it));
            Some(Clobbered { file: text(name), packages: packages.into_iter().collect(), is_of })
        };
        self.claims.iter().filter_map(several).collect()
    }
}

fn described(record: &PrefixRecord) -> Package {
    let package = &record.repodata_record.package_record;
    Package {
        name: package.name.as_normalized().to_owned(),
        version: package.version.to_string(),
        ..Package::default()
    }
}

/// Whether a file is as a `RECORD` says: its digest, in base64. That of a script whose first line names the prefix was
/// taken where the script was made, and says nothing when the environment has been cloned or unpacked since.
fn is_as_recorded(Read { scan, fix, .. }: &Read, digest: &str) -> bool {
    let line = || scan.beginning.starts_with(b"#!") && interpreter(&scan.beginning).is_some();
    let names_prefix = || matches!(fix, Fix::Text(hits) if hits.iter().any(|hit| hit.at < 32));
    urlsafe(&scan.sha256) == *digest.trim_end_matches('=') || (line() && names_prefix())
}
