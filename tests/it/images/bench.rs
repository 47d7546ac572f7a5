//! Packages that are installed aside by the installer and made into a tree from the cache, and both trees compared.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use envbuild::{
    archive::Format,
    base::{Cancel, Network, Progress},
    image::{Image, ImageError, ImageRequest, image, variables},
    install::{InstallRequest, install},
    pack::{PackRequest, of_prefix, pack},
    rt::Rt,
    tree::Entries,
};
use rattler_conda_types::{MatchSpec, ParseStrictness, RepoDataRecord, Subdir, compression_level::CompressionLevel};
use rattler_package_streaming::write::{write_conda_package, write_tar_bz2_package};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::support::{assert_same_trees, tree_below};

/// A folder with a package cache, a channel, and trees.
pub(super) struct Bench {
    pub(super) folder: TempDir,
    rt: Rt,
}

/// What a package is made of.
#[derive(Default)]
pub(super) struct Package<'a> {
    pub(super) name: &'a str,
    pub(super) noarch: Option<&'a str>,
    pub(super) depends: &'a [&'a str],
    pub(super) files: Vec<(&'a str, What<'a>)>,
    pub(super) entry_points: &'a [&'a str],
    /// An old package with `files` and `has_prefix` instead of `paths.json`, in a `.tar.bz2`.
    pub(super) old: bool,
}

/// A file of a package.
pub(super) enum What<'a> {
    Plain(&'a [u8]),
    Program(&'a [u8]),
    /// With this placeholder.
    Text(&'a str, &'a str),
    Binary(&'a str, &'a [u8]),
    Link(&'a str),
    /// A copy of what a link leads to.
    NoLink(&'a str),
}

impl Bench {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), rt: Rt::new().unwrap() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a package and gives its record.
    pub(super) fn package(&self, package: &Package<'_>) -> RepoDataRecord {
        let tree = tempfile::tempdir().unwrap();
        let mut written = Vec::new();
        let mut entries = Vec::new();
        let mut has_prefix = String::new();
        for (name, what) in &package.files {
            let path = tree.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut entry = json!({"_path": name, "path_type": "hardlink"});
            let bytes: &[u8] = match what {
                What::Plain(bytes) | What::Program(bytes) | What::Binary(_, bytes) => bytes,
                What::Text(_, text) => text.as_bytes(),
                What::Link(target) | What::NoLink(target) => {
                    symlink(target, &path).unwrap();
                    entry["path_type"] = json!("softlink");
                    if matches!(what, What::NoLink(_)) {
                        entry["no_link"] = json!(true);
                    }
                    &[]
                }
            };
            if !path.is_symlink() {
                fs::write(&path, bytes).unwrap();
                entry["sha256"] = json!(sha256(bytes));
                entry["size_in_bytes"] = json!(bytes.len());
            }
            if let What::Text(placeholder, _) | What::Binary(placeholder, _) = what {
                let mode = if matches!(what, What::Text(..)) { "text" } else { "binary" };
                entry["prefix_placeholder"] = json!(placeholder);
                entry["file_mode"] = json!(mode);
                has_prefix += &format!("{placeholder} {mode} {name}\n");
            }
            if matches!(what, What::Program(_)) || name.starts_with("bin/") && !path.is_symlink() {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o775)).unwrap();
            }
            entries.push(entry);
            written.push(path);
        }
        let mut put = |name: &str, text: String| {
            let path = tree.path().join("info").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            written.push(path);
        };
        let subdir = if package.noarch.is_some() { "noarch" } else { "linux-64" };
        let mut index = json!({"name": package.name, "version": "1.0", "build": "0", "build_number": 0,
            "subdir": subdir, "depends": package.depends});
        if let Some(noarch) = package.noarch {
            index["noarch"] = json!(noarch);
        }
        put("index.json", index.to_string());
        put("about.json", "{}".to_owned());
        if package.old {
            let names: Vec<&str> = package.files.iter().map(|(name, _)| *name).collect();
            put("files", names.join("\n") + "\n");
            put("has_prefix", has_prefix);
        } else {
            put("paths.json", json!({"paths_version": 1, "paths": entries}).to_string());
        }
        if !package.entry_points.is_empty() {
            let links = json!({"package_metadata_version": 1,
                "noarch": {"type": "python", "entry_points": package.entry_points}});
            put("link.json", links.to_string());
        }
        let folder = self.path("channel").join(subdir);
        fs::create_dir_all(&folder).unwrap();
        let stem = format!("{}-1.0-0", package.name);
        let archive = folder.join(format!("{stem}.{}", if package.old { "tar.bz2" } else { "conda" }));
        let out = fs::File::create(&archive).unwrap();
        let level = CompressionLevel::Default;
        if package.old {
            write_tar_bz2_package(out, tree.path(), &written, level, None, None).unwrap();
        } else {
            write_conda_package(out, tree.path(), &written, level, Some(1), &stem, None, None).unwrap();
        }
        RepoDataRecord {
            package_record: rattler_index::package_record_from_archive(&archive).unwrap(),
            identifier: archive.file_name().unwrap().to_str().unwrap().parse().unwrap(),
            url: Url::from_file_path(&archive).unwrap(),
            channel: Some(Url::from_directory_path(self.path("channel")).unwrap().to_string()),
        }
    }

    pub(super) fn image(&self, records: &[RepoDataRecord]) -> Result<Image, ImageError> {
        let specs = specs();
        let request = ImageRequest {
            records,
            specs: &specs,
            platform: Subdir::Linux64,
            cache: &self.path("cache"),
            kept: &self.path("kept"),
            interpreter: None,
            network: Network::Offline,
        };
        image(&self.rt, &request)
    }

    /// The tree of an image, in a folder.
    pub(super) fn by_image(&self, name: &str, records: &[RepoDataRecord]) -> PathBuf {
        let mut image = self.image(records).unwrap();
        let entries = std::mem::take(&mut image.entries);
        self.write(name, entries, &image.placeholder, &image.foreign)
    }

    /// The tree that the installer makes, in a folder.
    pub(super) fn by_installer(&self, name: &str, records: &[RepoDataRecord], placeholder: &str) -> PathBuf {
        let staging = self.path(&format!("{name}-staging"));
        let specs = specs();
        let request = InstallRequest {
            prefix: &staging,
            target_prefix: Some(placeholder.as_ref()),
            platform: Subdir::Linux64,
            records,
            specs: &specs,
            cache: &self.path("cache"),
            interpreter: None,
            network: Network::Offline,
        };
        install(&self.rt, &request).unwrap();
        // It depends on the order of its threads which empty folders stay there.
        remove_empty(&staging.join("__clobbers__"));
        self.write(name, of_prefix(&staging).unwrap(), placeholder, std::slice::from_ref(&staging))
    }

    fn write(&self, name: &str, entries: Entries, placeholder: &str, foreign: &[PathBuf]) -> PathBuf {
        let variables = &variables(&entries).unwrap();
        let goal = self.path(name);
        pack(PackRequest {
            since: None,
            entries,
            placeholder,
            dest_prefix: None,
            foreign,
            own: &[],
            needs: b"{}\n",
            more: &[],
            archive: &goal,
            format: Format::Folder,
            arcroot: "",
            split: None,
            level: None,
            threads: 1,
            name: Some("bench"),
            platform: "linux-64",
            variables,
            progress: Progress::none(),
            cancel: &Cancel::new(),
        })
        .unwrap();
        goal
    }

    /// Makes both trees and compares them; gives the folder of the image.
    #[track_caller]
    pub(super) fn assert_same(&self, records: &[RepoDataRecord]) -> PathBuf {
        let placeholder = self.image(records).unwrap().placeholder;
        let installed = self.by_installer("installed", records, &placeholder);
        let made = self.by_image("made", records);
        assert_same_trees(&tree_below(&installed), &tree_below(&made));
        made
    }
}

