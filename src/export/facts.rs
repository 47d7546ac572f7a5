//! The neutral model: what is known of an environment and of each thing in it.

use std::{collections::BTreeMap, path::PathBuf};

use rattler_conda_types::{ChannelConfig, NoArchType, RepoDataRecord, Subdir};
use url::Url;

use crate::conda::{is_below, public_channel, without_secrets};

/// An environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// What it is called: the name of an environment of the lock, or a prefix's folder.
    pub name: String,
    /// Where it is, as `conda list` tells it: a prefix, or what it was read from.
    pub place: String,
    /// The platform that it is for.
    pub platform: Subdir,
    /// The channels that it was solved from, the strongest first, as names or URLs; none when nobody has written them down.
    pub solved_from: Vec<String>,
    /// Variables that its activation sets (`conda env config vars set`).
    pub variables: BTreeMap<String, String>,
    /// Conda packages, sorted by name.
    pub packages: Vec<PackageFacts>,
    /// Python packages that no conda package brought, sorted by name.
    pub python: Vec<PythonFacts>,
    /// Things that whoever reads an export should know, as sentences.
    pub remarks: Vec<String>,
}

/// A conda package.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackageFacts {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its build string.
    pub build: String,
    /// Its build number.
    pub build_number: u64,
    /// The folder of the channel that it is in.
    pub subdir: String,
    /// The channel, as a name that conda knows or a URL; none when it is not known.
    pub channel: Option<String>,
    /// The name of the folder of its channel, where nothing says where that folder is: a project's, whose place is another
    /// one wherever the project is.
    pub placeless: Option<String>,
    /// Where its archive is, without secrets; none when it is not known.
    pub url: Option<Url>,
    /// The archive's name.
    pub file_name: String,
    /// The archive's MD5 in hexadecimal.
    pub md5: Option<String>,
    /// The archive's SHA-256 in hexadecimal.
    pub sha256: Option<String>,
    /// The archive's size in bytes.
    pub size: Option<u64>,
    /// Its licence, in the words of its recipe.
    pub license: Option<String>,
    /// What it needs.
    pub depends: Vec<String>,
    /// What it does not get along with.
    pub constrains: Vec<String>,
    /// `python` or `generic` for a package of every platform.
    pub noarch: Option<&'static str>,
    /// When it was built, in milliseconds since 1970.
    pub timestamp: Option<u64>,
    /// What somebody asked for that brought it; none for what came with others.
    pub requested: Vec<String>,
    /// Where Python packages are, when it is a Python that says so.
    pub site_packages: Option<String>,
}

/// A Python package that an installer such as pip put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonFacts {
    /// Its name as conda and indexes compare it: lower case, with hyphens.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Who installed it, such as `pip` or `uv`.
    pub installer: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// What it requires, as its metadata say it.
    pub requires: Vec<String>,
    /// The Python that it requires.
    pub requires_python: Option<String>,
    /// Its licence.
    pub license: Option<String>,
}

/// Where an installer got a Python package from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An index; which one and which file, nobody wrote down.
    Index,
    /// A wheel or source archive at a URL.
    Archive {
        /// The URL, without secrets.
        url: Url,
        /// The file's SHA-256 in hexadecimal.
        sha256: Option<String>,
    },
    /// A commit in a repository.
    Commit {
        /// The kind of repository, such as `git`.
        kind: String,
        /// The repository's URL, without secrets.
        url: Url,
        /// The commit.
        commit: String,
        /// The folder in the repository.
        subdirectory: Option<String>,
    },
    /// A folder or file of the machine that it was installed on.
    Local {
        /// Whether the folder itself is in use (`pip install -e`).
        editable: bool,
    },
}

