//! What the records of packages in `conda-meta` say of files and of virtual packages.

use serde::Deserialize;

use super::model::Owner;
use crate::conda::is_placeless;

/// A package as its record describes it. Records hold much more.
#[derive(Deserialize, Debug)]
pub(super) struct Record {
    name: String,
    version: String,
    build: String,
    /// The conda platform, or `noarch`.
    #[serde(default)]
    pub(super) subdir: Option<String>,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    pub(super) depends: Vec<String>,
    #[serde(default)]
    pub(super) constrains: Vec<String>,
    #[serde(default)]
    pub(super) files: Vec<String>,
}

impl Record {
    /// `name-version-build`.
    pub(super) fn id(&self) -> String {
        format!("{}-{}-{}", self.name, self.version, self.build)
    }

    pub(super) fn owner(&self) -> Owner {
        let Self { name, version, build, .. } = self;
        Owner { name: name.clone(), version: version.clone(), build: build.clone(), channel: self.channel() }
    }

    /// The channel as others can ask it: what is above the subdirectory in the URL, because some write the subdirectory, or a
    /// bare name, where the channel should be; nothing when the record does not say where it is.
    fn channel(&self) -> Option<String> {
        let url = self.url.as_deref().filter(|it| it.contains("://") && !it.contains("<unknown>"));
        match url {
            Some(url) if is_placeless(url, self.channel.as_deref()) => None,
            Some(url) => Some(url.rsplitn(3, '/').nth(2)?.to_owned()),
            None => self.channel.clone(),
        }
    }
}

/// Whether an entry is a list of host libraries.
pub(super) fn is_ledger(name: &[u8]) -> bool {
    let file = name.strip_prefix(crate::ledger::FOLDER.as_bytes()).and_then(|it| it.strip_prefix(b"/"));
    file.is_some_and(|file| file.ends_with(b".json") && !file.contains(&b'/'))
}