fn specs() -> Vec<MatchSpec> {
    let spec = |text| MatchSpec::from_str(text, ParseStrictness::Lenient).unwrap();
    vec![spec("python >=3"), spec("one"), spec("pip"), spec("one >=0.5")]
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(rattler_digest::compute_bytes_digest::<rattler_digest::Sha256>(bytes))
}

/// Removes the folders that hold no file, and says whether the folder is gone.
fn remove_empty(folder: &Path) -> bool {
    let entries: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().map(|it| it.unwrap().path()).collect();
    let left = entries.into_iter().filter(|path| path.is_symlink() || !path.is_dir() || !remove_empty(path)).count();
    left == 0 && fs::remove_dir(folder).is_ok()
}

/// The records of the base channel whose file names begin with these, or nothing when there is no channel.
pub(super) fn real(wanted: &[&str]) -> Option<Vec<RepoDataRecord>> {
    let Some(channel) = crate::support::variable("ENVBUILD_TEST_CHANNEL") else {
        crate::support::skip("conda channel with CPython (ENVBUILD_TEST_CHANNEL)");
        return None;
    };
    let channel = channel.trim_end_matches('/').to_owned();
    let channel =
        Url::parse(&format!("{channel}/")).or_else(|_| Url::from_directory_path(&channel).map_err(drop)).unwrap();
    let mut records = Vec::new();
    for subdir in ["linux-64", "noarch"] {
        let path = channel.to_file_path().unwrap().join(subdir).join("repodata.json");
        let index: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        for (file, record) in index["packages.conda"].as_object().unwrap() {
            if wanted.iter().any(|start| file.starts_with(start)) {
                records.push(RepoDataRecord {
                    package_record: serde_json::from_value(record.clone()).unwrap(),
                    identifier: file.parse().unwrap(),
                    url: channel.join(&format!("{subdir}/{file}")).unwrap(),
                    channel: Some(channel.to_string()),
                });
            }
        }
    }
    assert_eq!(records.len(), wanted.len());
    Some(records)
}