impl Contents {
    /// What a lock holds. `channels` are names or absolute URLs, the strongest first.
    pub fn of_lock(name: &str, platform: Subdir, channels: &[String], packages: &[RepoDataRecord]) -> Self {
        let mut packages: Vec<PackageFacts> = packages.iter().map(PackageFacts::of_lock).collect();
        packages.sort_by(|one, other| one.name.cmp(&other.name));
        Self {
            name: name.to_owned(),
            place: name.to_owned(),
            platform,
            solved_from: channels.iter().map(|it| channel_name(it)).collect(),
            variables: BTreeMap::new(),
            packages,
            python: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// Leaves out where channels in the folders `own` are.
    pub fn forget_places_below(&mut self, own: &[PathBuf]) {
        for package in &mut self.packages {
            if package.url.take_if(|it| is_below(it, own)).is_some() {
                package.placeless = package.channel.take().map(|it| public_channel(&it, own));
            }
        }
    }

    /// Sentences about the packages whose channel has no place.
    pub(super) fn without_place(&self) -> Vec<String> {
        let mut by_channel: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in &self.packages {
            if let Some(channel) = &package.placeless {
                by_channel.entry(channel).or_default().push(&package.name);
            }
        }
        let sentence = |(channel, packages): (&str, Vec<&str>)| {
            format!("nothing says where the channel `{channel}` of a project is, which has {}", packages.join(", "))
        };
        by_channel.into_iter().map(sentence).collect()
    }

    /// Remarks which packages are not where they are said to be on this machine.
    pub fn remark_absent(&mut self) {
        let mut absent: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in &self.packages {
            let path = package.url.as_ref().filter(|it| it.scheme() == "file").and_then(|it| it.to_file_path().ok());
            if let (Some(path), Some(channel)) = (path, &package.channel)
                && !path.exists()
            {
                absent.entry(channel).or_default().push(&package.name);
            }
        }
        let sentence = |(channel, packages): (&str, Vec<&str>)| {
            format!("`{channel}` does not hold these packages on this machine: {}", packages.join(", "))
        };
        self.remarks.extend(absent.into_iter().map(sentence));
    }

    /// All channels: those that were written down, and those that packages are from; as names that conda knows or URLs.
    pub fn channels(&self) -> Vec<String> {
        let mut channels = self.solved_from.clone();
        for channel in self.packages.iter().filter_map(|it| it.channel.as_ref()) {
            if !channels.contains(channel) {
                channels.push(channel.clone());
            }
        }
        channels
    }
}

impl PackageFacts {
    fn of_lock(record: &RepoDataRecord) -> Self {
        let package = &record.package_record;
        Self {
            name: package.name.as_source().to_owned(),
            version: package.version.as_str().into_owned(),
            build: package.build.to_string(),
            build_number: package.build_number,
            subdir: package.subdir.clone(),
            channel: channel_of(&record.url).or_else(|| record.channel.as_deref().map(channel_name)),
            placeless: None,
            url: Some(without_secrets(&record.url)),
            file_name: record.identifier.to_string(),
            md5: package.md5.map(hex::encode),
            sha256: package.sha256.map(hex::encode),
            size: package.size,
            license: package.license.clone(),
            depends: package.depends.clone(),
            constrains: package.constrains.clone(),
            noarch: match &package.noarch {
                it if it.is_python() => Some("python"),
                it if it.is_generic() => Some("generic"),
                NoArchType { .. } => None,
            },
            timestamp: package.timestamp.and_then(|it| u64::try_from(it.timestamp_millis()).ok()),
            requested: Vec::new(),
            site_packages: package.python_site_packages_path.clone(),
        }
    }

    /// Whether its channel is a folder of some machine.
    pub(super) fn is_of_a_folder(&self) -> bool {
        self.placeless.is_some() || self.channel.as_ref().is_some_and(|it| it.starts_with("file:"))
    }
}

/// The channel that a package's URL is in: what is above the subdirectory.
pub(super) fn channel_of(url: &Url) -> Option<String> {
    let (folder, _) = url.as_str().split(['?', '#']).next()?.rsplit_once('/')?;
    let (channel, _) = folder.rsplit_once('/')?;
    Some(channel_name(channel))
}

/// A channel as conda prints it: a short name where its own servers have one, otherwise a URL without its last slash and
/// without secrets.
pub(super) fn channel_name(text: &str) -> String {
    let Ok(url) = Url::parse(text) else { return text.trim_end_matches('/').to_owned() };
    let url = without_secrets(&url);
    let path = url.path().trim_matches('/');
    // A channel's folder may still have the subdirectory at its end, as in old records.
    let path = match path.rsplit_once('/') {
        Some((channel, last)) if last == "noarch" || (last.contains('-') && last.parse::<Subdir>().is_ok()) => channel,
        _ => path,
    };
    let alias = ChannelConfig::default_with_root_dir("/".into()).channel_alias;
    match url.host_str() {
        host if host == alias.host_str() && !path.is_empty() => path.to_owned(),
        Some("repo.anaconda.com") if ["pkgs/main", "pkgs/r", "pkgs/msys2"].contains(&path) => "defaults".to_owned(),
        Some("repo.anaconda.com") if path.starts_with("pkgs/") => path.to_owned(),
        _ => {
            let mut url = url.clone();
            url.set_path(&format!("/{path}"));
            url.as_str().trim_end_matches('/').to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{channel_name, channel_of};

    #[test]
    fn channels_are_called_as_conda_calls_them() {
        for (text, name) in [
            ("https://conda.anaconda.org/conda-forge/linux-64", "conda-forge"),
            ("https://conda.anaconda.org/conda-forge/", "conda-forge"),
            ("https://conda.anaconda.org/t/tk-12/private/noarch", "private"),
            ("https://conda.anaconda.org/conda-forge/label/dev", "conda-forge/label/dev"),
            ("https://repo.anaconda.com/pkgs/main/linux-64", "defaults"),
            ("https://me:word@conda.example/a/b/", "https://conda.example/a/b"),
            ("file:///srv/channel/noarch", "file:///srv/channel"),
            ("conda-forge", "conda-forge"),
            ("pypi", "pypi"),
        ] {
            assert_eq!(channel_name(text), name, "{text}");
        }
        let url = Url::parse("https://conda.example/t/tk/forge/linux-64/x-1-0.conda#123").unwrap();
        assert_eq!(channel_of(&url).unwrap(), "https://conda.example/forge");
    }
}
