//! Channels that hold chosen packages and no others: what is locked for a build is all that its solver gets to see.

use std::{collections::BTreeMap, path::Path};

use rattler_conda_types::{Channel, ChannelInfo, RepoData, RepoDataRecord, Subdir};
use url::Url;

use super::{BuildError, output::invalid};
use crate::base::fs;

/// Makes a channel in `folder` for each channel that `records` come from and gives their URLs, in the order of `bases`.
/// Only the index is there: it says that the archives are where they have always been (`base_url`, CEP 15).
pub(super) fn channels(records: &[RepoDataRecord], bases: &[String], folder: &Path) -> Result<Vec<String>, BuildError> {
    // By the place among the base channels: that is their priority. Unknown ones come last.
    let mut sources: BTreeMap<(usize, &str), Vec<&RepoDataRecord>> = BTreeMap::new();
    for record in records {
        let channel = record.channel.as_deref().unwrap_or_default();
        let rank = bases.iter().position(|base| base == channel).unwrap_or(bases.len());
        sources.entry((rank, channel)).or_default().push(record);
    }
    let mut urls = Vec::new();
    for (number, records) in sources.values().enumerate() {
        let root = folder.join(number.to_string());
        let mut subdirs: BTreeMap<&str, RepoData> = BTreeMap::new();
        for subdir in records.iter().map(|it| it.package_record.subdir.as_str()).chain([Subdir::NoArch.as_str()]) {
            subdirs.entry(subdir).or_insert_with(|| index(subdir));
        }
        for record in records {
            let subdir = record.package_record.subdir.as_str();
            let index = subdirs.get_mut(subdir).expect("each record's subdir was put in");
            let place = folder_of(&record.url)?;
            index.info.as_mut().expect("each index is made with its info").base_url = Some(place);
            let name = record.identifier.clone();
            let is_conda = name.to_file_name().ends_with(".conda");
            let packages = if is_conda { &mut index.conda_packages } else { &mut index.packages };
            packages.insert(name, record.package_record.clone());
        }
        for (subdir, index) in subdirs {
            let text = serde_json::to_vec(&index).expect("an index of plain values can be written as JSON");
            fs::write_atomic(&root.join(subdir).join("repodata.json"), &text)?;
        }
        let channel = Channel::try_from_directory(&root);
        urls.push(channel.map_err(invalid("folder", &root.to_string_lossy()))?.base_url.to_string());
    }
    Ok(urls)
}

fn folder_of(url: &Url) -> Result<String, BuildError> {
    Ok(url.join(".").map_err(invalid("package URL", url.as_str()))?.to_string())
}

fn index(subdir: &str) -> RepoData {
    let info = ChannelInfo {
        subdir: Some(subdir.to_owned()),
        base_url: None,
        repodata_revisions: Default::default(),
        channel_relations: None,
        virtual_package_detectors: None,
    };
    RepoData {
        info: Some(info),
        packages: Default::default(),
        conda_packages: Default::default(),
        v3: Default::default(),
        removed: Default::default(),
        // The form that knows `base_url`.
        version: Some(2),
    }
}
